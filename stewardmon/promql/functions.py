"""The functions over instant vectors and scalars."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final

from stewardmon.domain.labels import NAME, Labels, Op, compile_anchored
from stewardmon.promql import scalars
from stewardmon.promql.frame import Doomed, Frame, ScalarNode, VectorNode, drop_name
from stewardmon.promql.nodes import Expr, MatrixSelector, VectorSelector
from stewardmon.promql.results import Elements


def mapped(vector: VectorNode, function: Callable[[float], float]) -> VectorNode:
    """Return the evaluation that applies a function to every value and drops the names."""

    def evaluate(frame: Frame) -> Elements:
        delayed = frame.delayed
        return [
            (drop_name(labels, delayed=delayed), function(value)) for labels, value in vector(frame)
        ]

    return evaluate


def clamped(vector: VectorNode, low: ScalarNode, high: ScalarNode) -> VectorNode:
    """Return the evaluation of clamp: nothing with crossed bounds, which are taken as Go does."""

    def evaluate(frame: Frame) -> Elements:
        elements = vector(frame)  # before the bounds are looked at: a mistake in it stays one
        least, most = low(frame), high(frame)
        if most < least:
            return []
        return [
            (
                drop_name(labels, delayed=frame.delayed),
                scalars.greater(least, scalars.lesser(most, value)),
            )
            for labels, value in elements
        ]

    return evaluate


def rounded(vector: VectorNode, nearest: ScalarNode) -> VectorNode:
    """Return the evaluation of round(vector, nearest)."""

    def evaluate(frame: Frame) -> Elements:
        to = nearest(frame)
        inverse = math.copysign(math.inf, to) if to == 0 else 1.0 / to
        return [
            (drop_name(labels, delayed=frame.delayed), scalars.rounded(value, inverse))
            for labels, value in vector(frame)
        ]

    return evaluate


def dated(name: str, vector: VectorNode | None) -> VectorNode:
    """Return the evaluation of a date function; without argument, of the evaluation's time."""
    part = scalars.DATE_FUNCTIONS[name]
    if vector is not None:
        return mapped(vector, lambda seconds: scalars.date_part(part, name, seconds))

    def evaluate(frame: Frame) -> Elements:
        return [(_NO_LABELS, scalars.date_part(part, name, frame.at_ms // 1000))]

    return evaluate


_NO_LABELS: Final = Labels()


def vector_of(scalar: ScalarNode) -> VectorNode:
    """Return the evaluation of vector(scalar)."""
    return lambda frame: [(_NO_LABELS, scalar(frame))]


def scalar_of(vector: VectorNode) -> ScalarNode:
    """Return the evaluation of scalar(vector): its only value, else NaN."""

    def evaluate(frame: Frame) -> float:
        elements = vector(frame)
        return elements[0][1] if len(elements) == 1 else math.nan

    return evaluate


def ordered(vector: VectorNode, at: int, *, descending: bool) -> VectorNode:
    """Return the evaluation of sort and sort_desc; NaN goes last either way."""

    def evaluate(frame: Frame) -> Elements:
        if frame.ranged:
            frame.notes.warn(
                "sort is ineffective for range queries since results are always ordered by labels",
                at,
            )
        elements = vector(frame)
        sign = -1.0 if descending else 1.0
        return sorted(elements, key=lambda element: (element[1] != element[1], sign * element[1]))

    return evaluate


def absent(vector: VectorNode, argument: Expr) -> VectorNode:
    """Return the evaluation of absent: one element where the vector has none."""
    labels = absent_labels(argument)
    return lambda frame: [] if vector(frame) else [(labels, 1.0)]


def absent_labels(argument: Expr) -> Labels:
    """Return the labels that an absent series would have had: those of single `=` matchers."""
    selector = argument.vector if isinstance(argument, MatrixSelector) else argument
    if not isinstance(selector, VectorSelector):
        return _NO_LABELS
    known: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers:
        if matcher.name == NAME:
            continue
        if matcher.op is Op.EQUAL and matcher.name not in seen:
            known[matcher.name] = matcher.text
            seen.add(matcher.name)
        else:
            known.pop(matcher.name, None)
    return Labels(known)


Change = Callable[[Labels], Labels]

_REFERENCE: Final = re.compile(r"\$(?:\$|(\w+)|\{(\w+)\})", re.ASCII)


def replacing(target: str, template: str, source: str, regex: str) -> Change:
    """Return what label_replace does to an element's labels."""
    pattern = compile_anchored(regex)

    def replaced(labels: Labels) -> Labels:
        found = pattern.fullmatch(labels.value(source))
        return labels if found is None else _with(labels, target, _expanded(template, found))

    return replaced


def joining(target: str, separator: str, *sources: str) -> Change:
    """Return what label_join does to an element's labels."""
    return lambda labels: _with(labels, target, separator.join(map(labels.value, sources)))


def _with(labels: Labels, name: str, value: str) -> Labels:
    merged = labels.merged({name: value})
    # A name written on purpose stays; other labels leave the pending removal in force.
    return Doomed(merged.pairs) if isinstance(labels, Doomed) and name != NAME else merged


def relabelled(vector: VectorNode, change: Change) -> VectorNode:
    """Return the evaluation of label_replace and label_join."""
    known: dict[tuple[type[Labels], Labels], Labels] = {}

    def evaluate(frame: Frame) -> Elements:
        found: Elements = []
        for labels, value in vector(frame):
            key = (type(labels), labels)
            new = known.get(key)
            if new is None:
                if len(known) > _REMEMBERED:
                    known.clear()
                new = known[key] = change(labels)
            found.append((new, value))
        return found

    return evaluate


_REMEMBERED: Final = 20_000
"""Label sets whose change is remembered by one call; cleared when more pass through."""


def _expanded(template: str, found: Any) -> str:
    """Fill `$1`, `${1}`, `$name`, `${name}` as Go's Expand does; an unknown group is empty."""

    def fill(reference: re.Match[str]) -> str:
        name = reference[1] or reference[2]
        if not name:
            return "$"
        try:
            value = found.group(int(name) if name.isdecimal() else name)
        except (IndexError, KeyError):
            return ""
        return value or ""

    return _REFERENCE.sub(fill, template)
