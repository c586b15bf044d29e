"""A plan: an expression read, checked and compiled once, evaluated as often as one likes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from stewardmon.domain.labels import Labels, Matcher, Op, metric_name
from stewardmon.errors import ExpressionError
from stewardmon.promql.compile import Compiler
from stewardmon.promql.frame import Frame
from stewardmon.promql.nodes import (
    COMPARISONS,
    SETS,
    Binary,
    Call,
    Edge,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
    children,
    unwrapped,
)
from stewardmon.promql.parser import parse
from stewardmon.promql.typecheck import type_of

LOOKBACK_MS: Final = 300_000
"""How old the newest sample of a series may be, Prometheus' default."""

_FROM_NOTHING: Final = frozenset({"absent", "absent_over_time", "vector"})
_NUMBERS: Final = frozenset({"time", "pi"})  # scalars: beside an empty vector they give nothing

# Functions whose result has one element for each series, with its labels.
_ONE_TO_ONE: Final = frozenset({
    "abs", "avg_over_time", "ceil", "changes", "clamp", "clamp_max", "clamp_min",
    "count_over_time", "delta", "deriv", "exp", "floor", "idelta", "increase", "irate",
    "last_over_time", "max_over_time", "min_over_time", "present_over_time",
    "quantile_over_time", "rate", "resets", "round", "sqrt", "stddev_over_time", "sum_over_time",
})  # fmt: skip

Evaluation = Callable[[Frame], object]


@dataclass(frozen=True, slots=True)
class Plan:
    """An expression ready to evaluate.

    `selectors` are the matchers of each selector in it, `reaches` how far before the instant each
    of them can look, in milliseconds: ranges, subqueries, offsets and the lookback (a selector
    with `@` looks at a fixed time and reaches nowhere). `sources` are the metrics without any of
    which the result is empty; None where it may hold something all the same: `absent(m)`,
    `vector(1)`, `hour()`, a number, or a selector that names no metric.
    """

    text: str
    tree: Expr = field(repr=False)
    value_type: ValueType
    selectors: tuple[tuple[Matcher, ...], ...]
    reaches: tuple[int, ...]
    sources: frozenset[str] | None
    evaluation: Evaluation = field(repr=False, compare=False)

    @property
    def longest_range_ms(self) -> int:
        """Return how far before its instant the expression can look."""
        return max(self.reaches, default=0)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A comparison with a number: what is measured, the operator, the number."""

    subject: str
    operator: str
    number: float


def plan(text: str) -> Plan:
    """Read, check and compile an expression.

    Raises ExpressionError: one clear sentence, with the column of the mistake in the text.
    """
    return _planned(text, parse(text))


def narrowed(planned: Plan, labels: Labels) -> Plan:
    """Return the plan for the one element of the result that has these labels, where that is less.

    An element that comes of one series has the series' labels: the others need not be read. The
    plan is returned as it is where elements come of several, or get other labels.
    """
    wanted = tuple(Matcher(name, Op.EQUAL, value) for name, value in labels.pairs)
    tree = _narrowed(planned.tree, wanted)
    return planned if tree is None else _planned(planned.text, tree)


def _narrowed(expr: Expr, wanted: tuple[Matcher, ...]) -> Expr | None:
    match expr:
        case VectorSelector():
            return replace(expr, matchers=(*expr.matchers, *wanted))
        case MatrixSelector(vector=vector):
            return replace(expr, vector=replace(vector, matchers=(*vector.matchers, *wanted)))
        case Paren(expr=inner) | Unary(expr=inner):
            less = _narrowed(inner, wanted)
            return None if less is None else replace(expr, expr=less)
        case Binary(left=left, right=right) if isinstance(unwrapped(right), NumberLiteral):
            less = _narrowed(left, wanted)
            return None if less is None else replace(expr, left=less)
        case Binary(left=left, right=right) if isinstance(unwrapped(left), NumberLiteral):
            less = _narrowed(right, wanted)
            return None if less is None else replace(expr, right=less)
        case Call(name=name, args=args) if name in _ONE_TO_ONE:
            parts = [_narrowed(one, wanted) or one for one in args]
            return replace(expr, args=tuple(parts))
        case _:
            return None


def _planned(text: str, tree: Expr) -> Plan:
    value_type = type_of(tree)
    found = tuple(_selectors(tree))
    return Plan(
        text=text,
        tree=tree,
        value_type=value_type,
        selectors=tuple(selector.matchers for selector, _ in found),
        reaches=tuple(reach for _, reach in found),
        sources=_sources(tree, value_type),
        evaluation=_evaluation(tree, value_type),
    )


def threshold(planned: Plan) -> Threshold | None:
    """Return the first comparison of a vector with a number, looked for through and/or/unless.

    A number on the left is turned around: `5 < x` reads as x > 5. None where there is none.
    """
    return _threshold(planned.tree, planned.text)


_MIRRORED: Final = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


def _threshold(expr: Expr, text: str) -> Threshold | None:
    expr = unwrapped(expr)
    if not isinstance(expr, Binary):
        return None
    if expr.op in SETS:
        return _threshold(expr.left, text) or _threshold(expr.right, text)
    if expr.op not in COMPARISONS:
        return None
    left, right = _constant(expr.left), _constant(expr.right)
    if right is not None and left is None:
        return Threshold(text[expr.at : expr.op_at].strip(), expr.op, right)
    if left is not None and right is None:
        return Threshold(_right_text(expr, text), _MIRRORED[expr.op], left)
    return None


def _constant(expr: Expr) -> float | None:
    """Return the number an expression always has, where it is built of literals alone."""
    expr = unwrapped(expr)
    if isinstance(expr, NumberLiteral):
        return expr.value
    inner = children(expr)
    if not isinstance(expr, Unary | Binary) or any(_constant(part) is None for part in inner):
        return None
    frame: object = None
    return Compiler().scalar(expr)(frame)  # type: ignore[arg-type]  # constants look at no frame


def _right_text(expr: Binary, text: str) -> str:
    """Return the text of the right side: up to the end, less brackets that close further out."""
    tail = text[expr.right.at :]
    depth = 0
    for index, char in enumerate(tail):
        depth += (char in "([{") - (char in ")]}")
        if depth < 0:
            return tail[:index].strip()
    return tail.strip()


def _evaluation(tree: Expr, value_type: ValueType) -> Evaluation:
    compiler = Compiler()
    match value_type:
        case ValueType.VECTOR:
            return compiler.vector(tree)
        case ValueType.SCALAR:
            return compiler.scalar(tree)
        case ValueType.STRING:
            return compiler.string(tree)
        case ValueType.MATRIX:
            return compiler.ranged(tree)


def _selectors(expr: Expr, before_ms: int = 0) -> Iterator[tuple[VectorSelector, int]]:
    """Yield every selector, and how far it looks before an instant that lies `before_ms` back."""
    match expr:
        case VectorSelector():
            yield expr, _reach(expr, LOOKBACK_MS, before_ms)
        case MatrixSelector(vector=vector, range_ms=range_ms):
            yield vector, _reach(vector, range_ms, before_ms)
        case Subquery(expr=inner, range_ms=range_ms):
            if expr.fixed_ms is not None:
                yield from ((selector, 0) for selector, _ in _selectors(inner))
            else:
                yield from _selectors(inner, max(0, before_ms + range_ms + expr.offset_ms))
        case _:
            for part in children(expr):
                yield from _selectors(part, before_ms)


def span_of(planned: Plan, start_ms: int, end_ms: int) -> tuple[int, int]:
    """Return the first and the last instant that a query from start to end can look at.

    Offsets, `@` and subqueries count, wherever they lead: also past the query's end.
    """
    spans = list(_spans(planned.tree, (start_ms, end_ms), (start_ms, end_ms)))
    return (
        min((first for first, _ in spans), default=start_ms),
        max((last for _, last in spans), default=end_ms),
    )


Span = tuple[int, int]


def _spans(expr: Expr, at: Span, query: Span) -> Iterator[Span]:
    match expr:
        case VectorSelector():
            first, last = _moved(expr, at, query)
            yield first - LOOKBACK_MS, last
        case MatrixSelector(vector=vector, range_ms=range_ms):
            first, last = _moved(vector, at, query)
            yield first - range_ms, last
        case Subquery(expr=inner, range_ms=range_ms):
            first, last = _moved(expr, at, query)
            yield from _spans(inner, (first - range_ms, last), query)
        case _:
            for part in children(expr):
                yield from _spans(part, at, query)


def _moved(selector: VectorSelector | Subquery, at: Span, query: Span) -> Span:
    """Return the instants that a selector looks at, offset and @ applied."""
    offset = selector.offset_ms
    if selector.fixed_ms is not None:
        at = (selector.fixed_ms, selector.fixed_ms)
    elif selector.edge is not None:
        edge = query[0] if selector.edge is Edge.START else query[1]
        at = (edge, edge)
    return at[0] - offset, at[1] - offset


def _sources(tree: Expr, value_type: ValueType) -> frozenset[str] | None:
    names = frozenset(metric_name(selector.matchers) for selector, _ in _selectors(tree))
    scalar = value_type is not ValueType.VECTOR
    return None if scalar or "" in names or _speaks_of_itself(tree) else names


def _speaks_of_itself(expr: Expr) -> bool:
    """Say whether some call makes a vector out of no vector, or out of an empty one."""
    if isinstance(expr, Call) and (not expr.args or expr.name in _FROM_NOTHING):
        return expr.name not in _NUMBERS
    return any(_speaks_of_itself(part) for part in children(expr))


def _reach(selector: VectorSelector, length_ms: int, before_ms: int) -> int:
    if selector.fixed_ms is not None:
        return 0
    return max(0, before_ms + length_ms + selector.offset_ms)


def check_range(planned: Plan) -> None:
    """Raise ExpressionError where the expression cannot be evaluated over a range of time."""
    if planned.value_type not in {ValueType.SCALAR, ValueType.VECTOR}:
        raise ExpressionError(
            f'invalid expression type "{planned.value_type}" for range query, must be scalar or '
            "instant vector"
        )
