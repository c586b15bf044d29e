"""First asks beside the start: made once, told at their own time, let go where none takes them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from stewardmon.domain.outcome import Outcome, State
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.early import AT_MOST, Asked, Early, asking
from stewardmon.engine.record import Recorder, Tape
from stewardmon.engine.watch import Observations, Target, Watch
from stewardmon.ports import Context, Kind, ProbeSpec
from stewardmon.settings import Settings
from stewardmon.stores.memory import MemoryHistory
from tests.support.virtual import VirtualClock, run_virtually


@dataclass
class Counting:
    """A probe that counts; `hangs` until it is cut off."""

    hangs: bool = False
    asked: int = 0
    closed: int = 0
    cut: list[str] = field(default_factory=list)

    async def ask(self) -> Outcome:
        self.asked += 1
        if self.hangs:
            try:
                await asyncio.Event().wait()
            finally:
                self.cut.append("cut")
        return Outcome(state=State.UP)

    async def close(self) -> None:
        self.closed += 1


def spec(name: str = "p", kind: str = "k") -> ProbeSpec:
    return ProbeSpec(
        name=name,
        kind=kind,
        job="j",
        instance="i",
        interval=timedelta(seconds=300),
        timeout=timedelta(seconds=60),
        settings=Settings(),
    )


def kinds(probe: Counting) -> dict[str, Kind]:
    kind = Kind(settings=Settings, make=lambda _settings, _context: probe)
    return {"k": kind, "heartbeat": kind}


def bug(_name: str, error: Exception) -> None:
    raise error


def watching(asked: Asked, clock: VirtualClock) -> tuple[Observations, Watch]:
    tape = Tape(SeriesStore(), Recorder(MemoryHistory(), clock, beat=lambda: None))
    observations = Observations(tape)
    target = Target(spec=spec(), probe=asked.probe)
    return observations, Watch([target], observations, clock, answers={"p": asked.answer})


def test_an_early_answer_is_told_once_the_watch_begins_at_the_time_at_which_it_came() -> None:
    async def go() -> None:
        clock, probe = VirtualClock(), Counting()
        began = clock.now()
        async with asking([spec()], Context(clock=clock), kinds=kinds(probe), bug=bug) as early:
            await clock.sleep(2)  # the state is opened
            asked = early.pop("p")
            observations, watch = watching(asked, clock)
            running = asyncio.get_running_loop().create_task(watch.run())
            await clock.sleep(5)
            assert probe.asked == 1
            assert observations.latest["p"].at == began
            await clock.sleep(450)  # its next place on the grid
            assert probe.asked == 2
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
        assert probe.closed == 0  # whoever took it closes it

    run_virtually(go())


def test_what_was_asked_long_before_the_state_could_be_opened_is_asked_anew() -> None:
    async def go() -> None:
        clock, probe = VirtualClock(), Counting()
        async with asking([spec()], Context(clock=clock), kinds=kinds(probe), bug=bug) as early:
            await clock.sleep(3600)  # another process leads
            led_at = clock.now()
            observations, watch = watching(early.pop("p"), clock)
            running = asyncio.get_running_loop().create_task(watch.run())
            await clock.sleep(5)
            assert probe.asked == 2
            assert observations.latest["p"].at >= led_at
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    run_virtually(go())


def test_a_start_that_fails_cuts_off_what_it_asked() -> None:
    probe = Counting(hangs=True)

    async def go() -> None:
        clock = VirtualClock()
        async with asking([spec()], Context(clock=clock), kinds=kinds(probe), bug=bug):
            await clock.sleep(1)
            raise RuntimeError("the state is locked")

    with pytest.raises(RuntimeError, match="locked"):
        run_virtually(go())
    assert (probe.cut, probe.closed) == (["cut"], 1)


def test_what_needs_the_state_and_what_is_many_waits_for_its_turn() -> None:
    async def go() -> Early:
        clock, probe = VirtualClock(), Counting()
        many = [spec("beat", "heartbeat"), *(spec(str(number)) for number in range(AT_MOST + 5))]
        async with asking(many, Context(clock=clock), kinds=kinds(probe), bug=bug) as early:
            return dict(early)

    found = run_virtually(go())
    assert "beat" not in found
    assert len(found) == AT_MOST
