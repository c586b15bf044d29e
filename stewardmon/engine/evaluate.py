"""The evaluation loop: rules over series at aligned instants; hands on what changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from math import gcd
from time import perf_counter
from typing import Final

from stewardmon import metrics
from stewardmon.clock import from_milliseconds, milliseconds
from stewardmon.domain.alert import Alert
from stewardmon.engine.evaluator import Evaluated, Evaluator
from stewardmon.engine.running import MILLISECOND, Running, RunningGroup
from stewardmon.ports import Clock

PRIMING: Final = 0.05  # seconds between looks whether the first outcomes are in
YIELD_AFTER: Final = 0.002  # seconds of evaluation after which the event loop gets a turn


async def no_one() -> None:
    """Wait for nobody."""


class Evaluating:
    """The loop: evaluates at aligned instants of wall time, and hands on what changed."""

    def __init__(
        self,
        evaluator: Evaluator,
        clock: Clock,
        *,
        interval: timedelta,
        report: Callable[[Evaluated, datetime], Awaitable[None]],
        beat: Callable[[], None] = lambda: None,
        primed: Callable[[], bool] = lambda: True,
        after_people: Callable[[], Awaitable[None]] = no_one,
    ) -> None:
        """`after_people` is awaited between turns: whoever answers a page goes first."""
        self._primed = primed
        self._after_people = after_people
        self._clock = clock
        self.change(evaluator, interval=interval)
        self._report = report
        self._owed: tuple[Evaluated, datetime] | None = None
        self._turn = 0.0  # when the current turn began
        self._beat = beat

    def change(self, evaluator: Evaluator, *, interval: timedelta) -> None:
        """Evaluate these rules from the next tick on."""
        self.evaluator = evaluator
        self._interval_ms = _tick_ms(evaluator.groups, interval)

    async def run(self) -> None:
        """Run until cancelled; a tick that comes too late is skipped and counted."""
        while not self._primed():
            self._beat()
            await self._clock.sleep(PRIMING)
        last_ms = milliseconds(self._clock.now())
        while True:
            step_ms = self._interval_ms
            now_ms = milliseconds(self._clock.now())
            due_ms = now_ms - now_ms % step_ms
            if due_ms <= last_ms:
                await self._clock.sleep((due_ms + step_ms - now_ms) / 1000)
                continue
            missed = (due_ms - last_ms - 1) // step_ms
            if missed:
                metrics.MISSED_TICKS.labels("evaluate").inc(missed)
            await self.evaluate(due_ms, after_ms=last_ms)
            last_ms = due_ms
            self._beat()

    async def evaluate(self, at_ms: int, *, after_ms: int) -> None:
        """Evaluate what fell due since the last time, in turns that let other loops run.

        What could not be handed on for a bug elsewhere is handed on once more: the rules hold it
        for known, and would not tell it again. Once, so that one alert cannot stop all others.
        """
        owed, self._owed = self._owed, None
        if owed is not None:
            await self._report(*owed)
        started = self._turn = perf_counter()
        changed: list[Alert] = []
        dropped: list[Alert] = []
        evaluator = self.evaluator
        for group, instant in evaluator.passed(after_ms, at_ms):
            for running in group.rules:
                if self.evaluator is not evaluator:
                    break  # a reload came in a turn of another loop: its rules go on from here
                found = await self._in_turns(evaluator, running, instant)
                changed += found.changed
                dropped += found.dropped
                if perf_counter() - self._turn > YIELD_AFTER:
                    await self._rest()
        metrics.EVALUATION.observe(perf_counter() - started)
        evaluated = Evaluated(changed=tuple(changed), dropped=tuple(dropped))
        self._owed = evaluated, from_milliseconds(at_ms)
        await self._report(*self._owed)
        self._owed = None

    async def _in_turns(self, evaluator: Evaluator, running: Running, at_ms: int) -> Evaluated:
        """Evaluate a rule, with a turn for other loops after every few ms."""
        steps = evaluator.steps(running, at_ms)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found: Evaluated = done.value
                return found
            if perf_counter() - self._turn > YIELD_AFTER:
                await self._rest()
                evaluator.resume()

    async def _rest(self) -> None:
        await self._clock.sleep(0)
        await self._after_people()
        self._turn = perf_counter()


def _tick_ms(groups: Sequence[RunningGroup], interval: timedelta) -> int:
    """Return the loop's own step: the greatest that meets every group's interval."""
    return gcd(interval // MILLISECOND, *(group.interval_ms for group in groups))
