"""Arithmetic as Prometheus does it: compensated sums, Go's operators, quantiles, number texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

_INFINITY = math.inf


def add_exactly(value: float, total: float, rest: float) -> tuple[float, float]:
    """Add a value to a compensated sum; return the new sum and what rounding lost so far.

    Neumaier's variant of Kahan summation (Neumaier 1974), as Prometheus uses it since 2.53.
    """
    new = total + value
    if new in (_INFINITY, -_INFINITY):
        return new, 0.0
    if abs(total) >= abs(value):
        return new, rest + ((total - new) + value)
    return new, rest + ((value - new) + total)


def sum_of(values: Sequence[float]) -> float:
    """Return the compensated sum."""
    total = rest = 0.0
    for value in values:
        total, rest = add_exactly(value, total, rest)
    return total if math.isinf(total) else total + rest


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of at least one value; where the sum overflows, it is taken step by step."""
    total, rest, mean, stepwise = values[0], 0.0, 0.0, False
    count = 1.0
    for count, value in enumerate(values[1:], 2):
        if not stepwise:
            new, lost = add_exactly(value, total, rest)
            if not math.isinf(new):
                total, rest = new, lost
                continue
            stepwise = True
            mean = total / (count - 1)
            rest /= count - 1
        share = (count - 1) / count
        mean, rest = add_exactly(value / count, share * mean, share * rest)
    return mean + rest if stepwise else total / count + rest / count


def variance_of(values: Sequence[float]) -> float:
    """Return the population variance of at least one value (Welford 1962, compensated)."""
    mean = mean_rest = squares = squares_rest = 0.0
    count = 0
    for count, value in enumerate(values, 1):
        delta = value - (mean + mean_rest)
        mean, mean_rest = add_exactly(delta / count, mean, mean_rest)
        squares, squares_rest = add_exactly(
            delta * (value - (mean + mean_rest)), squares, squares_rest
        )
    return (squares + squares_rest) / count


def quantile_of(share: float, values: Sequence[float]) -> float:
    """Return the quantile of values in any order, interpolated; NaN sorts below every number."""
    numbers = sorted(value for value in values if value == value)
    return sorted_quantile(share, numbers, nans=len(values) - len(numbers))


def sorted_quantile(share: float, numbers: Sequence[float], *, nans: int) -> float:
    """Return the quantile of sorted numbers, before which `nans` times NaN is thought."""
    count = nans + len(numbers)
    if count == 0 or share != share:
        return math.nan
    if share < 0:
        return -math.inf
    if share > 1:
        return math.inf
    rank = share * (count - 1)
    lower = math.floor(rank)
    weight = rank - lower
    upper = min(count - 1, lower + 1)
    if lower < nans:
        return math.nan
    return numbers[lower - nans] * (1 - weight) + numbers[upper - nans] * weight


def divide(left: float, right: float) -> float:
    """Divide as IEEE 754 does: by zero gives an infinity or NaN."""
    try:
        return left / right
    except ZeroDivisionError:
        if left == 0 or left != left:
            return math.nan
        return math.copysign(math.inf, left) * math.copysign(1.0, right)


def modulo(left: float, right: float) -> float:
    """Return the remainder with the sign of the dividend; NaN where there is none."""
    try:
        return math.fmod(left, right)
    except ValueError:
        return math.nan


def power(left: float, right: float) -> float:
    """Raise to a power as C's pow() does, without exceptions."""
    try:
        return math.pow(left, right)
    except OverflowError:
        odd = right == math.floor(right) and math.fmod(right, 2) != 0
        return -math.inf if left < 0 and odd else math.inf
    except ValueError:
        if left == 0:
            odd = right == math.floor(right) and math.fmod(right, 2) != 0
            return math.copysign(math.inf, left) if odd else math.inf
        return math.nan


def format_number(value: float) -> str:
    """Return the shortest decimal text that reads back as the value, without an exponent."""
    if value != value:
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")


def parse_number(text: str) -> float | None:
    """Return the number a bucket's `le` label names, None where it names none."""
    if text != text.strip() or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def nearly(left: float, right: float, tolerance: float) -> bool:
    """Say whether two numbers are equal up to the relative tolerance."""
    if left == right or (left != left and right != right):
        return True
    difference, size = abs(left - right), abs(left) + abs(right)
    smallest = 2.2250738585072014e-308  # the smallest normal number of a double
    if left == 0 or right == 0 or size < smallest:
        return difference < tolerance * smallest
    return difference / min(size, 1.7976931348623157e308) < tolerance
