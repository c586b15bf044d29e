"""A probe with `confirm` is asked a second time before its failure is believed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import pytest

from stewardmon.domain.outcome import Outcome, Reason, State
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


async def seen(probe: InTurn, *, confirm: bool) -> Outcome:
    """Return what is recorded of the first tick."""
    clock = VirtualClock()
    spec = ProbeSpec(
        name="p",
        kind="k",
        job="j",
        instance="i",
        interval=timedelta(minutes=5),
        timeout=timedelta(seconds=1),
        settings=Settings(),
        confirm=confirm,
    )
    tape = Tape(SeriesStore(), Recorder(MemoryHistory(), clock, beat=lambda: None))
    observations = Observations(tape)
    watch = Watch([Target(spec=spec, probe=probe)], observations, clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(watch.run(), name="watch")
        await clock.sleep(10)
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
