"""When things are due: probes by a heap of monotonic times, calendar work by the wall clock."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from hashlib import blake2b
from math import floor
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from stewardmon.domain.localtime import first_instant

if TYPE_CHECKING:
    from apscheduler.triggers.cron import CronTrigger

FIRST_ASKS_PER_SECOND: Final = 200  # after a start everybody is asked soon, but not all at once


@dataclass(frozen=True, slots=True)
class Tick:
    """One due ask: how late it is being handed out, and how many ticks were missed before it."""

    name: str
    lag: float
    missed: int


class Schedule:
    """Probe ticks on a monotonic clock, in seconds that the caller reads.

    Every name keeps to a grid of its own, `hash(name) % interval` after the start, so that load
    spreads; a late tick does not shift the ones after it, and a missed one is skipped and counted.
    One extra ask comes right after the start, so that nobody waits an interval for a first answer.
    """

    def __init__(self, intervals: Mapping[str, float], *, now: float) -> None:
        self._start = now
        self._intervals: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._extra: list[tuple[float, str]] = []
        self.change(intervals, now=now)

    def change(self, intervals: Mapping[str, float], *, now: float) -> None:
        """Schedule these names from now on; those whose interval stays keep their due times."""
        due = {name: at for at, name in self._heap}
        kept = {n for n in due if intervals.get(n) == self._intervals.get(n)}
        fresh = [name for name in intervals if name not in kept]
        burst = len(fresh) / FIRST_ASKS_PER_SECOND
        for name in fresh:
            due[name] = now + share(name) * min(burst, intervals[name])
        self._intervals = dict(intervals)
        self._heap = [(due[name], name) for name in intervals]
        heapq.heapify(self._heap)
        self._extra = [(at, name) for at, name in self._extra if name in intervals]
        heapq.heapify(self._extra)

    def add(self, name: str, at: float) -> None:
        """Let a name be due once more, beside its grid."""
        heapq.heappush(self._extra, (at, name))

    def next_due(self) -> float | None:
        """Return when the next tick is due, None when nothing is scheduled."""
        return min((heap[0][0] for heap in (self._heap, self._extra) if heap), default=None)

    def take(self, now: float) -> list[Tick]:
        """Return the ticks due by `now`, and schedule the ones after them; those added come last.

        A name whose tick is due has no other at the same time.
        """
        ticks: list[Tick] = []
        while self._heap and self._heap[0][0] <= now:
            at, name = self._heap[0]
            interval = self._intervals[name]
            missed = floor((now - at) / interval)
            latest = at + missed * interval
            following = self._after(name, max(latest + interval / 2, now))
            heapq.heapreplace(self._heap, (following, name))
            ticks.append(Tick(name, now - latest, missed))
        while self._extra and self._extra[0][0] <= now:
            at, name = heapq.heappop(self._extra)
            if all(tick.name != name for tick in ticks):
                ticks.append(Tick(name, now - at, 0))
        return ticks

    def _after(self, name: str, at: float) -> float:
        """Return the first point of the name's grid that is later than `at`."""
        interval = self._intervals[name]
        origin = self._start + share(name) * interval
        return origin + (floor((at - origin) / interval) + 1) * interval


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarTime:
    """An hour of the wall clock in a zone: of every day, of a `weekday` (Monday is 0), of a `day`
    of the month.

    A time that the clocks skip comes at the first instant after the gap; one that they show twice
    comes once, at the first of the two. A month without the day is left out.
    """

    at: time
    zone: ZoneInfo = field(default=ZoneInfo("UTC"))
    weekday: int | None = None
    day: int | None = None

    def after(self, instant: datetime) -> datetime:
        """Return the first time (UTC) that is later than the instant."""
        trigger = _trigger(self.at, self.weekday, self.day)
        wall = instant.astimezone(self.zone).replace(tzinfo=UTC, fold=0)
        while True:
            wall = trigger.get_next_fire_time(None, wall + timedelta(microseconds=1))
            found = first_instant(wall.replace(tzinfo=None), self.zone)
            if found > instant:
                return found

    def latest(self, *, after: datetime, until: datetime) -> datetime | None:
        """Return the last time with after < t ≤ until, None where there is none."""
        found = None
        while (following := self.after(found or after)) <= until:
            found = following
        return found


@lru_cache(maxsize=64)
def _trigger(at: time, weekday: int | None, day: int | None) -> CronTrigger:
    """Return what reckons with dates and hours, of no zone.

    In a zone, APScheduler's trigger fires twice in the night in which the clocks go back. Its
    scheduler is not used: it reads the machine's own clock, stalls when that is set back, and drops
    what is a second late unless told otherwise.
    """
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - not before a job is due

    return CronTrigger(
        day=day, day_of_week=weekday, hour=at.hour, minute=at.minute, second=at.second, timezone=UTC
    )


def share(name: str) -> float:
    """Return the name's place in its interval, in [0, 1): the same in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) / 2**32
