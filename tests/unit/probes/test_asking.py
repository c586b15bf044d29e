"""Asking a probe: whatever it does, there is an outcome in time, and a bug is loud."""

from __future__ import annotations

import asyncio
import logging

import pytest

from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.network.progress import Progress
from stewardmon.probes.asking import ask


class Scripted:
    """A probe that does one thing."""

    def __init__(self, *, error: BaseException | None = None, hang: str = "") -> None:
        self.progress = Progress(Measurement("pg_up", 0.0), series="phase_seconds")
        self._error = error
        self._hang = hang

    async def ask(self) -> Outcome:
        if self._error is not None:
            raise self._error
        if self._hang:
            self.progress.enter("connect")
            self.progress.enter(self._hang)
            await asyncio.get_running_loop().create_future()
        return Outcome(state=State.DEGRADED, reason=Reason.STALE, detail="old", findings=("old",))

    async def close(self) -> None: ...


async def test_an_outcome_gets_its_duration_and_nothing_else() -> None:
    outcome = await ask(Scripted(), timeout=1)
    assert (outcome.state, outcome.reason, outcome.detail) == (
        State.DEGRADED,
        Reason.STALE,
        "old",
    )
    assert outcome.findings == ("old",)
    assert 0 < outcome.duration < 5


@pytest.mark.parametrize(
    ("phase", "where"),
    [
        ("resolve", "while looking up the name"),
        ("tls", "during the TLS handshake"),
        ("query", "while waiting for a query's result"),
        ("unheard", "unheard"),
    ],
)
async def test_a_timeout_keeps_what_is_known(phase: str, where: str) -> None:
    outcome = await ask(Scripted(hang=phase), timeout=0.05)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)
    assert outcome.detail == f"no answer within 0.05 s {where}"
    assert list(outcome.phases) == ["connect", phase]
    assert [one.name for one in outcome.measurements] == ["pg_up", "phase_seconds", "phase_seconds"]
    assert outcome.duration >= 0.05


@pytest.mark.parametrize("error", [ValueError("sk-secret"), TimeoutError(), KeyError("x")])
async def test_a_bug_is_handed_on_and_the_target_unknown(error: Exception) -> None:
    bugs: list[Exception] = []
    outcome = await ask(Scripted(error=error), timeout=1, bug=bugs.append)
    assert bugs == [error]
    assert (outcome.state, outcome.reason) == (State.UNKNOWN, Reason.INTERNAL)
    assert "secret" not in outcome.detail
    assert outcome.measurements == ()


async def test_a_bug_is_logged_where_nobody_asked_for_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        await ask(Scripted(error=ValueError("why")), timeout=1)
    (record,) = caplog.records
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], ValueError)


async def test_being_cancelled_is_no_outcome() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await ask(Scripted(hang="connect"), timeout=60)
