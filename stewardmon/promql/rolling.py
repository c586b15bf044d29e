"""One range function over one series, carried forward in time instead of computed anew.

Each kind equals its counterpart in `ranges.py`; what a step costs does not depend on how long the
range is. The samples stay in the series: a window holds positions and aggregates only.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from sortedcontainers import SortedList

from stewardmon.domain.series import is_stale
from stewardmon.promql import folds
from stewardmon.promql.frame import SeriesLike
from stewardmon.promql.numbers import divide, sorted_quantile
from stewardmon.promql.ranges import RANGE_FUNCTIONS, Range, changed, extrapolated
from stewardmon.promql.select import samples_between

_LONG_LIST: Final = 20_000
"""Past this many samples, moving a list's elements costs more than a SortedList's bookkeeping."""


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


def _sum(total: tuple[float, float], _: int, __: Range, ___: int) -> float:
    return total[0] + total[1]


def _mean(total: tuple[float, float], count: int, _: Range, __: int) -> float:
    return total[0] / count + total[1] / count


def _variance(moments: folds.Moments, _: int, __: Range, ___: int) -> float:
    return moments[2] / moments[0]


def _deviation(moments: folds.Moments, _: int, __: Range, ___: int) -> float:
    return math.sqrt(moments[2] / moments[0])


def _slope(trend: folds.Slope, _: int, __: Range, ___: int) -> float:
    return 0.0 if trend[4] == 0 else divide(trend[4], trend[3])


def _predicted(trend: folds.Slope, count: int, span: Range, origin_ms: int) -> float:
    slope = _slope(trend, count, span, origin_ms)
    ahead = (span.at_ms - origin_ms) / 1000 - trend[1]
    return slope * span.argument + trend[2] + slope * ahead


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


class Ordered(Rolling):
    """quantile_over_time: the values in order; NaN, which sorts below them, is only counted."""

    __slots__ = ("_nans", "_numbers")

    def __init__(self, series: SeriesLike, name: str) -> None:
        super().__init__(series, name)
        self._clear(self._left)

    def _clear(self, _: int) -> None:
        self._numbers: Any = []
        self._nans = 0

    def _enter(self, _: int, value: float, __: int) -> None:
        numbers = self._numbers
        if value != value:
            self._nans += 1
        elif type(numbers) is list:
            insort(numbers, value)
            if len(numbers) > _LONG_LIST:
                self._numbers = SortedList(numbers)
        else:
            numbers.add(value)

    def _leave(self, value: float) -> None:
        numbers = self._numbers
        if value != value:
            self._nans -= 1
        elif type(numbers) is list:
            del numbers[bisect_left(numbers, value)]
        else:
            numbers.remove(value)

    def _result(self, span: Range) -> float | None:
        return sorted_quantile(span.argument, self._numbers, nans=self._nans)


class Edges(Rolling):
    """rate, increase and delta: the first and the last sample, and the falls between them."""

    __slots__ = ("_counter", "_falls", "_last_ms", "_last_value", "_per_second", "_position")

    def __init__(
        self, series: SeriesLike, name: str, *, counter: bool, per_second: bool = False
    ) -> None:
        super().__init__(series, name)
        self._counter = counter
        self._per_second = per_second
        self._clear(self._left)

    def _clear(self, _: int) -> None:
        self._falls: deque[tuple[int, float]] = deque()
        self._last_ms, self._last_value, self._position = 0, math.nan, -1

    def _enter(self, position: int, value: float, at_ms: int) -> None:
        if self.count > 1 and value < self._last_value:
            self._falls.append((self._position, self._last_value))
        self._last_ms, self._last_value, self._position = at_ms, value, position

    def _leave(self, _: float) -> None:
        falls = self._falls
        while falls and falls[0][0] <= self._left:
            falls.popleft()

    def _result(self, span: Range) -> float | None:
        if self.count < 2:
            return None
        index = self._left - self._series.base
        first = (self._series.times[index], self._series.values[index])
        change = self._last_value - first[1]
        if self._counter:
            for _, before in self._falls:
                change += before
        whole = extrapolated(change, first, self._last_ms, self.count, span, counter=self._counter)
        return whole / ((span.end_ms - span.start_ms) / 1000) if self._per_second else whole


class Pairs(Rolling):
    """changes and resets: how many neighbouring samples meet a condition."""

    __slots__ = ("_holds", "_last", "_pairs")

    def __init__(
        self, series: SeriesLike, name: str, holds: Callable[[float, float], bool]
    ) -> None:
        super().__init__(series, name)
        self._holds = holds
        self._clear(self._left)

    def _clear(self, _: int) -> None:
        self._pairs = 0
        self._last = 0.0

    def _enter(self, _: int, value: float, __: int) -> None:
        if self.count > 1:
            self._pairs += self._holds(self._last, value)
        self._last = value

    def _leave(self, value: float) -> None:
        series = self._series
        for index in range(self._left - series.base + 1, self._right - series.base):
            following = series.values[index]
            if following == following or not is_stale(following):
                self._pairs -= self._holds(value, following)
                return

    def _result(self, _: Range) -> float | None:
        return float(self._pairs)


class Newest:
    """Functions of the newest one or two samples, or the oldest: nothing to keep."""

    __slots__ = ("_name", "_series")

    def __init__(self, series: SeriesLike, name: str) -> None:
        self._series = series
        self._name = name

    def value(self, span: Range) -> float | None:
        """Return the function's value in the range, None for no result."""
        times, values = newest(self._series, span.start_ms, span.end_ms)
        return RANGE_FUNCTIONS[self._name](times, values, span) if times else None


def newest(
    series: SeriesLike, start_ms: int, end_ms: int, most: int = 2
) -> tuple[list[int], list[float]]:
    """Return up to `most` newest samples in the left-open range, oldest first, none stale."""
    times, values = series.times, series.values
    index = len(times) - 1
    if index >= 0 and times[index] > end_ms:
        index = bisect_right(times, end_ms) - 1
    found_times: list[int] = []
    found_values: list[float] = []
    while index >= 0 and times[index] > start_ms and len(found_times) < most:
        value = values[index]
        if value == value or not is_stale(value):
            found_times.insert(0, times[index])
            found_values.insert(0, value)
        index -= 1
    return found_times, found_values


class Oldest(Newest):
    """first_over_time."""

    __slots__ = ()

    def value(self, span: Range) -> float | None:
        """Return the oldest value in the range that is not stale."""
        times, values = self._series.times, self._series.values
        for index in range(bisect_right(times, span.start_ms), len(times)):
            if times[index] > span.end_ms:
                return None
            value = values[index]
            if value == value or not is_stale(value):
                return value
        return None


def _fell(before: float, after: float) -> bool:
    return after < before


Window = Rolling | Newest
Factory = Callable[[SeriesLike, str], Window]

KINDS: Final[dict[str, Factory]] = {
    "avg_over_time": lambda series, name: Folded(series, name, folds.Total(), _mean),
    "changes": lambda series, name: Pairs(series, name, changed),
    "count_over_time": Rolling,
    "delta": lambda series, name: Edges(series, name, counter=False),
    "deriv": lambda series, name: Folded(series, name, folds.Trend(), _slope, 2),
    "first_over_time": Oldest,
    "idelta": Newest,
    "increase": lambda series, name: Edges(series, name, counter=True),
    "irate": Newest,
    "last_over_time": Newest,
    "max_over_time": lambda series, name: Extremes(series, name, 1.0),
    "min_over_time": lambda series, name: Extremes(series, name, -1.0),
    "predict_linear": lambda series, name: Folded(series, name, folds.Trend(), _predicted, 2),
    "present_over_time": Newest,
    "quantile_over_time": Ordered,
    "rate": lambda series, name: Edges(series, name, counter=True, per_second=True),
    "resets": lambda series, name: Pairs(series, name, _fell),
    "stddev_over_time": lambda series, name: Folded(series, name, folds.Spread(), _deviation),
    "stdvar_over_time": lambda series, name: Folded(series, name, folds.Spread(), _variance),
    "sum_over_time": lambda series, name: Folded(series, name, folds.Total(), _sum),
}
