"""What the histogram and the counter of the event loop say after turns that came late."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import pytest

from stewardmon import metrics
from stewardmon.engine.lag import EVERY, SLOW, measure


class Held:
    """A clock whose turns come so many seconds late, one after the other."""

    def __init__(self, lates: Iterable[float]) -> None:
        self._lates: Iterator[float] = iter(lates)
        self._at = 100.0
        self.asked: list[float] = []

    def monotonic(self) -> float:
        return self._at

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        late = next(self._lates, None)
        if late is None:
            raise asyncio.CancelledError
        self._at += seconds + late


def value(name: str) -> float:
    return metrics.REGISTRY.get_sample_value(name) or 0.0


async def after(*lates: float) -> tuple[float, float, float, Held]:
    """Return how many turns, their seconds of lag and how many were slow, and the clock."""
    names = (
        "stewardmon_event_loop_lag_seconds_count",
        "stewardmon_event_loop_lag_seconds_sum",
        "stewardmon_slow_callbacks_total",
    )
    before = [value(name) for name in names]
    clock = Held(lates)
    with pytest.raises(asyncio.CancelledError):
        await measure(clock)  # type: ignore[arg-type]
    turns, seconds, slow = (value(name) - was for name, was in zip(names, before, strict=True))
    return turns, seconds, slow, clock


async def test_every_turn_is_noted_with_its_lag() -> None:
    turns, seconds, slow, _ = await after(0.0, 0.01, 0.02)
    assert (turns, slow) == (3, 0)
    assert seconds == pytest.approx(0.03)


async def test_what_holds_the_loop_for_long_is_counted_once() -> None:
    turns, seconds, slow, clock = await after(SLOW + 0.2, 0.0, SLOW + 0.01)
    assert (turns, slow) == (3, 2)
    assert seconds == pytest.approx(2 * SLOW + 0.21)
    assert clock.asked[1] == pytest.approx(EVERY)  # not at once, to catch up


async def test_a_little_lag_does_not_add_up() -> None:
    _, seconds, slow, clock = await after(*[0.04] * 5)
    assert slow == 0
    assert seconds == pytest.approx(0.2)
    assert clock.asked[1] == pytest.approx(EVERY - 0.04)
