"""The binary operators: between numbers, between a vector and a number, between vectors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Final

from stewardmon.domain.labels import NAME, Labels
from stewardmon.errors import EvaluationError
from stewardmon.promql import numbers
from stewardmon.promql.frame import Doomed, Frame, ScalarNode, VectorNode, drop_name
from stewardmon.promql.nodes import Card, Matching
from stewardmon.promql.results import Elements

Arithmetic = Callable[[float, float], float]
Comparison = Callable[[float, float], bool]

ARITHMETIC_OPERATORS: Final[dict[str, Arithmetic]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": numbers.divide,
    "%": numbers.modulo,
    "^": numbers.power,
    "atan2": math.atan2,
}
COMPARISON_OPERATORS: Final[dict[str, Comparison]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
_REMEMBERED: Final = 50_000


def scalars(op: str, left: ScalarNode, right: ScalarNode) -> ScalarNode:
    """Return the evaluation of an operator between two numbers; comparisons give 0 or 1."""
    compare = COMPARISON_OPERATORS.get(op)
    if compare is not None:
        return lambda frame: float(compare(left(frame), right(frame)))
    calculate = ARITHMETIC_OPERATORS[op]
    return lambda frame: calculate(left(frame), right(frame))


def with_scalar(
    op: str, vector: VectorNode, scalar: ScalarNode, *, swapped: bool, returns_bool: bool
) -> VectorNode:
    """Return the evaluation of an operator between a vector and a number (`swapped`: on the left).

    A filtering comparison keeps the element's value and name, whichever side the number is on.
    """
    compare = COMPARISON_OPERATORS.get(op)
    if compare is None:
        return _calculated(ARITHMETIC_OPERATORS[op], vector, scalar, swapped=swapped)
    if swapped:
        compare = COMPARISON_OPERATORS[_MIRRORED[op]]
    if returns_bool:

        def answer(left: float, right: float) -> float:
            return float(compare(left, right))

        return _calculated(answer, vector, scalar, swapped=False)

    def keep(frame: Frame) -> Elements:
        elements = vector(frame)
        limit = scalar(frame)
        return [element for element in elements if compare(element[1], limit)]

    return keep


_MIRRORED: Final = {"==": "==", "!=": "!=", ">": "<", "<": ">", ">=": "<=", "<=": ">="}


def _calculated(
    calculate: Arithmetic, vector: VectorNode, scalar: ScalarNode, *, swapped: bool
) -> VectorNode:
    def evaluate(frame: Frame) -> Elements:
        elements = vector(frame)
        number = scalar(frame)
        renamed = _doom if frame.delayed else _nameless
        if swapped:
            return [(renamed(labels), calculate(number, value)) for labels, value in elements]
        return [(renamed(labels), calculate(value, number)) for labels, value in elements]

    return evaluate


_nameless = operator.attrgetter("nameless")


def _doom(labels: Labels) -> Labels:
    return drop_name(labels, delayed=True)


def signature(matching: Matching) -> Callable[[Labels], Labels]:
    """Return the function from labels to the match group, which remembers its answers."""
    names = frozenset(matching.labels)
    known: dict[Labels, Labels] = {}

    def group_of(labels: Labels) -> Labels:
        group = known.get(labels)
        if group is None:
            if len(known) > _REMEMBERED:
                known.clear()
            group = labels.only(*names) if matching.on else labels.without(*names, NAME)
            known[labels] = group
        return group

    return group_of


def sets(op: str, left: VectorNode, right: VectorNode, matching: Matching) -> VectorNode:
    """Return the evaluation of and, or, unless."""
    group_of = signature(matching)

    def both(frame: Frame) -> Elements:
        ours, theirs = left(frame), right(frame)
        if not ours or not theirs:
            return []
        groups = {group_of(labels) for labels, _ in theirs}
        return [element for element in ours if group_of(element[0]) in groups]

    def either(frame: Frame) -> Elements:
        ours, theirs = left(frame), right(frame)
        groups = {group_of(labels) for labels, _ in ours}
        return [*ours, *(element for element in theirs if group_of(element[0]) not in groups)]

    def only_left(frame: Frame) -> Elements:
        ours, theirs = left(frame), right(frame)
        groups = {group_of(labels) for labels, _ in theirs}
        return [element for element in ours if group_of(element[0]) not in groups]

    return {"and": both, "or": either, "unless": only_left}[op]


class VectorOperation:
    """An arithmetic or comparison operator between two vectors, paired by their match groups."""

    def __init__(
        self,
        op: str,
        left: VectorNode,
        right: VectorNode,
        matching: Matching,
        *,
        returns_bool: bool,
    ) -> None:
        self._left, self._right = left, right
        self._matching = matching
        self._group_of = signature(matching)
        self._compare: Comparison | None = COMPARISON_OPERATORS.get(op)
        self._calculate: Arithmetic = ARITHMETIC_OPERATORS.get(op, operator.add)
        self._bool = returns_bool
        self._drops = self._compare is None
        self._results: dict[tuple[Labels, Labels, bool], Labels] = {}

    def __call__(self, frame: Frame) -> Elements:
        many, one = self._left(frame), self._right(frame)
        if not many or not one:
            return []
        swapped = self._matching.card is Card.ONE_TO_MANY
        if swapped:
            many, one = one, many
        partners = self._one_side(one, "left" if swapped else "right")
        one_to_one = self._matching.card is Card.ONE_TO_ONE
        seen: set[tuple[Labels, Labels] | Labels] = set()
        found: Elements = []
        for labels, value in many:
            group = self._group_of(labels)
            partner = partners.get(group)
            if partner is None:
                continue
            result = self._result_labels(frame, labels, partner[0])
            key = group if one_to_one else (group, result)
            if key in seen:
                raise EvaluationError(
                    "multiple matches for labels: many-to-one matching must be explicit "
                    "(group_left/group_right)"
                    if one_to_one
                    else "multiple matches for labels: grouping labels must ensure unique matches"
                )
            seen.add(key)
            pair = (partner[1], value) if swapped else (value, partner[1])
            answer = self._answer(*pair)
            if answer is not None:
                found.append((result, answer))
        return found

    def _one_side(self, elements: Elements, side: str) -> dict[Labels, tuple[Labels, float]]:
        partners: dict[Labels, tuple[Labels, float]] = {}
        for element in elements:
            group = self._group_of(element[0])
            known = partners.setdefault(group, element)
            if known is not element:
                pair = sorted((described(known[0]), described(element[0])))
                raise EvaluationError(
                    f"found duplicate series for the match group {described(group)} on the {side} "
                    f"hand-side of the operation: [{pair[0]}, {pair[1]}];many-to-many matching not "
                    "allowed: matching labels must be unique on one side"
                )
        return partners

    def _answer(self, left: float, right: float) -> float | None:
        if self._compare is None:
            return self._calculate(left, right)
        holds = self._compare(left, right)
        if self._bool:
            return float(holds)
        return left if holds else None

    def _result_labels(self, frame: Frame, many: Labels, one: Labels) -> Labels:
        key = (many, one, frame.delayed)
        known = self._results.get(key)
        if known is None:
            if len(self._results) > _REMEMBERED:
                self._results.clear()
            known = self._results[key] = self._joined(many, one, delayed=frame.delayed)
        return known

    def _joined(self, many: Labels, one: Labels, *, delayed: bool) -> Labels:
        drops = self._drops or (self._bool and not delayed)
        labels = joined(self._matching, many, one, nameless=drops)
        return Doomed(labels.pairs) if self._bool and delayed else labels


def joined(matching: Matching, many: Labels, one: Labels, *, nameless: bool) -> Labels:
    """Return the labels of a pair's result; `nameless` says whether it loses its name."""
    labels = many.nameless if nameless else Labels(many)
    if matching.card is Card.ONE_TO_ONE:
        names = matching.labels
        labels = labels.only(*names) if matching.on else labels.without(*names)
    if matching.include:
        labels = labels.merged({name: one.value(name) for name in matching.include})
    return labels


def described(labels: Labels) -> str:
    """Return a label set as Prometheus prints it in errors: every label in braces."""
    inside = ", ".join(
        f'{name}="{value.replace(chr(92), chr(92) * 2).replace(chr(34), chr(92) + chr(34))}"'
        for name, value in labels.pairs
    )
    return f"{{{inside}}}"
