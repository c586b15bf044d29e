"""The one place that reads clocks and sleeps; everything else is handed the time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta


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
