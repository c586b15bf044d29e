"""How the watch loop asks: twice before it believes a failure, and not where it is unwelcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from stewardmon import metrics
from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.record import Recorder, Tape
from stewardmon.engine.watch import Observations, Target, Watch
from stewardmon.ports import ProbeSpec
from stewardmon.settings import Settings
from stewardmon.stores.memory import MemoryHistory
from tests.support.virtual import VirtualClock, run_virtually

UP = Outcome(state=State.UP)
DOWN = Outcome(state=State.DOWN, reason=Reason.STATUS, detail="answered 500")


@dataclass
class InTurn:
    """A probe that gives the next of its answers, and UP when there is none left."""

    answers: list[Outcome]
    asked: int = 0

    async def ask(self) -> Outcome:
        self.asked += 1
        return self.answers.pop(0) if self.answers else UP

    async def close(self) -> None:
        return None


async def seen(
    probe: InTurn, *, confirm: bool = False, interval: float = 300, lasting: float = 10
) -> Outcome:
    """Return what is recorded at the end of some time, in seconds."""
    clock = VirtualClock()
    spec = ProbeSpec(
        name="p",
        kind="k",
        job="j",
        instance="i",
        interval=timedelta(seconds=interval),
        timeout=timedelta(seconds=1),
        settings=Settings(),
        confirm=confirm,
    )
    tape = Tape(SeriesStore(), Recorder(MemoryHistory(), clock, beat=lambda: None))
    observations = Observations(tape)
    watch = Watch([Target(spec=spec, probe=probe)], observations, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run(), name="watch")
        await clock.sleep(lasting)
        running.cancel()
    return observations.latest["p"].outcome


@pytest.mark.parametrize(
    ("confirm", "answers", "state", "asks"),
    [
        (True, [DOWN], State.UP, 2),
        (True, [DOWN, DOWN], State.DOWN, 2),
        (True, [UP], State.UP, 1),
        (False, [DOWN], State.DOWN, 1),
        (True, [Outcome(state=State.DOWN, reason=Reason.AUTH)], State.DOWN, 1),
        (True, [Outcome(state=State.DEGRADED, reason=Reason.RATE_LIMIT)], State.DEGRADED, 1),
        (True, [Outcome(state=State.UNKNOWN, reason=Reason.SETUP)], State.UNKNOWN, 1),
    ],
)
def test_a_failure_is_believed_when_a_second_ask_fails_too(
    confirm: bool, answers: list[Outcome], state: State, asks: int
) -> None:
    probe = InTurn(list(answers))
    outcome = run_virtually(seen(probe, confirm=confirm))
    assert (outcome.state, probe.asked) == (state, asks)
    if state is State.UP and answers == [DOWN]:
        assert outcome.findings == ("a first ask failed: status: answered 500",)


def spared() -> float:
    return metrics.REGISTRY.get_sample_value("stewardmon_probe_spared_total", {"probe": "p"}) or 0


REFUSED = Outcome(state=State.DEGRADED, reason=Reason.RATE_LIMIT)


def told_to_wait(seconds: float, state: State = State.DEGRADED) -> Outcome:
    reason = Reason.OK if state is State.UP else Reason.RATE_LIMIT
    wait = Measurement("stewardmon_retry_after_seconds", seconds)
    return Outcome(state=state, reason=reason, measurements=(wait,))


@pytest.mark.parametrize(
    ("answers", "asks"),
    [
        ([], 10),
        ([REFUSED], 9),  # one tick is left out, then all is as before
        ([REFUSED, REFUSED], 6),  # one, then three
        ([told_to_wait(60)], 5),
        ([told_to_wait(60, State.UP)], 5),  # nothing remains, it says, and answers
        ([told_to_wait(5)], 10),
        ([told_to_wait(1e9)], 1),
    ],
)
def test_a_target_that_asks_to_wait_is_left_alone(answers: list[Outcome], asks: int) -> None:
    probe = InTurn(list(answers))
    before = spared()
    run_virtually(seen(probe, interval=10, lasting=96))
    assert probe.asked == asks
    assert spared() - before == 10 - asks


def test_the_pause_is_shown_while_it_lasts() -> None:
    run_virtually(seen(InTurn([told_to_wait(60)]), interval=10, lasting=30))
    assert metrics.REGISTRY.get_sample_value(PAUSE, {"probe": "p"}) == 60
    run_virtually(seen(InTurn([told_to_wait(60)]), interval=10, lasting=96))
    assert metrics.REGISTRY.get_sample_value(PAUSE, {"probe": "p"}) == 10


PAUSE = "stewardmon_probe_interval_seconds"
