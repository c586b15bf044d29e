"""The walk over an expression's tree that tells its bounds over a span of instants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from stewardmon.domain.labels import Labels
from stewardmon.promql import aggregate, binary, functions
from stewardmon.promql.compile import relabelling
from stewardmon.promql.frame import SeriesSource
from stewardmon.promql.nodes import (
    COMPARISONS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
    unwrapped,
)
from stewardmon.promql.plan import LOOKBACK_MS, Plan
from stewardmon.promql.ranges import RANGE_FUNCTIONS
from stewardmon.promql.screen import elements as vectors
from stewardmon.promql.screen.bounds import (
    UNKNOWN,
    Bounds,
    answered,
    calculated,
    known,
)
from stewardmon.promql.screen.elements import Elements, Possible, UndecidedError, distinct, nameless
from stewardmon.promql.screen.ground import Ground
from stewardmon.promql.screen.numbers import mapped
from stewardmon.promql.screen.over import instant, over_time, reach, surely
from stewardmon.promql.typecheck import type_of
from stewardmon.promql.windows import KEEPS_NAME


class Span(NamedTuple):
    """Instants from one to another, in Unix milliseconds, both included."""

    first_ms: int
    last_ms: int

    def moved(self, offset_ms: int) -> Span:
        """Return what an offset looks at instead."""
        return Span(self.first_ms - offset_ms, self.last_ms - offset_ms)


class Screen:
    """Says where plans may have a result over a store, with default settings of the engine.

    While it is asked nothing may be added to the series that the plans select; after that, `renew`.
    """

    def __init__(self, store: SeriesSource, *, lookback_ms: int = LOOKBACK_MS) -> None:
        self._ground = Ground(store, lookback_ms)

    def renew(self) -> None:
        """Say that series have come, gone or grown."""
        self._ground.renew()

    def may(self, planned: Plan, first_ms: int, last_ms: int) -> bool:
        """Say whether the result may hold anything, or fail, at any instant in between."""
        try:
            return bool(self.possible(planned, first_ms, last_ms))
        except UndecidedError:
            return True

    def must(self, planned: Plan, first_ms: int, last_ms: int) -> bool:
        """Say whether the result holds something at each instant in between."""
        try:
            return any(one.sure for one in self.possible(planned, first_ms, last_ms))
        except UndecidedError:
            return False

    def possible(self, planned: Plan, first_ms: int, last_ms: int) -> Elements:
        """Return every element that the result may hold. Raises UndecidedError for no saying."""
        if planned.value_type is not ValueType.VECTOR:
            raise UndecidedError
        return _Walk(self._ground, Span(first_ms, last_ms)).vector(planned.tree)


class _Walk:
    """One span's walk."""

    def __init__(self, ground: Ground, span: Span) -> None:
        self._ground = ground
        self._span = span

    def vector(self, expr: Expr) -> Elements:
        """Return the elements that an instant vector may have."""
        match expr:
            case Paren(expr=inner) | Unary(op="+", expr=inner):
                return self.vector(inner)
            case VectorSelector():
                return self._instant(expr)
            case Unary(expr=inner):
                found = nameless(self.vector(inner))
                return distinct([one._replace(bounds=_negated(one.bounds)) for one in found])
            case Binary():
                return self._binary(expr)
            case Call(name=name) if name in RANGE_FUNCTIONS:
                return distinct(self._over_time(expr))
            case Call():
                return distinct(self._call(expr))
            case Aggregate():
                return self._aggregate(expr)
            case _:
                raise UndecidedError

    def number(self, expr: Expr) -> Bounds:
        """Return the bounds of a number."""
        match expr:
            case NumberLiteral(value=value):
                return (value, value) if value == value else UNKNOWN
            case Paren(expr=inner) | Unary(op="+", expr=inner):
                return self.number(inner)
            case Unary(expr=inner):
                return _negated(self.number(inner))
            case Binary(op=op, left=left, right=right):
                compare = answered if op in COMPARISONS else calculated
                return compare(op, self.number(left), self.number(right))
            case Call(name="time"):
                return self._span.first_ms / 1000, self._span.last_ms / 1000
            case Call(name="scalar", args=(inner,)):
                found = self.vector(inner)
                return found[0].bounds if len(found) == 1 and found[0].sure else UNKNOWN
            case _:
                return UNKNOWN

    def _moved(self, node: VectorSelector | Subquery) -> Span:
        if node.fixed_ms is not None or node.edge is not None:
            raise UndecidedError
        return self._span.moved(node.offset_ms)

    def _instant(self, selector: VectorSelector) -> Elements:
        span, lookback = self._moved(selector), self._ground.lookback_ms
        found: Elements = []
        for digest in self._ground.digests(selector):
            seen = instant(digest, span.first_ms, span.last_ms, lookback)
            if seen is not None:
                found.append(Possible(digest.series.labels, *seen))
        return found

    def _over_time(self, call: Call) -> Elements:
        ranged, argument = self._arguments(call)
        keeps = call.name in KEEPS_NAME
        if isinstance(ranged, Subquery):
            inner = self._inner(ranged)
            bounds = {one.labels: one.bounds if call.name in _OF_SAME else UNKNOWN for one in inner}
            found = [Possible(labels, bound, sure=False) for labels, bound in bounds.items()]
            return found if keeps else nameless(found)
        if not isinstance(ranged, MatrixSelector):
            raise UndecidedError
        span = self._moved(ranged.vector)
        found = []
        for digest in self._ground.digests(ranged.vector):
            seen = reach(digest, span.first_ms, span.last_ms, ranged.range_ms)
            sure = None if seen is None else surely(call.name, seen, span.last_ms)
            if seen is None or sure is None:
                continue
            labels = digest.series.labels if keeps else digest.series.labels.nameless
            found.append(Possible(labels, over_time(call.name, seen, argument), sure))
        return found

    def _arguments(self, call: Call) -> tuple[Expr, Bounds]:
        """Return the range vector and the bounds of the number beside it."""
        ranged = next(arg for arg in call.args if type_of(arg) is ValueType.MATRIX)
        others = [arg for arg in call.args if arg is not ranged]
        return unwrapped(ranged), self.number(others[0]) if others else UNKNOWN

    def _inner(self, node: Subquery) -> Elements:
        span = self._moved(node)
        # The steps that any of the windows sees.
        wide = Span(span.first_ms - node.range_ms, span.last_ms)
        return _Walk(self._ground, wide).vector(node.expr)

    def _binary(self, expr: Binary) -> Elements:
        operation = vectors.Operation(expr.op, expr.returns_bool)
        left_type, right_type = type_of(expr.left), type_of(expr.right)
        if left_type is not right_type:
            swapped = left_type is ValueType.SCALAR
            vector, number = (expr.right, expr.left) if swapped else (expr.left, expr.right)
            return distinct(
                operation.with_number(self.vector(vector), self.number(number), swapped=swapped)
            )
        left, right = self.vector(expr.left), self.vector(expr.right)
        group_of = self._ground.once(expr, lambda: binary.signature(expr.matching))
        if expr.op in SETS:
            return vectors.together(expr.op, left, right, group_of)
        return distinct(operation.between(left, right, expr.matching, group_of))

    def _aggregate(self, expr: Aggregate) -> Elements:
        found = self.vector(expr.expr)
        group_of = self._ground.once(
            expr, lambda: aggregate.grouping(expr.grouping, without=expr.without)
        )
        if expr.param is None:
            return vectors.reduced(expr.op, found, group_of)
        if expr.op == "count_values":
            raise UndecidedError
        param = self.number(expr.param)
        if expr.op == "quantile":
            return [
                Possible(labels, vectors.quantile(members, param), any(m.sure for m in members))
                for labels, members in vectors.grouped(found, group_of).items()
            ]
        if not known(param):
            raise UndecidedError  # topk of no number fails
        return [one._replace(sure=False) for one in found]

    def _call(self, call: Call) -> Elements:
        name, args = call.name, call.args
        match name:
            case "vector":
                return [Possible(Labels(), self.number(args[0]), sure=True)]
            case "absent":
                return self._absent(self.vector(args[0]), unwrapped(args[0]))
            case "absent_over_time":
                return self._absent_over_time(call)
            case "label_replace" | "label_join":
                change = self._ground.once(call, lambda: relabelling(call))
                found = self.vector(args[0])
                return [one._replace(labels=change(one.labels)) for one in found]
            case "sort" | "sort_desc":
                return self.vector(args[0])
            case "timestamp":
                return self._timestamps(args[0])
            case _ if not args or name.startswith("histogram_"):
                raise UndecidedError
            case _:
                numbers = [self.number(arg) for arg in args[1:]]
                return mapped(name, self.vector(args[0]), numbers)

    def _absent(self, found: Iterable[Possible], argument: Expr) -> Elements:
        found = list(found)
        if any(one.sure for one in found):
            return []
        return [Possible(functions.absent_labels(argument), (1.0, 1.0), sure=not found)]

    def _absent_over_time(self, call: Call) -> Elements:
        present = Call(at=call.at, name="present_over_time", args=call.args)
        return self._absent(self._over_time(present), unwrapped(call.args[0]))

    def _timestamps(self, argument: Expr) -> Elements:
        found = nameless(self.vector(argument))
        newest = self._span.last_ms / 1000
        oldest = self._span.first_ms / 1000
        if isinstance(argument, VectorSelector):
            span = self._moved(argument)
            newest = span.last_ms / 1000
            oldest = (span.first_ms - self._ground.lookback_ms) / 1000
        return [one._replace(bounds=(oldest, newest)) for one in found]


_OF_SAME: Final = frozenset({"first_over_time", "last_over_time", "max_over_time", "min_over_time"})
"""What gives, over a subquery, one of the inner expression's own values."""


def _negated(bounds: Bounds) -> Bounds:
    return -bounds[1], -bounds[0]
