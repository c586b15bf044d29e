"""No two elements of a vector have equal labels: the check, where a step could break it."""

from __future__ import annotations

from stewardmon.errors import EvaluationError
from stewardmon.promql.frame import Frame, VectorNode
from stewardmon.promql.results import Elements


def unique(node: VectorNode) -> VectorNode:
    """Return the evaluation with a check that no two elements have equal labels."""

    def evaluate(frame: Frame) -> Elements:
        elements = node(frame)
        if len(elements) > 1:
            frame.budget.spend(len(elements))
            if not frame.delayed:
                check_unique(elements)
        return elements

    return evaluate


def check_unique(elements: Elements) -> None:
    """Raise EvaluationError where two elements have equal labels."""
    if len({labels for labels, _ in elements}) < len(elements):
        raise EvaluationError("vector cannot contain metrics with the same labelset")
