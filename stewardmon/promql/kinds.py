"""Every range function as a window: which kind carries it forward."""

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
from stewardmon.promql.numbers import sorted_quantile
from stewardmon.promql.ranges import RANGE_FUNCTIONS, Range, changed, extrapolated
from stewardmon.promql.rolling import (
    Extremes,
    Folded,
    Rolling,
    deviation,
    mean,
    predicted,
    slope,
    total,
    variance,
)
from stewardmon.promql.sums import Summed

_LONG_LIST: Final = 20_000
"""Past this many samples, moving a list's elements costs more than a SortedList's bookkeeping."""


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
        counter, per_second = self._counter, self._per_second
        return extrapolated(
            change, first, self._last_ms, self.count, span, counter=counter, per_second=per_second
        )


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
    "avg_over_time": lambda series, name: Summed(series, name, mean),
    "changes": lambda series, name: Pairs(series, name, changed),
    "count_over_time": Rolling,
    "delta": lambda series, name: Edges(series, name, counter=False),
    "deriv": lambda series, name: Folded(series, name, folds.Trend(), slope, 2),
    "first_over_time": Oldest,
    "idelta": Newest,
    "increase": lambda series, name: Edges(series, name, counter=True),
    "irate": Newest,
    "last_over_time": Newest,
    "max_over_time": lambda series, name: Extremes(series, name, 1.0),
    "min_over_time": lambda series, name: Extremes(series, name, -1.0),
    "predict_linear": lambda series, name: Folded(series, name, folds.Trend(), predicted, 2),
    "present_over_time": Newest,
    "quantile_over_time": Ordered,
    "rate": lambda series, name: Edges(series, name, counter=True, per_second=True),
    "resets": lambda series, name: Pairs(series, name, _fell),
    "stddev_over_time": lambda series, name: Folded(series, name, folds.Spread(), deviation),
    "stdvar_over_time": lambda series, name: Folded(series, name, folds.Spread(), variance),
    "sum_over_time": lambda series, name: Summed(series, name, total),
}
