"""The one place that reads clocks and sleeps; everything else is handed the time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

DRIFT: Final = timedelta(seconds=2)  # what two good clocks may differ by; more is a step
SLEW: Final = 0.05  # how much faster or slower time runs while a step is caught up
TOLD: Final = 0.1  # seconds of change in the offset that are worth telling


class SystemClock:
    """Wall time for people, the loop's monotonic time for schedules."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds on a clock that no one can set."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time; at once (but yielding) for zero or less."""
        await asyncio.sleep(max(0.0, seconds))

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after `seconds` of monotonic time."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await event.wait()
        except TimeoutError:
            return


class SteadyClock(SystemClock):
    """Wall time that nobody can step: it goes on evenly, and follows the machine's clock slowly.

    A clock that is set forward must not page four levels at once, one that is set back must not
    evaluate an hour twice. Drift forward of up to `DRIFT` is adopted at once; everything else is
    caught up by running 5 % faster or slower, so that time never goes back. `tell` is handed how
    many seconds the machine's clock is ahead, whenever that changes. Time spent asleep counts.
    """

    def __init__(
        self,
        *,
        tell: Callable[[float], None] = lambda _: None,
        wall: Callable[[], datetime] | None = None,
        steady: Callable[[], float] | None = None,
    ) -> None:
        self._tell = tell
        self._wall = wall or super().now
        self._steady = steady or _since_boot
        self._now = self._wall()
        self._at = self._steady()
        self._offset = 0.0

    def now(self) -> datetime:
        """Return the steady wall-clock time, aware, in UTC."""
        wall, at = self._wall(), self._steady()
        passed = timedelta(seconds=max(0.0, at - self._at))
        self._at = at
        expected = self._now + passed
        offset = wall - expected
        if timedelta(0) <= offset <= DRIFT:
            self._now = wall
        else:
            most = passed * SLEW
            self._now = expected + max(-most, min(most, offset))
        left = (wall - self._now).total_seconds()
        if abs(left - self._offset) >= TOLD:
            self._offset = left
            self._tell(left)
        return self._now


def _since_boot() -> float:
    """Return seconds since the start, with those asleep where the kernel counts them."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class FastClock(SystemClock):
    """Wall time that runs `speed` times as fast as the world's: for the demo.

    Only wall time is stretched; `monotonic` and `sleep` are divided with it, so that every loop
    of the daemon keeps its proportions.
    """

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._wall = datetime.now(UTC)
        self._start: float | None = None

    def now(self) -> datetime:
        """Return the stretched wall-clock time, aware, in UTC."""
        return self._wall + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Return stretched seconds since the clock was first asked."""
        real = asyncio.get_running_loop().time()
        if self._start is None:
            self._start = real
        return (real - self._start) * self._speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of stretched time."""
        await super().sleep(seconds / self._speed)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after `seconds` of stretched time."""
        await super().wait(event, seconds / self._speed)


def milliseconds(at: datetime) -> int:
    """Return the timestamp that series use: milliseconds since 1970, UTC."""
    return round(at.timestamp() * 1000)


def from_milliseconds(at_ms: int) -> datetime:
    """Return the aware UTC time of a series' timestamp."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
