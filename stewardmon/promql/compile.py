"""The tree to closures: done once per plan, so that an evaluation walks no tree."""

from __future__ import annotations

import math
from typing import Final

from stewardmon.promql import aggregate, binary, functions, histogram, scalars, select
from stewardmon.promql.frame import Doomed, Frame, ScalarNode, StringNode, VectorNode
from stewardmon.promql.nodes import (
    SETS,
    Aggregate,
    Binary,
    Call,
    Expr,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    ValueType,
    VectorSelector,
    children,
    unwrapped,
)
from stewardmon.promql.overtime import RangeCall, question_of
from stewardmon.promql.ranges import RANGE_FUNCTIONS
from stewardmon.promql.results import Elements
from stewardmon.promql.select import RangeNode
from stewardmon.promql.subquery import subquery
from stewardmon.promql.typecheck import type_of
from stewardmon.promql.uniqueness import check_unique, unique

_OWN_TIME: Final = frozenset({"predict_linear", "time", "timestamp", *scalars.DATE_FUNCTIONS})
"""Functions whose value depends on the evaluation's time even over a fixed selector."""


class Compiler:
    """Turns one checked tree into closures; nodes get numbers to keep their state apart."""

    def __init__(self) -> None:
        self._numbers = 0

    def vector(self, expr: Expr) -> VectorNode:
        """Return the evaluation of an expression that yields an instant vector."""
        node = self._vector(expr)
        if steady(expr) and not isinstance(unwrapped(expr), VectorSelector):
            return _once(node, self._number())
        return node

    def _vector(self, expr: Expr) -> VectorNode:
        match expr:
            case Paren(expr=inner):
                return self.vector(inner)
            case VectorSelector():
                return select.instant_vector(expr)
            case Unary(op="-", expr=inner):
                return unique(functions.mapped(self.vector(inner), _negated))
            case Unary(expr=inner):
                return self.vector(inner)
            case Binary():
                return self._binary(expr)
            case Call():
                return self._call(expr)
            case Aggregate():
                return self._aggregate(expr)
            case _:
                raise TypeError(f"{type(expr).__name__} yields no instant vector")

    def scalar(self, expr: Expr) -> ScalarNode:
        """Return the evaluation of an expression that yields a number."""
        match expr:
            case NumberLiteral(value=value):
                return lambda _: value
            case Paren(expr=inner):
                return self.scalar(inner)
            case Unary(op=op, expr=inner):
                number = self.scalar(inner)
                return (lambda frame: -number(frame)) if op == "-" else number
            case Binary(op=op, left=left, right=right):
                return binary.scalars(op, self.scalar(left), self.scalar(right))
            case Call(name="time"):
                return lambda frame: frame.at_ms / 1000
            case Call(name="pi"):
                return _constantly(math.pi)
            case Call(name="scalar", args=(inner,)):
                return functions.scalar_of(self.vector(inner))
            case _:
                raise TypeError(f"{type(expr).__name__} yields no number")

    def string(self, expr: Expr) -> StringNode:
        """Return the evaluation of an expression that yields a text."""
        text = _text(expr)
        return lambda _: text

    def ranged(self, expr: Expr) -> RangeNode:
        """Return the evaluation of an expression that yields a range vector."""
        match expr:
            case Paren(expr=inner):
                return self.ranged(inner)
            case MatrixSelector():
                return select.range_vector(expr)
            case Subquery(expr=inner):
                return subquery(expr, self.vector(inner), self._number())
            case _:
                raise TypeError(f"{type(expr).__name__} yields no range vector")

    def _number(self) -> int:
        self._numbers += 1
        return self._numbers

    def _binary(self, expr: Binary) -> VectorNode:
        if expr.op in SETS:
            left, right = self.vector(expr.left), self.vector(expr.right)
            return unique(binary.sets(expr.op, left, right, expr.matching))
        left_type, right_type = type_of(expr.left), type_of(expr.right)
        if left_type is right_type:
            operation = binary.VectorOperation(
                expr.op,
                self.vector(expr.left),
                self.vector(expr.right),
                expr.matching,
                returns_bool=expr.returns_bool,
            )
            return unique(operation)
        swapped = left_type is ValueType.SCALAR
        vector, scalar = (expr.right, expr.left) if swapped else (expr.left, expr.right)
        return unique(
            binary.with_scalar(
                expr.op,
                self.vector(vector),
                self.scalar(scalar),
                swapped=swapped,
                returns_bool=expr.returns_bool,
            )
        )

    def _aggregate(self, expr: Aggregate) -> VectorNode:
        vector = self.vector(expr.expr)
        group_of = aggregate.grouping(expr.grouping, without=expr.without)
        param = expr.param
        if param is None:
            return aggregate.reduced(expr.op, vector, group_of)
        if expr.op == "count_values":
            return aggregate.counted_values(
                vector, _text(param), expr.grouping, without=expr.without
            )
        if expr.op == "quantile":
            return aggregate.quantile(vector, group_of, self.scalar(param), param.at)
        return aggregate.ranked(vector, group_of, self.scalar(param), largest=expr.op == "topk")

    def _call(self, expr: Call) -> VectorNode:
        if expr.name in RANGE_FUNCTIONS:
            return self._over_time(expr)
        return unique(self._plain_call(expr))

    def _plain_call(self, expr: Call) -> VectorNode:
        name, args = expr.name, expr.args
        if name in scalars.DATE_FUNCTIONS:
            return functions.dated(name, self.vector(args[0]) if args else None)
        if name == "vector":
            return functions.vector_of(self.scalar(args[0]))
        if name == "absent_over_time":
            return self._absent_over_time(expr)
        if name.startswith("histogram_"):
            return self._histogram(expr)
        if name == "timestamp":
            return functions.mapped(self._timestamps(args[0]), _same)
        vector = self.vector(args[0])
        if name in scalars.NUMBER_FUNCTIONS:
            return functions.mapped(vector, scalars.NUMBER_FUNCTIONS[name])
        return self._reshaped(expr, vector)

    def _reshaped(self, expr: Call, vector: VectorNode) -> VectorNode:
        name, args = expr.name, expr.args
        match name:
            case "absent":
                return functions.absent(vector, unwrapped(args[0]))
            case "sort" | "sort_desc":
                return functions.ordered(vector, expr.at, descending=name == "sort_desc")
            case "round":
                nearest = self.scalar(args[1]) if len(args) > 1 else _constantly(1.0)
                return functions.rounded(vector, nearest)
            case "clamp" | "clamp_min" | "clamp_max":
                low = _constantly(-math.inf) if name == "clamp_max" else self.scalar(args[1])
                high = _constantly(math.inf) if name == "clamp_min" else self.scalar(args[-1])
                return functions.clamped(vector, low, high)
            case _:
                return functions.relabelled(vector, relabelling(expr))

    def _histogram(self, expr: Call) -> VectorNode:
        args = expr.args
        match expr.name:
            case "histogram_quantile":
                share, vector = self.scalar(args[0]), self.vector(args[1])
                return histogram.quantile_node(share, vector, args[0].at, args[1].at)
            case "histogram_fraction":
                low, high = self.scalar(args[0]), self.scalar(args[1])
                return histogram.fraction_node(low, high, self.vector(args[2]), args[2].at)
            case _:
                # The others read native histograms only: plain numbers give no result.
                vector = self.vector(args[0])
                return lambda frame: vector(frame)[:0]

    def _timestamps(self, argument: Expr) -> VectorNode:
        """Return samples' own times for a bare selector, the evaluation's time for the rest."""
        if isinstance(argument, VectorSelector):
            return select.sample_times(argument)
        vector = self.vector(argument)
        return lambda frame: [(labels, frame.at_ms / 1000) for labels, _ in vector(frame)]

    def _absent_over_time(self, expr: Call) -> VectorNode:
        present = RangeCall(
            "present_over_time",
            self.ranged(expr.args[0]),
            None,
            question=question_of("present_over_time", unwrapped(expr.args[0])),
            places=(0, 0),
        )
        labels = functions.absent_labels(unwrapped(expr.args[0]))
        return lambda frame: [] if present(frame, check=False) else [(labels, 1.0)]

    def _over_time(self, expr: Call) -> VectorNode:
        at = next(i for i, arg in enumerate(expr.args) if type_of(arg) is ValueType.MATRIX)
        others = [arg for i, arg in enumerate(expr.args) if i != at]
        argument = self.scalar(others[0]) if others else None
        ranged = expr.args[at]
        return RangeCall(
            expr.name,
            self.ranged(ranged),
            argument,
            question=question_of(expr.name, unwrapped(ranged)),
            places=(others[0].at if others else 0, ranged.at),
        )


def relabelling(expr: Call) -> functions.Change:
    """Return what label_replace or label_join does to labels."""
    change = functions.replacing if expr.name == "label_replace" else functions.joining
    return change(*map(_text, expr.args[1:]))


def settled(elements: Elements) -> Elements:
    """Return a query's final elements: pending names dropped, labels unique."""
    found = [
        (labels.nameless if isinstance(labels, Doomed) else labels, value)
        for labels, value in elements
    ]
    if len(found) > 1:
        check_unique(found)
    return found


def steady(expr: Expr) -> bool:
    """Say whether the expression has the same value at every step of a range (`@`)."""
    match expr:
        case NumberLiteral() | StringLiteral():
            return True
        case VectorSelector() | Subquery():
            return expr.fixed_ms is not None or expr.edge is not None
        case Call(name=name) if name in _OWN_TIME:
            return False
        case Call(args=()):
            return True
        case _:
            return all(map(steady, children(expr)))


def _once(node: VectorNode, number: int) -> VectorNode:
    """Return the evaluation that is done at the first step only."""

    def evaluate(frame: Frame) -> Elements:
        known = frame.steady.get(number)
        if known is None:
            known = frame.steady[number] = node(frame)
        return known

    return evaluate


def _text(expr: Expr) -> str:
    literal = unwrapped(expr)
    if not isinstance(literal, StringLiteral):
        raise TypeError(f"{type(literal).__name__} is no text")
    return literal.value


def _constantly(value: float) -> ScalarNode:
    return lambda _: value


def _negated(value: float) -> float:
    return -value


def _same(value: float) -> float:
    return value
