"""The aggregators: from many elements to one (or a few) per group."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final

from stewardmon.domain.labels import NAME, Labels
from stewardmon.errors import EvaluationError
from stewardmon.promql import numbers
from stewardmon.promql.frame import Doomed, Frame, ScalarNode, VectorNode
from stewardmon.promql.histogram import warn_of_quantile
from stewardmon.promql.results import Elements

Grouping = Callable[[Labels], Labels]
_REMEMBERED: Final = 50_000


def grouping(names: Sequence[str], *, without: bool) -> Grouping:
    """Return the function from an element's labels to its group's, which remembers its answers."""
    known: dict[Labels, Labels] = {}
    listed = frozenset(names)
    dropped = listed | {NAME}

    def group_of(labels: Labels) -> Labels:
        group = known.get(labels)
        if group is None:
            if len(known) > _REMEMBERED:
                known.clear()
            group = labels.without(*dropped) if without else labels.only(*listed)
            known[labels] = group
        return group

    return group_of


def grouped(elements: Elements, group_of: Grouping) -> dict[Labels, list[float]]:
    """Return the values of each group, groups in order of first sight."""
    groups: dict[Labels, list[float]] = {}
    for labels, value in elements:
        group = group_of(labels)
        values = groups.get(group)
        if values is None:
            groups[group] = [value]
        else:
            values.append(value)
    return groups


def _doomed(elements: Elements, group_of: Grouping) -> set[Labels]:
    """Return the groups that hold an element whose name is to be dropped."""
    return {group_of(labels) for labels, _ in elements if isinstance(labels, Doomed)}


def _maximum(values: Sequence[float]) -> float:
    return max((value for value in values if value == value), default=math.nan)


def _minimum(values: Sequence[float]) -> float:
    return min((value for value in values if value == value), default=math.nan)


def _sum(values: Sequence[float]) -> float:
    total, rest = values[0], 0.0
    for value in values[1:]:
        total, rest = numbers.add_exactly(value, total, rest)
    return total + rest


def _variance(values: Sequence[float]) -> float:
    mean = values[0]
    squares = 0.0 if math.isfinite(mean) else math.nan
    for count, value in enumerate(values[1:], 2):
        delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    return squares / len(values)


_REDUCERS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "avg": numbers.mean_of,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "max": _maximum,
    "min": _minimum,
    "stddev": lambda values: math.sqrt(_variance(values)),
    "stdvar": _variance,
    "sum": _sum,
}


def reduced(op: str, vector: VectorNode, group_of: Grouping) -> VectorNode:
    """Return the evaluation of an aggregator that needs nothing but the values."""
    reduce = _REDUCERS[op]

    def evaluate(frame: Frame) -> Elements:
        elements = vector(frame)
        if len(elements) == 1 and not frame.delayed:
            labels, value = elements[0]
            return [(group_of(labels), reduce((value,)))]
        groups = grouped(elements, group_of)
        found = [(labels, reduce(values)) for labels, values in groups.items()]
        return _marked(frame, found, elements, group_of)

    return evaluate


def quantile(vector: VectorNode, group_of: Grouping, share: ScalarNode, at: int) -> VectorNode:
    """Return the evaluation of quantile(share, vector)."""

    def evaluate(frame: Frame) -> Elements:
        wanted = share(frame)
        if not 0 <= wanted <= 1:
            warn_of_quantile(frame.notes, wanted, at)
        elements = vector(frame)
        groups = grouped(elements, group_of)
        found = [(labels, numbers.quantile_of(wanted, values)) for labels, values in groups.items()]
        return _marked(frame, found, elements, group_of)

    return evaluate


def _marked(frame: Frame, found: Elements, elements: Elements, group_of: Grouping) -> Elements:
    if not frame.delayed:
        return found
    doomed = _doomed(elements, group_of)
    return [
        (Doomed(labels.pairs) if labels in doomed else labels, value) for labels, value in found
    ]


def counted_values(
    vector: VectorNode, label: str, names: Sequence[str], *, without: bool
) -> VectorNode:
    """Return the evaluation of count_values(label, vector): how often each value occurs."""
    group_of = grouping(names if without else (*names, label), without=without)

    def evaluate(frame: Frame) -> Elements:
        valued = [
            (labels.merged({label: numbers.format_number(value)}), value)
            for labels, value in vector(frame)
        ]
        groups = grouped(valued, group_of)
        return [(labels, float(len(values))) for labels, values in groups.items()]

    return evaluate


def ranked(
    vector: VectorNode, group_of: Grouping, limit: ScalarNode, *, largest: bool
) -> VectorNode:
    """Return the evaluation of topk and bottomk: the elements themselves, NaN only to fill up."""

    def evaluate(frame: Frame) -> Elements:
        elements = vector(frame)
        most = _whole(limit(frame), len(elements))
        if most < 1:
            return []
        groups: dict[Labels, Elements] = {}
        for element in elements:
            groups.setdefault(group_of(element[0]), []).append(element)
        sign = -1.0 if largest else 1.0
        found: Elements = []
        for members in groups.values():
            members.sort(key=lambda element: (element[1] != element[1], sign * element[1]))
            found += members[:most]
        return found

    return evaluate


def _whole(value: float, most: int) -> int:
    """Return the parameter as a count of elements; raises EvaluationError where it is none."""
    if value != value:
        raise EvaluationError("Parameter value is NaN")
    if value >= 2**63:
        raise EvaluationError(f"Scalar value {value:g} overflows int64")
    if value <= -(2**63):
        raise EvaluationError(f"Scalar value {value:g} underflows int64")
    return min(int(value), most)
