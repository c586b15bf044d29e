"""The functions over a range of samples of one series, computed from scratch.

Each takes the times and values in the range (oldest first, no stale markers, at least one), the
range's ends and the call's scalar argument, and gives the value, or None for no result. The
incremental windows (`windows.py`) must equal these.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from stewardmon.promql import numbers
from stewardmon.promql.numbers import add_exactly


class Range(NamedTuple):
    """A range's ends (left-open) and the evaluation's instant, in ms; the scalar argument."""

    start_ms: int
    end_ms: int
    at_ms: int
    argument: float = 0.0


Times = Sequence[int]
Values = Sequence[float]
RangeFunction = Callable[[Times, Values, Range], "float | None"]

_EXTRAPOLATE_BELOW: Final = 1.1
"""A gap to the range's edge shorter than this many mean intervals is bridged."""


def extrapolated(
    change: float,
    first: tuple[int, float],
    last_ms: int,
    count: int,
    span: Range,
    *,
    counter: bool,
    per_second: bool = False,
) -> float:
    """Stretch the change between the first and last sample to the whole range.

    Up to the range's edge where the gap is below 1.1 mean intervals, else by half an interval; a
    counter is not followed below zero. `count` is at least 2. Source: Prometheus' documentation of
    rate() and "Surprising semantics of rate" in its design notes.
    """
    first_ms, first_value = first
    to_start = (first_ms - span.start_ms) / 1000
    to_end = (span.end_ms - last_ms) / 1000
    sampled = (last_ms - first_ms) / 1000
    mean = sampled / (count - 1)
    if to_start >= mean * _EXTRAPOLATE_BELOW:
        to_start = mean / 2
    if counter:
        to_zero = to_start
        if change > 0 and first_value >= 0:
            to_zero = sampled * (first_value / change)
        to_start = min(to_start, to_zero)
    if to_end >= mean * _EXTRAPOLATE_BELOW:
        to_end = mean / 2
    factor = (sampled + to_start + to_end) / sampled if sampled else 1.0
    if per_second:
        # The factor, not the change: Prometheus' order, so that both round alike.
        factor /= (span.end_ms - span.start_ms) / 1000
    return change * factor


def _increase(
    times: Times, values: Values, span: Range, *, per_second: bool = False
) -> float | None:
    if len(values) < 2:
        return None
    change = values[-1] - values[0]
    previous = values[0]
    for value in values[1:]:
        if value < previous:
            change += previous
        previous = value
    first = (times[0], values[0])
    return extrapolated(
        change, first, times[-1], len(times), span, counter=True, per_second=per_second
    )


def _rate(times: Times, values: Values, span: Range) -> float | None:
    return _increase(times, values, span, per_second=True)


def _delta(times: Times, values: Values, span: Range) -> float | None:
    if len(values) < 2:
        return None
    first = (times[0], values[0])
    change = values[-1] - values[0]
    return extrapolated(change, first, times[-1], len(times), span, counter=False)


def _idelta(times: Times, values: Values, _: Range) -> float | None:
    if len(values) < 2 or times[-1] == times[-2]:
        return None
    return values[-1] - values[-2]


def _irate(times: Times, values: Values, _: Range) -> float | None:
    if len(values) < 2 or times[-1] == times[-2]:
        return None
    change = values[-1] if values[-1] < values[-2] else values[-1] - values[-2]
    return change / ((times[-1] - times[-2]) / 1000)


def changed(left: float, right: float) -> bool:
    """Say whether a value changed: two NaN in a row are no change."""
    return left != right and not (left != left and right != right)


def _changes(_: Times, values: Values, __: Range) -> float:
    return float(sum(map(changed, values[:-1], values[1:])))


def _resets(_: Times, values: Values, __: Range) -> float:
    return float(sum(after < before for before, after in pairwise(values)))


def _max(_: Times, values: Values, __: Range) -> float:
    return max((value for value in values if value == value), default=math.nan)


def _min(_: Times, values: Values, __: Range) -> float:
    return min((value for value in values if value == value), default=math.nan)


def line(times: Times, values: Values, origin_ms: int) -> tuple[float, float]:
    """Fit a line by least squares; return its slope per second and its value at the origin."""
    first = values[0]
    if all(value == first for value in values):
        return (math.nan, math.nan) if math.isinf(first) else (0.0, first)
    sums = [(0.0, 0.0)] * 4
    for at_ms, y in zip(times, values, strict=True):
        x = (at_ms - origin_ms) / 1e3
        sums = [
            add_exactly(value, *known)
            for value, known in zip((x, y, x * y, x * x), sums, strict=True)
        ]
    n = float(len(values))
    sum_x, sum_y, sum_xy, sum_xx = (total + rest for total, rest in sums)
    slope = numbers.divide(sum_xy - sum_x * sum_y / n, sum_xx - sum_x * sum_x / n)
    return slope, sum_y / n - slope * sum_x / n


def _deriv(times: Times, values: Values, _: Range) -> float | None:
    return line(times, values, times[0])[0] if len(values) > 1 else None


def _predict_linear(times: Times, values: Values, span: Range) -> float | None:
    if len(values) < 2:
        return None
    slope, intercept = line(times, values, span.at_ms)
    return slope * span.argument + intercept


RANGE_FUNCTIONS: Final[dict[str, RangeFunction]] = {
    "avg_over_time": lambda _, values, __: numbers.mean_of(values),
    "changes": _changes,
    "count_over_time": lambda _, values, __: float(len(values)),
    "delta": _delta,
    "deriv": _deriv,
    "first_over_time": lambda _, values, __: values[0],
    "idelta": _idelta,
    "increase": _increase,
    "irate": _irate,
    "last_over_time": lambda _, values, __: values[-1],
    "max_over_time": _max,
    "min_over_time": _min,
    "predict_linear": _predict_linear,
    "present_over_time": lambda _, __, ___: 1.0,
    "quantile_over_time": lambda _, values, span: numbers.quantile_of(span.argument, values),
    "rate": _rate,
    "resets": _resets,
    "stddev_over_time": lambda _, values, __: math.sqrt(numbers.variance_of(values)),
    "stdvar_over_time": lambda _, values, __: numbers.variance_of(values),
    "sum_over_time": lambda _, values, __: numbers.sum_of(values),
}
