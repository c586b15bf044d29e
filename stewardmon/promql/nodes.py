"""The tree of a parsed expression: plain values, each with its place in the text.

`at` is the 0-based offset of the node's first character. Durations and offsets are milliseconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from stewardmon.domain.labels import Matcher


class ValueType(StrEnum):
    """What an expression yields, in the words Prometheus uses for it."""

    SCALAR = "scalar"
    STRING = "string"
    VECTOR = "instant vector"
    MATRIX = "range vector"


class Edge(StrEnum):
    """`@ start()` and `@ end()`: the ends of the query's time range."""

    START = "start"
    END = "end"


class Card(StrEnum):
    """How many elements of each side may share one match group."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


ARITHMETIC: Final = frozenset({"+", "-", "*", "/", "%", "^", "atan2"})
COMPARISONS: Final = frozenset({"==", "!=", ">", "<", ">=", "<="})
SETS: Final = frozenset({"and", "or", "unless"})


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberLiteral:
    """A number, also one written as a duration (`5m` is 300)."""

    at: int
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StringLiteral:
    """A quoted text."""

    at: int
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VectorSelector:
    """The newest sample of each series that meets the matchers, within the lookback."""

    at: int
    name: str
    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    fixed_ms: int | None = None
    edge: Edge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixSelector:
    """The samples of each selected series in the range before the instant."""

    at: int
    vector: VectorSelector
    range_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Subquery:
    """An expression evaluated at every step in the range; `step_ms` 0 means the default."""

    at: int
    expr: Expr
    range_ms: int
    step_ms: int = 0
    offset_ms: int = 0
    fixed_ms: int | None = None
    edge: Edge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Paren:
    """An expression in parentheses."""

    at: int
    expr: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Unary:
    """A sign before an expression."""

    at: int
    op: str
    expr: Expr


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which labels pair the elements of two vectors; `include` are copied from the one side."""

    card: Card = Card.ONE_TO_ONE
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    written: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """Two expressions and an operator; `op_at` is the operator's offset."""

    at: int
    op: str
    op_at: int
    left: Expr
    right: Expr
    returns_bool: bool = False
    matching: Matching = field(default_factory=Matching)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A function and its arguments."""

    at: int
    name: str
    args: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """An aggregation; `without` says whether `grouping` names the labels dropped or kept."""

    at: int
    op: str
    expr: Expr
    param: Expr | None
    grouping: tuple[str, ...]
    without: bool


Expr = (
    NumberLiteral
    | StringLiteral
    | VectorSelector
    | MatrixSelector
    | Subquery
    | Paren
    | Unary
    | Binary
    | Call
    | Aggregate
)


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the expressions directly inside `expr`, left to right."""
    match expr:
        case NumberLiteral() | StringLiteral() | VectorSelector():
            return ()
        case MatrixSelector(vector=vector):
            return (vector,)
        case Subquery(expr=inner) | Paren(expr=inner) | Unary(expr=inner):
            return (inner,)
        case Binary(left=left, right=right):
            return (left, right)
        case Call(args=args):
            return args
        case Aggregate(expr=inner, param=param):
            return (inner,) if param is None else (param, inner)


def unwrapped(expr: Expr) -> Expr:
    """Return the expression without the parentheses around it."""
    while isinstance(expr, Paren):
        expr = expr.expr
    return expr
