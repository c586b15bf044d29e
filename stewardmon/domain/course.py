"""What a series did over a span: folded from samples as they are read, holes told apart."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from math import inf, isfinite
from statistics import median
from typing import Final

HOLE_MS: Final = 10 * 60_000  # shorter gaps than this are no hole: slow probes, a restart
_TIMES: Final = 3  # of a series' usual step: longer than that between two samples is a hole


class Course:
    """Samples of one series in time order: their sum, ends, increase, values and holes.

    NaN, stale markers among them, are no samples. After 30 days a sample is a five-minute mean.
    """

    def __init__(self) -> None:
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")

    def add(self, times: Sequence[int], values: Sequence[float]) -> None:
        """Append samples that are later than all before."""
        kept = [(at, value) for at, value in zip(times, values, strict=True) if value == value]  # noqa: PLR0124 - NaN
        self.times.extend(at for at, _ in kept)
        self.values.extend(value for _, value in kept)

    def __len__(self) -> int:
        return len(self.times)

    def mean(self) -> float | None:
        """Return the mean of the finite values, None where there are none."""
        finite = [value for value in self.values if isfinite(value)]
        return sum(finite) / len(finite) if finite else None

    def most(self) -> float | None:
        """Return the greatest value."""
        return max(self.values, default=None)

    def last(self) -> float | None:
        """Return the newest value."""
        return self.values[-1] if self.values else None

    def quantile(self, share: float) -> float | None:
        """Return a quantile, between two samples by their distance, as PromQL does."""
        return quantile(sorted(self.values), share)

    def increase(self) -> float | None:
        """Return by how much a counter rose, resets made up for; None without two samples."""
        if len(self.values) < 2:
            return None
        return sum(
            after - before if after >= before else after for before, after in pairwise(self.values)
        )

    def slope(self) -> float | None:
        """Return the growth a second by least squares; None without two samples."""
        count = len(self.times)
        if count < 2 or self.times[0] == self.times[-1]:
            return None
        start = self.times[0]
        seconds = [(at - start) / 1000 for at in self.times]
        centre, level = sum(seconds) / count, sum(self.values) / count
        above = sum((x - centre) * (y - level) for x, y in zip(seconds, self.values, strict=True))
        return above / sum((x - centre) ** 2 for x in seconds)

    def unseen_ms(self, start_ms: int, end_ms: int) -> int:
        """Return for how long of a span nothing was recorded: the holes, its ends included."""
        if not self.times:
            return end_ms - start_ms
        steps = [after - before for before, after in pairwise(self.times)]
        usual = round(median(steps)) if steps else 0
        hole = max(_TIMES * usual, HOLE_MS)
        ends = (self.times[0] - start_ms, end_ms - self.times[-1])
        return sum(gap for gap in ends if gap > hole) + sum(
            step - usual for step in steps if step > hole
        )


def joined(parts: Sequence[Course]) -> Course:
    """Return one course of several series that say the same at different times."""
    if len(parts) == 1:
        return parts[0]
    samples = sorted(one for part in parts for one in zip(part.times, part.values, strict=True))
    course = Course()
    course.add([at for at, _ in samples], [value for _, value in samples])
    return course


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """Return the quantile of values in order, None of nothing."""
    if not ordered:
        return None
    rank = share * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    weight = rank - low
    if ordered[high] == inf:
        return inf if weight or ordered[low] == inf else ordered[low]
    return ordered[low] * (1 - weight) + ordered[high] * weight
