"""Whatever happens, dying at any moment of it changes no page: drawn stories, told twice."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stewardmon.domain.answers import AnswerError
from tests.support.daemon import QUICK, Daemon, posting
from tests.support.virtual import run_virtually

FAST = QUICK
for _minutes in ("12m", "6m", "3m"):
    FAST = FAST.replace(f" {_minutes}", f" {_minutes[:-1]}0s")  # 30, 60 and 120 seconds

steps = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "fires a", "fires b", "ends a", "ends b", "worsens a", "acknowledge", "back",
                "snooze", "escalate", "resolve",
            ]
        ),
        st.sampled_from([3, 17, 31, 64]),  # seconds until the next
    ),
    min_size=2,
    max_size=6,
)  # fmt: skip


async def act(daemon: Daemon, what: str) -> None:
    """Do one thing; what does not fit the moment is refused and changes nothing."""
    word, _, name = what.partition(" ")
    if name:
        severity = "critical" if word == "worsens" or name == "b" else "warning"
        deed = daemon.ends if word == "ends" else daemon.fires
        await deed(name, severity=severity)
        return
    if not daemon.running.live.responder.open():
        return
    with suppress(AnswerError):
        match word:
            case "acknowledge":
                await daemon.acknowledge(by="dev-a")
            case "back":
                await daemon.unacknowledge(by="dev-a")
            case "snooze":
                await daemon.snooze(by="dev-a", seconds=40)
            case "escalate":
                await daemon.escalate(by="dev-a")
            case _:
                await daemon.resolve(by="dev-a")


def told(story: Sequence[tuple[str, int]], *, dies: frozenset[int]) -> list[str]:
    """Return what everybody heard, to the second; the daemon dies after the steps in `dies`."""

    async def journey() -> list[str]:
        async with posting(oncall=FAST) as daemon:
            await daemon.fires("a", severity="warning")
            for place, (what, pause) in enumerate(story):
                await act(daemon, what)
                await daemon.after(seconds=pause / 2)
                if place in dies:
                    await daemon.restarts()
                await daemon.after(seconds=pause / 2)
            begun = daemon.pager.sent[0][0] if daemon.pager.sent else daemon.clock.now()
            return [
                f"{round((at - begun).total_seconds())} {one.event.value} {to} {one.title}"
                for at, to, one in daemon.pager.sent
            ]

    return run_virtually(journey())


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # a smaller story takes as long to find as to read
    suppress_health_check=[HealthCheck.too_slow],
)
@given(story=steps, dies=st.sets(st.integers(0, 5), min_size=1).map(frozenset))
def test_a_restart_at_any_step_of_any_incident_changes_no_page(
    story: list[tuple[str, int]], dies: frozenset[int]
) -> None:
    assert told(story, dies=dies) == told(story, dies=frozenset())
