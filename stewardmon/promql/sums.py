"""Sums and means over a window: whole numbers by adding and taking away, all others by blocks.

What most rules average is 0 or 1. Sums of small whole numbers are exact in a float, so that taking
away what leaves gives what adding up anew would: at a fraction of what blocks cost.
"""

from __future__ import annotations

from typing import Final

from stewardmon.promql import folds
from stewardmon.promql.frame import SeriesLike
from stewardmon.promql.ranges import Range
from stewardmon.promql.rolling import Finish, Folded

WHOLE_AT_MOST: Final = 2.0**24
"""The largest whole number that is added so: 2**29 of them, more than memory holds, add up to the
2**53 below which every whole number is a float."""


class Summed(Folded):
    """sum_over_time and avg_over_time; goes on in blocks from the first number that is not whole.

    It goes back to whole numbers when a range shares nothing with the one before.
    """

    __slots__ = ("_first", "_whole", "_whole_sum")

    def __init__(self, series: SeriesLike, name: str, finish: Finish) -> None:
        super().__init__(series, name, folds.Total(), finish)

    def _clear(self, first: int) -> None:
        super()._clear(first)
        self._first = first
        self._whole = True
        self._whole_sum = 0.0

    def _enter(self, position: int, value: float, at_ms: int) -> None:
        if self._whole:
            if -WHOLE_AT_MOST <= value <= WHOLE_AT_MOST and value.is_integer():
                self._whole_sum += value
                return
            self._to_blocks(position)
        super()._enter(position, value, at_ms)

    def _leave(self, value: float) -> None:
        if self._whole:
            self._whole_sum -= value
        else:
            super()._leave(value)

    def _to_blocks(self, end: int) -> None:
        """Put what the window holds, up to the position, into blocks."""
        series = self._series
        base = series.base
        first = max(self._first, self._left)  # after `_clear`, `_left` still names the old place
        super()._clear(first)
        self._whole = False
        for index in range(first - base, end - base):
            value = series.values[index]
            if value == value:  # among whole numbers the only NaN is the stale marker
                super()._enter(index + base, value, series.times[index])

    def _result(self, span: Range) -> float | None:
        if self._whole:
            return self._finish((self._whole_sum, 0.0), self.count, span, self._origin_ms)
        return super()._result(span)
