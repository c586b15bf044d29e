"""One range function over one series, carried forward in time instead of computed anew.

Each kind equals its counterpart in `ranges.py`; what a step costs does not depend on how long the
range is. The samples stay in the series: a window holds positions and aggregates only.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from stewardmon.domain.series import is_stale
from stewardmon.promql import folds
from stewardmon.promql.frame import SeriesLike
from stewardmon.promql.numbers import divide
from stewardmon.promql.ranges import RANGE_FUNCTIONS, Range
from stewardmon.promql.select import samples_between


class Rolling:
    """The window of one series: the samples in (start, end], as time moves forward.

    `left` and `right` are positions that survive a trim of the series (`base + index`). Subclasses
    hear of each sample that enters and leaves, oldest first, stale markers left out.
    """

    __slots__ = ("_end_ms", "_left", "_name", "_right", "_series", "count")

    def __init__(self, series: SeriesLike, name: str) -> None:
        self._series = series
        self._name = name
        self._left = self._right = series.base
        self._end_ms = -(2**62)
        self.count = 0

    def value(self, span: Range) -> float | None:
        """Return the function's value in the range, None for no result."""
        if span.end_ms < self._end_ms:
            return self._anew(span)
        self._end_ms = span.end_ms
        self._move(span.start_ms, span.end_ms)
        return self._result(span) if self.count else None

    def _anew(self, span: Range) -> float | None:
        times, values = samples_between(self._series, span.start_ms, span.end_ms)
        return RANGE_FUNCTIONS[self._name](times, values, span) if times else None

    def _move(self, start_ms: int, end_ms: int) -> None:
        series = self._series
        times, values, base = series.times, series.values, series.base
        size = len(times)
        left, right = self._left - base, self._right - base
        if left < 0 or (right < size and times[right] <= start_ms):
            # Nothing that is held stays (or the series was cut): start at the range's first sample.
            left = right = bisect_right(times, start_ms)
            self.count = 0
            self._clear(left + base)
        while right < size and times[right] <= end_ms:
            value = values[right]
            if value == value or not is_stale(value):
                self.count += 1
                self._enter(right + base, value, times[right])
            right += 1
        self._right = right + base
        while left < right:
            value = values[left]
            stale = value != value and is_stale(value)
            if times[left] > start_ms and not stale:
                break
            self._left = left + base
            if not stale:
                self.count -= 1
                self._leave(value)
            left += 1
        self._left = left + base

    def _clear(self, first: int) -> None:
        """Forget every sample; the next one has the position `first`."""

    def _enter(self, position: int, value: float, at_ms: int) -> None:
        """Take in a sample, newer than all before."""

    def _leave(self, value: float) -> None:
        """Let the oldest sample go; `self._left` is its position."""

    def _result(self, span: Range) -> float | None:
        return float(self.count)


class Folded(Rolling):
    """Functions that combine values associatively; what is not finite is counted apart."""

    __slots__ = ("_finish", "_infinite", "_least", "_nans", "_origin_ms", "_sliding")

    def __init__(
        self, series: SeriesLike, name: str, fold: folds.Fold[Any], finish: Finish, least: int = 1
    ) -> None:
        super().__init__(series, name)
        self._least = least
        self._sliding: folds.Sliding[Any] = folds.Sliding(fold)
        self._finish = finish
        self._origin_ms = series.times[0] if len(series.times) else 0
        self._clear(self._left)

    def _clear(self, first: int) -> None:
        self._sliding.clear(first)
        self._nans = 0
        self._infinite = 0

    def _enter(self, position: int, value: float, at_ms: int) -> None:
        if value - value != 0.0:
            self._special(value, 1)
        else:
            self._sliding.push(position, value, (at_ms - self._origin_ms) / 1000)

    def _leave(self, value: float) -> None:
        if value - value != 0.0:
            self._special(value, -1)
        elif not self._sliding.pop():
            self._open()
            self._sliding.pop()

    def _special(self, value: float, change: int) -> None:
        if value != value:
            self._nans += change
        else:
            self._infinite += change

    def _open(self) -> None:
        series = self._series
        first, last = self._sliding.oldest(self._right)
        base = series.base
        held: list[tuple[float, float]] = []
        for index in range(last - base - 1, max(first, self._left) - base - 1, -1):
            value = series.values[index]
            if value - value == 0.0:
                held.append((value, (series.times[index] - self._origin_ms) / 1000))
        self._sliding.open(held)

    def _result(self, span: Range) -> float | None:
        if self.count < self._least:
            return None
        if self._nans or self._infinite:
            return math.nan if self._nans else self._anew(span)
        result = self._finish(self._sliding.total(), self.count, span, self._origin_ms)
        if result - result != 0.0:
            return self._anew(
                span
            )  # an overflow on the way: the plain function knows how to avoid it
        return result


Finish = Callable[[Any, int, Range, int], float]


def total(sums: tuple[float, float], _: int, __: Range, ___: int) -> float:
    """Return the sum."""
    return sums[0] + sums[1]


def mean(sums: tuple[float, float], count: int, _: Range, __: int) -> float:
    """Return the mean."""
    return sums[0] / count + sums[1] / count


def variance(moments: folds.Moments, _: int, __: Range, ___: int) -> float:
    """Return the population variance."""
    return moments[2] / moments[0]


def deviation(moments: folds.Moments, _: int, __: Range, ___: int) -> float:
    """Return the standard deviation."""
    return math.sqrt(moments[2] / moments[0])


def slope(trend: folds.Slope, _: int, __: Range, ___: int) -> float:
    """Return the slope of the line through the values, per second."""
    return 0.0 if trend[4] == 0 else divide(trend[4], trend[3])


def predicted(trend: folds.Slope, count: int, span: Range, origin_ms: int) -> float:
    """Return where the line will be, `span.argument` seconds after the evaluation."""
    per_second = slope(trend, count, span, origin_ms)
    ahead = (span.at_ms - origin_ms) / 1000 - trend[1]
    return per_second * span.argument + trend[2] + per_second * ahead


class Extremes(Rolling):
    """max_over_time and min_over_time: NaN counts only where there is nothing else."""

    __slots__ = ("_sliding",)

    def __init__(self, series: SeriesLike, name: str, sign: float) -> None:
        super().__init__(series, name)
        self._sliding: folds.Sliding[float | None] = folds.Sliding(folds.Extreme(sign))
        self._sliding.clear(self._left)

    def _clear(self, first: int) -> None:
        self._sliding.clear(first)

    def _enter(self, position: int, value: float, at_ms: int) -> None:
        if value == value:
            self._sliding.push(position, value, 0.0)

    def _leave(self, value: float) -> None:
        if value == value and not self._sliding.pop():
            self._open()
            self._sliding.pop()

    def _open(self) -> None:
        first, last = self._sliding.oldest(self._right)
        values, base = self._series.values, self._series.base
        held = (
            values[index] for index in range(last - base - 1, max(first, self._left) - base - 1, -1)
        )
        self._sliding.open([(value, 0.0) for value in held if value == value])

    def _result(self, _: Range) -> float | None:
        found = self._sliding.total()
        return math.nan if found is None else found
