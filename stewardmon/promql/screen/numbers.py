"""Bounds of the functions from one number to one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from stewardmon.promql.scalars import NUMBER_FUNCTIONS
from stewardmon.promql.screen.bounds import UNKNOWN, Bounds, known, widened
from stewardmon.promql.screen.elements import Elements, Possible, UndecidedError

_RISING: Final = frozenset({"ceil", "deg", "exp", "floor", "rad", "sgn", "sqrt"})
_LOGARITHMS: Final = frozenset({"ln", "log10", "log2"})


def mapped(name: str, elements: Elements, numbers: Sequence[Bounds]) -> Elements:
    """Return what a function comes to; its other arguments are `numbers`."""
    change = _clamped(name, numbers) if name.startswith("clamp") else _CHANGES.get(name)
    if change is None:
        change = _risen(name)
    if name == "round":
        change = _rounded(numbers[0] if numbers else (1.0, 1.0))
    return [Possible(one.labels.nameless, change(one.bounds), one.sure) for one in elements]


def _risen(name: str) -> Callable[[Bounds], Bounds]:
    function = NUMBER_FUNCTIONS.get(name)
    lowest = 0.0 if name == "sqrt" else -math.inf
    if function is None or not (name in _RISING or name in _LOGARITHMS):
        return lambda _: UNKNOWN

    def change(bounds: Bounds) -> Bounds:
        low, high = bounds
        if not known(bounds) or low < lowest or (name in _LOGARITHMS and low <= 0.0):
            return UNKNOWN
        ends = function(low), function(high)
        return widened(*ends, max(map(abs, ends))) if name not in _EXACT else ends

    return change


_EXACT: Final = frozenset({"ceil", "floor", "sgn"})


def _absolute(bounds: Bounds) -> Bounds:
    if not known(bounds):
        return UNKNOWN
    low, high = sorted(map(abs, bounds))
    return (0.0 if bounds[0] < 0.0 < bounds[1] else low), high


def _rounded(nearest: Bounds) -> Callable[[Bounds], Bounds]:
    if not known(nearest) or nearest[0] != nearest[1] or nearest[0] <= 0.0:
        return lambda _: UNKNOWN
    step = nearest[0]

    def change(bounds: Bounds) -> Bounds:
        if not known(bounds):
            return UNKNOWN
        return widened(bounds[0] - step, bounds[1] + step, max(map(abs, bounds)))

    return change


def _clamped(name: str, numbers: Sequence[Bounds]) -> Callable[[Bounds], Bounds]:
    """Return clamp's change. Raises UndecidedError where its ends are no plain numbers."""
    if not all(known(one) and one[0] == one[1] for one in numbers):
        raise UndecidedError
    least = -math.inf if name == "clamp_max" else numbers[0][0]
    most = math.inf if name == "clamp_min" else numbers[-1][0]
    if most < least:
        raise UndecidedError

    def change(bounds: Bounds) -> Bounds:
        if not known(bounds):
            return UNKNOWN
        return min(most, max(least, bounds[0])), min(most, max(least, bounds[1]))

    return change


_CHANGES: Final[dict[str, Callable[[Bounds], Bounds]]] = {"abs": _absolute}
