"""Between what a number lies: arithmetic and comparisons of bounds instead of numbers.

Bounds are two finite numbers between which the value lies, or UNKNOWN: anything, NaN too. Sums,
differences, products and quotients of floats are rounded monotonically, so what their corners give
bounds them without any slack; whatever is computed in another order than the engine's gets some.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

from stewardmon.promql import numbers

Bounds = tuple[float, float]

UNKNOWN: Final[Bounds] = (-math.inf, math.inf)
_SLACK: Final = 1e-12
"""How far, relatively, sums of the same numbers in another order may lie apart."""


def known(bounds: Bounds) -> bool:
    """Say whether the value is a number between two others."""
    low, high = bounds
    return low - low == 0.0 == high - high


def checked(low: float, high: float) -> Bounds:
    """Return the bounds, UNKNOWN where either is no number."""
    return (low, high) if low - low == 0.0 == high - high else UNKNOWN


def widened(low: float, high: float, size: float) -> Bounds:
    """Return the bounds with slack for roundings of numbers up to that size."""
    return checked(low - size * _SLACK, high + size * _SLACK)


def calculated(op: str, left: Bounds, right: Bounds) -> Bounds:
    """Return the bounds of an arithmetic operator's result."""
    if not (known(left) and known(right)):
        return UNKNOWN
    if op == "+":
        return checked(left[0] + right[0], left[1] + right[1])
    if op == "-":
        return checked(left[0] - right[1], left[1] - right[0])
    if op == "*" or (op == "/" and not right[0] <= 0.0 <= right[1]):
        return _corners(_RISING[op], left, right)
    if op == "^" and left[0] > 0.0:
        low, high = _corners(numbers.power, left, right)
        return widened(low, high, max(abs(low), abs(high)))
    return UNKNOWN


_RISING: Final[dict[str, Callable[[float, float], float]]] = {
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
}


def _corners(op: Callable[[float, float], float], left: Bounds, right: Bounds) -> Bounds:
    values = [op(one, other) for one in left for other in right]
    return checked(min(values), max(values))


def may_hold(op: str, left: Bounds, right: Bounds) -> bool:
    """Say whether a comparison can be true."""
    match op:
        case ">":
            return left[1] > right[0]
        case ">=":
            return left[1] >= right[0]
        case "<":
            return left[0] < right[1]
        case "<=":
            return left[0] <= right[1]
        case "==":
            return left[0] <= right[1] and right[0] <= left[1]
        case _:
            return not left[0] == left[1] == right[0] == right[1]


def must_hold(op: str, left: Bounds, right: Bounds) -> bool:
    """Say whether a comparison is true, whatever the values between the bounds."""
    if not (known(left) and known(right)):
        return False
    match op:
        case ">":
            return left[0] > right[1]
        case ">=":
            return left[0] >= right[1]
        case "<":
            return left[1] < right[0]
        case "<=":
            return left[1] <= right[0]
        case "==":
            return left[0] == left[1] == right[0] == right[1]
        case _:
            return left[1] < right[0] or right[1] < left[0]


def kept(op: str, left: Bounds, right: Bounds) -> Bounds:
    """Return the bounds of a left value for which the comparison is true: NaN is not."""
    low, high = left
    if op in {">", ">=", "=="}:
        low = max(low, right[0])
    if op in {"<", "<=", "=="}:
        high = min(high, right[1])
    return checked(low, high)


def answered(op: str, left: Bounds, right: Bounds) -> Bounds:
    """Return the bounds of a comparison with `bool`."""
    low = 1.0 if must_hold(op, left, right) else 0.0
    return low, (1.0 if may_hold(op, left, right) else 0.0)
