"""Subqueries: an expression evaluated at every step in a range, as if it were recorded."""

from __future__ import annotations

from collections.abc import Iterator

from stewardmon.domain.labels import Labels
from stewardmon.errors import EvaluationError
from stewardmon.promql.frame import Doomed, Frame, VectorNode
from stewardmon.promql.nodes import Subquery
from stewardmon.promql.ranges import Times, Values
from stewardmon.promql.results import Elements
from stewardmon.promql.select import RangeNode, RangeSelection, instant_of
from stewardmon.promql.windows import Windows


class SubqueryNode:
    """The evaluation of `expr[range:step]`; steps lie at multiples of the step since 1970.

    Within one query, an inner instant that several outer steps see is evaluated once.
    """

    def __init__(self, node: Subquery, inner: VectorNode, number: int) -> None:
        self._moment = instant_of(node)
        self._range_ms = node.range_ms
        self._step_ms = node.step_ms
        self._inner = inner
        self._key = number

    def __call__(self, frame: Frame) -> RangeSelection:
        end = self._moment(frame)
        start = end - self._range_ms
        step = self._step_ms or frame.settings.step_ms
        first = start // step * step + step
        frame.budget.inner_steps((end - first) // step + 1)
        memory = frame.recorded.setdefault(self._key, {})
        columns: dict[Labels, tuple[list[int], list[float]]] = {}
        doomed: dict[Labels, Labels] = {}
        windows = frame.inner_windows.get(self._key)
        if windows is None:
            windows = frame.inner_windows[self._key] = Windows(frame.source, delayed=frame.delayed)
        inner = frame.inner(windows)
        inner.ranged = end > first
        for at_ms in range(first, end + 1, step):
            elements = memory.get(at_ms)
            if elements is None:
                inner.at_ms = at_ms
                elements = memory[at_ms] = self._inner(inner)
            frame.budget.spend(1 + len(elements))
            _collect(columns, doomed, elements, at_ms)
        for gone in [at_ms for at_ms in memory if at_ms < first]:
            del memory[gone]

        def read() -> Iterator[tuple[Labels, Times, Values]]:
            for labels, (times, values) in columns.items():
                yield doomed.get(labels, labels), times, values

        return RangeSelection(start, end, read())


def _collect(
    columns: dict[Labels, tuple[list[int], list[float]]],
    doomed: dict[Labels, Labels],
    elements: Elements,
    at_ms: int,
) -> None:
    for labels, value in elements:
        column = columns.get(labels)
        if column is None:
            column = columns[labels] = ([], [])
            if isinstance(labels, Doomed):
                doomed[labels] = labels
        elif column[0][-1] == at_ms:
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        column[0].append(at_ms)
        column[1].append(value)


def subquery(node: Subquery, inner: VectorNode, number: int) -> RangeNode:
    """Return the evaluation of a subquery; `number` tells the plan's subqueries apart."""
    return SubqueryNode(node, inner, number)
