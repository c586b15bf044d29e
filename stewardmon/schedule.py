"""When probes are due: a heap of monotonic due times that are never re-based."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from math import floor
from typing import Final

FIRST_ASKS_PER_SECOND: Final = 500  # the burst after a start: everybody is asked soon, none at once


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
        self.change(intervals, now=now)

    def change(self, intervals: Mapping[str, float], *, now: float) -> None:
        """Schedule these names from now on; those whose interval stays keep their due times."""
        due = {name: at for at, name in self._heap}
        kept = {n for n in due if intervals.get(n) == self._intervals.get(n)}
        fresh = [name for name in intervals if name not in kept]
        burst = max(1.0, len(fresh) / FIRST_ASKS_PER_SECOND)
        for name in fresh:
            due[name] = now + share(name) * min(burst, intervals[name])
        self._intervals = dict(intervals)
        self._heap = [(due[name], name) for name in intervals]
        heapq.heapify(self._heap)

    def next_due(self) -> float | None:
        """Return when the next tick is due, None when nothing is scheduled."""
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> list[Tick]:
        """Return the ticks due by `now`, oldest first, and schedule the ones after them."""
        ticks = []
        while self._heap and self._heap[0][0] <= now:
            at, name = self._heap[0]
            interval = self._intervals[name]
            missed = floor((now - at) / interval)
            latest = at + missed * interval
            following = self._after(name, max(latest + interval / 2, now))
            heapq.heapreplace(self._heap, (following, name))
            ticks.append(Tick(name, now - latest, missed))
        return ticks

    def _after(self, name: str, at: float) -> float:
        """Return the first point of the name's grid that is later than `at`."""
        interval = self._intervals[name]
        origin = self._start + share(name) * interval
        return origin + (floor((at - origin) / interval) + 1) * interval


def share(name: str) -> float:
    """Return the name's place in its interval, in [0, 1): the same in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=4).digest()) / 2**32
