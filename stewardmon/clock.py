"""The one place that reads clocks and sleeps; everything else is handed the time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Final

# By how much of the time that passes the time we keep may approach the machine's. Deadlines are
# off by at most this share while it catches up, and it never runs backwards.
SLEW: Final = 0.05


class SystemClock:
    """Wall time for people, the loop's monotonic time for schedules.

    Whoever sets the machine's clock must not page four levels at once, nor stop an escalation for
    an hour: `now` goes on at the pace of a clock that no one can set, and approaches the machine's
    by SLEW. A second is made up for in 20 seconds, an hour in 20 hours, or by a restart. Time in
    which the machine was suspended has passed.
    """

    speed = 1.0

    def __init__(self) -> None:
        self._kept: tuple[float, float] | None = None  # our time, and the steady time it was told

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC."""
        return datetime.fromtimestamp(self._keep(), UTC)

    def offset(self) -> timedelta:
        """Return how far the machine's clock is ahead of the time that `now` returns."""
        return timedelta(seconds=self._machine() - self._keep())

    def _keep(self) -> float:
        wall, steady = self._machine(), self._steady()
        if self._kept is None:
            self._kept = wall, steady
            return wall
        ours, told = self._kept
        passed = steady - told
        gap = wall - ours - passed
        most = SLEW * passed
        kept = wall if abs(gap) <= most else ours + passed + (most if gap > 0 else -most)
        self._kept = kept, steady
        return kept

    def _machine(self) -> float:
        """Return what the machine's clock shows: seconds since 1970."""
        return time.time()

    def _steady(self) -> float:
        """Return seconds on a clock that no one can set and that goes on through a suspend."""
        suspends = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime(suspends)

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


class FastClock(SystemClock):
    """Wall time that runs `speed` times as fast as the world's: for the demo.

    Only wall time is stretched; `monotonic` and `sleep` are divided with it, so that every loop
    of the daemon keeps its proportions.
    """

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed = speed
        self._wall = datetime.now(UTC)
        self._start: float | None = None

    def now(self) -> datetime:
        """Return the stretched wall-clock time, aware, in UTC."""
        return self._wall + timedelta(seconds=self.monotonic())

    def offset(self) -> timedelta:
        """Return nothing: stretched time is nobody's clock."""
        return timedelta(0)

    def monotonic(self) -> float:
        """Return stretched seconds since the clock was first asked."""
        real = time.monotonic()  # the loop's own clock; threads that build the daemon ask it too
        if self._start is None:
            self._start = real
        return (real - self._start) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of stretched time."""
        await super().sleep(seconds / self.speed)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after `seconds` of stretched time."""
        await super().wait(event, seconds / self.speed)


def milliseconds(at: datetime) -> int:
    """Return the timestamp that series use: milliseconds since 1970, UTC."""
    return round(at.timestamp() * 1000)


def from_milliseconds(at_ms: int) -> datetime:
    """Return the aware UTC time of a series' timestamp."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
