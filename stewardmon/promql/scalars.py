"""The functions from one number to one number, and those from a time to a part of its date.

Each follows Go's math package, as Prometheus does: out of its domain a function gives NaN or an
infinity, never an error.
"""

from __future__ import annotations

import math
from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

Number = Callable[[float], float]


def _total(function: Number) -> Number:
    """Return the function with NaN wherever Python would raise."""

    def answer(value: float) -> float:
        try:
            return function(value)
        except (ValueError, OverflowError):
            return math.nan

    return answer


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf


def _hyperbolic(function: Number, *, odd: bool) -> Number:
    def answer(value: float) -> float:
        try:
            return function(value)
        except OverflowError:
            return -math.inf if odd and value < 0 else math.inf

    return answer


def _logarithm(function: Number) -> Number:
    def answer(value: float) -> float:
        if value == 0:
            return -math.inf
        return function(value) if not value < 0 else math.nan

    return answer


def _atanh(value: float) -> float:
    if value in (1, -1):
        return math.copysign(math.inf, value)
    return math.atanh(value) if -1 < value < 1 else math.nan


def _sgn(value: float) -> float:
    return -1.0 if value < 0 else 1.0 if value > 0 else value


def _floor(value: float) -> float:
    return float(math.floor(value)) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return float(math.ceil(value)) if math.isfinite(value) else value


def rounded(value: float, inverse: float) -> float:
    """Round half up to the nearest multiple of 1/inverse."""
    scaled = _floor(value * inverse + 0.5)
    if inverse == 0:
        return math.nan if scaled == 0 or scaled != scaled else math.copysign(math.inf, scaled)
    return scaled / inverse


NUMBER_FUNCTIONS: Final[dict[str, Number]] = {
    "abs": abs,
    "acos": _total(math.acos),
    "acosh": _total(math.acosh),
    "asin": _total(math.asin),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": _atanh,
    "ceil": _ceil,
    "cos": _total(math.cos),
    "cosh": _hyperbolic(math.cosh, odd=False),
    "deg": lambda value: value * 180 / math.pi,
    "exp": _exp,
    "floor": _floor,
    "ln": _logarithm(math.log),
    "log10": _logarithm(math.log10),
    "log2": _logarithm(math.log2),
    "rad": lambda value: value * math.pi / 180,
    "sgn": _sgn,
    "sin": _total(math.sin),
    "sinh": _hyperbolic(math.sinh, odd=True),
    "sqrt": _total(math.sqrt),
    "tan": _total(math.tan),
    "tanh": math.tanh,
}


def greater(one: float, other: float) -> float:
    """Return the greater of two as Go's math.Max: +Inf beats NaN, NaN beats the rest."""
    if math.inf in (one, other):
        return math.inf
    return math.nan if one != one or other != other else max(one, other)


def lesser(one: float, other: float) -> float:
    """Return the lesser of two as Go's math.Min: -Inf beats NaN, NaN beats the rest."""
    return -greater(-one, -other)


DatePart = Callable[[datetime], int]

DATE_FUNCTIONS: Final[dict[str, DatePart]] = {
    "day_of_month": lambda when: when.day,
    "day_of_week": lambda when: when.isoweekday() % 7,
    "day_of_year": lambda when: when.timetuple().tm_yday,
    "days_in_month": lambda when: monthrange(when.year, when.month)[1],
    "hour": lambda when: when.hour,
    "minute": lambda when: when.minute,
    "month": lambda when: when.month,
    "year": lambda when: when.year,
}

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# 400 Gregorian years are a whole number of days and weeks, so the calendar repeats exactly.
_CYCLE_SECONDS: Final = 146_097 * 86_400


def date_part(part: DatePart, name: str, seconds: float) -> float:
    """Return the part of the date (UTC) at a Unix time; NaN has none, far years are reckoned."""
    if not math.isfinite(seconds):
        return math.nan
    whole = math.trunc(seconds)
    cycles, rest = divmod(whole, _CYCLE_SECONDS)
    value = part(_EPOCH + timedelta(seconds=rest))
    return float(value + 400 * cycles) if name == "year" else float(value)
