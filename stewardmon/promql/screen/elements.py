"""Vectors in bounds: what two of them, or the members of a group, can come to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from stewardmon.domain.labels import Labels
from stewardmon.promql.binary import joined
from stewardmon.promql.nodes import COMPARISONS, Card, Matching
from stewardmon.promql.screen.bounds import (
    UNKNOWN,
    Bounds,
    answered,
    calculated,
    checked,
    kept,
    known,
    may_hold,
    must_hold,
    widened,
)

GroupOf = Callable[[Labels], Labels]


class UndecidedError(Exception):
    """Nothing can be said without evaluating."""


class Possible(NamedTuple):
    """An element that a vector may hold at some instant of a span; `sure`: it does at each."""

    labels: Labels
    bounds: Bounds
    sure: bool


Elements = list[Possible]


def distinct(elements: Elements) -> Elements:
    """Return the elements. Raises UndecidedError where two have equal labels: that may fail."""
    if len({one.labels for one in elements}) < len(elements):
        raise UndecidedError
    return elements


def nameless(elements: Iterable[Possible]) -> Elements:
    """Return the elements less their names."""
    return [Possible(labels.nameless, bounds, sure) for labels, bounds, sure in elements]


@dataclass(frozen=True, slots=True)
class Operation:
    """A binary operator that is no set operator."""

    op: str
    returns_bool: bool

    def with_number(self, elements: Elements, number: Bounds, *, swapped: bool) -> Elements:
        """Return what elements come to beside a number (`swapped`: on the left)."""
        if self.op not in COMPARISONS:
            return [
                Possible(
                    one.labels.nameless,
                    calculated(self.op, number, one.bounds)
                    if swapped
                    else calculated(self.op, one.bounds, number),
                    one.sure,
                )
                for one in elements
            ]
        op = _MIRRORED.get(self.op, self.op) if swapped else self.op
        if self.returns_bool:
            return [
                Possible(one.labels.nameless, answered(op, one.bounds, number), one.sure)
                for one in elements
            ]
        return [
            Possible(
                one.labels,
                kept(op, one.bounds, number),
                one.sure and must_hold(op, one.bounds, number),
            )
            for one in elements
            if may_hold(op, one.bounds, number)
        ]

    def between(
        self, many: Elements, one: Elements, matching: Matching, group_of: GroupOf
    ) -> Elements:
        """Return what two vectors come to. Raises UndecidedError where matching may fail."""
        swapped = matching.card is Card.ONE_TO_MANY
        if swapped:
            many, one = one, many
        partners = {group_of(element.labels): element for element in one}
        if len(partners) < len(one):
            raise UndecidedError
        plain = matching.card is Card.ONE_TO_ONE
        seen: set[tuple[Labels, Labels] | Labels] = set()
        found: Elements = []
        for element in many:
            group = group_of(element.labels)
            partner = partners.get(group)
            if partner is None:
                continue
            drops = self.op not in COMPARISONS or self.returns_bool
            labels = joined(matching, element.labels, partner.labels, nameless=drops)
            key = group if plain else (group, labels)
            if key in seen:
                raise UndecidedError
            seen.add(key)
            left, right = (partner, element) if swapped else (element, partner)
            result = self._answer(labels, left, right)
            if result is not None:
                found.append(result)
        return found

    def _answer(self, labels: Labels, left: Possible, right: Possible) -> Possible | None:
        sure = left.sure and right.sure
        if self.op not in COMPARISONS:
            return Possible(labels, calculated(self.op, left.bounds, right.bounds), sure)
        if self.returns_bool:
            return Possible(labels, answered(self.op, left.bounds, right.bounds), sure)
        if not may_hold(self.op, left.bounds, right.bounds):
            return None
        sure = sure and must_hold(self.op, left.bounds, right.bounds)
        return Possible(labels, kept(self.op, left.bounds, right.bounds), sure)


_MIRRORED: Final = {">": "<", "<": ">", ">=": "<=", "<=": ">="}


def together(op: str, left: Elements, right: Elements, group_of: GroupOf) -> Elements:
    """Return what and, or, unless come to."""
    ours, theirs = left, right
    surely = {group_of(one.labels) for one in (ours if op == "or" else theirs) if one.sure}
    if op == "or":
        rest = [one for one in theirs if group_of(one.labels) not in surely]
        return _either(ours, rest)
    maybe = {group_of(one.labels) for one in theirs}
    if op == "and":
        return [
            Possible(one.labels, one.bounds, one.sure and group_of(one.labels) in surely)
            for one in ours
            if group_of(one.labels) in maybe
        ]
    return [
        Possible(one.labels, one.bounds, one.sure and group_of(one.labels) not in maybe)
        for one in ours
        if group_of(one.labels) not in surely
    ]


def _either(ours: Elements, rest: Elements) -> Elements:
    """Lay elements of the right side, which are there only where none of the left is, beside it."""
    found = {one.labels: one for one in ours}
    for one in rest:
        before = found.get(one.labels)
        if before is None:
            found[one.labels] = Possible(one.labels, one.bounds, sure=False)
            continue
        low = min(before.bounds[0], one.bounds[0])
        high = max(before.bounds[1], one.bounds[1])
        found[one.labels] = Possible(one.labels, (low, high), before.sure or one.sure)
    return list(found.values())


def reduced(op: str, elements: Elements, group_of: GroupOf) -> Elements:
    """Return what an aggregator that needs nothing but the values comes to."""
    reduce = _REDUCERS[op]
    return [
        Possible(labels, reduce(members), any(one.sure for one in members))
        for labels, members in grouped(elements, group_of).items()
    ]


def grouped(elements: Elements, group_of: GroupOf) -> dict[Labels, Elements]:
    """Return the members of each group."""
    groups: dict[Labels, Elements] = {}
    for one in elements:
        groups.setdefault(group_of(one.labels), []).append(one)
    return groups


def _lows(members: Sequence[Possible]) -> list[float]:
    return [one.bounds[0] for one in members]


def _highs(members: Sequence[Possible]) -> list[float]:
    return [one.bounds[1] for one in members]


def _sum(members: Elements) -> Bounds:
    if len(members) == 1:
        return members[0].bounds
    if not all(known(one.bounds) for one in members):
        return UNKNOWN
    low = sum(one.bounds[0] if one.sure else min(0.0, one.bounds[0]) for one in members)
    high = sum(one.bounds[1] if one.sure else max(0.0, one.bounds[1]) for one in members)
    return widened(low, high, _size(members))


def _mean(members: Elements) -> Bounds:
    if len(members) == 1:
        return members[0].bounds
    if not all(known(one.bounds) for one in members):
        return UNKNOWN
    lows, highs = _lows(members), _highs(members)
    low, high = min(lows), max(highs)
    if all(one.sure for one in members):
        low, high = sum(lows) / len(lows), sum(highs) / len(highs)
    return widened(low, high, _size(members))


def _size(members: Elements) -> float:
    return sum(max(abs(low), abs(high)) for _, (low, high), _ in members)


def _least(members: Elements) -> Bounds:
    sure = [one.bounds[1] for one in members if one.sure]
    return checked(min(_lows(members)), min(sure) if sure else max(_highs(members)))


def _most(members: Elements) -> Bounds:
    sure = [one.bounds[0] for one in members if one.sure]
    return checked(max(sure) if sure else min(_lows(members)), max(_highs(members)))


def _spread(members: Elements) -> float:
    return (max(_highs(members)) - min(_lows(members))) / 2


def _deviation(members: Elements) -> Bounds:
    half = _spread(members)
    return widened(0.0, half, half and _size(members))


def _variance(members: Elements) -> Bounds:
    half = _spread(members)
    return widened(0.0, half * half, half * _size(members))


def _count(members: Elements) -> Bounds:
    sure = sum(one.sure for one in members)
    return float(max(1, sure)), float(len(members))


def quantile(members: Elements, share: Bounds) -> Bounds:
    """Return the bounds of a quantile over a group."""
    if share[0] != share[1] or not 0.0 <= share[0] <= 1.0:
        return UNKNOWN
    low, high = checked(min(_lows(members)), max(_highs(members)))
    return widened(low, high, _size(members)) if math.isfinite(low) else UNKNOWN


_REDUCERS: Final[dict[str, Callable[[Elements], Bounds]]] = {
    "avg": _mean,
    "count": _count,
    "group": lambda _: (1.0, 1.0),
    "max": _most,
    "min": _least,
    "stddev": _deviation,
    "stdvar": _variance,
    "sum": _sum,
}
