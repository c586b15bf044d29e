"""What a series is made of, block by block: bounds of any stretch without reading it whole."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from operator import sub
from typing import Final, NamedTuple

from stewardmon.domain.series import is_stale
from stewardmon.promql.frame import SeriesLike

BLOCK: Final = 64
"""Samples in a block: a stretch reads at most two blocks' samples and one number a block."""


class Stretch(NamedTuple):
    """Neighbouring samples: bounds and number of those that are no stale markers, and of these.

    A NaN or an infinity among them makes the bounds infinite; without samples they are crossed.
    """

    least: float
    most: float
    kept: int
    stale: int


NOTHING: Final = Stretch(math.inf, -math.inf, 0, 0)


def combined(*parts: Stretch) -> Stretch:
    """Return stretches taken together."""
    return Stretch(
        min(part.least for part in parts),
        max(part.most for part in parts),
        sum(part.kept for part in parts),
        sum(part.stale for part in parts),
    )


class Digest:
    """The blocks of one series; places are indices into its columns, as they are now.

    Blocks lie at multiples of BLOCK of what survives a cut of the series (`base + index`).
    """

    __slots__ = ("_counts", "_first", "_gaps", "_leasts", "_mosts", "_stales", "_sums", "series")

    def __init__(self, series: SeriesLike) -> None:
        self.series = series
        self._clear(-(-series.base // BLOCK))

    def stretch(self, first: int, last: int) -> Stretch:
        """Return what lies in [first, last)."""
        values = self.series.values
        blocks = self._blocks(first, last)
        if blocks is None:
            return _read(values[first:last])[0]
        head, tail, start, end = blocks
        middle = Stretch(
            min(self._leasts[start:end]),
            max(self._mosts[start:end]),
            sum(self._counts[start:end]),
            sum(self._stales[start:end]),
        )
        return combined(_read(values[first:head])[0], middle, _read(values[tail:last])[0])

    def total(self, first: int, last: int) -> float:
        """Return the sum of [first, last) less stale markers; NaN where something is not finite."""
        values = self.series.values
        blocks = self._blocks(first, last)
        if blocks is None:
            return _read(values[first:last])[1]
        head, tail, start, end = blocks
        before, after = _read(values[first:head])[1], _read(values[tail:last])[1]
        return before + after + _sum(self._sums[start:end])

    def widest_gap(self, first: int, last: int) -> int:
        """Return the longest time from one sample to the next within [first, last)."""
        times = self.series.times
        blocks = self._blocks(first, last)
        if blocks is None:
            return _gap(times[first:last])
        head, tail, start, end = blocks
        ends = _gap(times[first : head + 1]), _gap(times[tail - 1 : last])
        return max(*ends, *self._gaps[start:end])

    def _blocks(self, first: int, last: int) -> tuple[int, int, int, int] | None:
        """Return where whole blocks begin and end, and which they are; None where there is none."""
        base = self.series.base
        start, end = -(-(first + base) // BLOCK), (last + base) // BLOCK
        if end <= start:
            return None
        self._grow(end)
        known = self._first
        return start * BLOCK - base, end * BLOCK - base, start - known, end - known

    def _grow(self, end: int) -> None:
        series = self.series
        base = series.base
        oldest = -(-base // BLOCK)
        if oldest >= self._first + len(self._leasts):
            self._clear(oldest)
        elif oldest > self._first + 2 * BLOCK:
            self._drop(oldest - self._first)
        for number in range(self._first + len(self._leasts), end):
            first = number * BLOCK - base
            read, total = _read(series.values[first : first + BLOCK])
            self._leasts.append(read.least)
            self._mosts.append(read.most)
            self._counts.append(read.kept)
            self._stales.append(read.stale)
            self._sums.append(total)
            self._gaps.append(_gap(series.times[max(0, first - 1) : first + BLOCK]))

    def _drop(self, blocks: int) -> None:
        for column in (
            self._leasts, self._mosts, self._counts, self._stales, self._sums, self._gaps,
        ):  # fmt: skip
            del column[:blocks]
        self._first += blocks

    def _clear(self, first: int) -> None:
        self._first = first
        self._leasts, self._mosts, self._sums = array("d"), array("d"), array("d")
        self._counts, self._stales, self._gaps = array("q"), array("q"), array("q")


def _read(values: Sequence[float]) -> tuple[Stretch, float]:
    """Return what samples hold, and their sum."""
    if not values:
        return NOTHING, 0.0
    total = _sum(values)
    if total - total == 0.0:
        return Stretch(min(values), max(values), len(values), 0), total
    held = [value for value in values if not (value != value and is_stale(value))]
    stale = len(values) - len(held)
    if not held:
        return Stretch(math.inf, -math.inf, 0, stale), 0.0
    total = _sum(held)
    if total - total == 0.0:
        return Stretch(min(held), max(held), len(held), stale), total
    return Stretch(-math.inf, math.inf, len(held), stale), math.nan


def _sum(values: Sequence[float]) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # past the largest float; infinities of both signs
        return math.nan


def _gap(times: Sequence[int]) -> int:
    return max(map(sub, times[1:], times), default=0)
