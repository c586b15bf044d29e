"""How far back an expression may look: past what is kept it would read nothing, for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from stewardmon.domain.quantity import format_duration
from stewardmon.errors import ExpressionError
from stewardmon.promql.nodes import (
    Expr,
    MatrixSelector,
    Subquery,
    VectorSelector,
    children,
)
from stewardmon.promql.plan import Plan

_MS: Final = timedelta(milliseconds=1)


def check_horizon(planned: Plan, longest: timedelta) -> None:
    """Raise ExpressionError where a range, subquery or offset leads further than `longest`.

    Each is held against it by itself, and those that lie within each other together. An offset
    into the future counts as one into the past; `@` does not count.
    """
    _check(planned.tree, 0, longest // _MS)


def _check(expr: Expr, before_ms: int, longest_ms: int) -> None:
    """Check an expression whose instants lie up to `before_ms` before the rule's."""
    match expr:
        case MatrixSelector(vector=vector, range_ms=range_ms):
            _hold(expr, _before(vector, before_ms, range_ms), range_ms, longest_ms)
            _hold(vector, 0, abs(vector.offset_ms), longest_ms)
        case Subquery(expr=inner, range_ms=range_ms):
            reached_ms = _before(expr, before_ms, range_ms)
            _hold(expr, reached_ms, max(range_ms, abs(expr.offset_ms)), longest_ms)
            _check(inner, reached_ms, longest_ms)
        case VectorSelector():
            _hold(expr, _before(expr, before_ms, 0), abs(expr.offset_ms), longest_ms)
        case _:
            for part in children(expr):
                _check(part, before_ms, longest_ms)


def _before(expr: VectorSelector | Subquery, before_ms: int, range_ms: int) -> int:
    if expr.fixed_ms is not None:
        return range_ms
    return before_ms + range_ms + expr.offset_ms


def _hold(expr: Expr, reached_ms: int, own_ms: int, longest_ms: int) -> None:
    """Raise ExpressionError where what is written, or what it leads to, is too far away."""
    length_ms = max(reached_ms, own_ms)
    if length_ms > longest_ms:
        raise ExpressionError(
            f"{format_duration(length_ms * _MS)} is further back than history is kept: at most "
            f"{format_duration(longest_ms * _MS)}",
            column=expr.at + 1,
        )
