"""Routes and inhibition of oncall.yml: which policy gets which alerts, and which none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import Field

from stewardmon.config.binding import bind, items_of, named_in
from stewardmon.config.matchers import equalities, read_matchers
from stewardmon.config.nodes import Entries, Scalar, find
from stewardmon.config.positions import place_in
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry, Names
from stewardmon.domain.inhibition import InhibitRule
from stewardmon.domain.labels import Matcher
from stewardmon.domain.policy import Policy
from stewardmon.domain.route import DEFAULT_GROUP_BY, Route
from stewardmon.errors import ExpressionError

T = TypeVar("T")


class RouteEntry(Entry):
    """Which alerts a policy gets."""

    name: str = ""
    match: dict[str, str | list[str]] = Field(default_factory=dict)
    matchers: Names = ()
    policy: str
    levels: tuple[int, ...] = ()
    group_by: Names = DEFAULT_GROUP_BY
    group_wait: Duration | None = None


class InhibitEntry(Entry):
    """Alertmanager's inhibit_rules."""

    name: str = ""
    source_matchers: Names = ()
    target_matchers: Names = ()
    source_match: dict[str, str] = Field(default_factory=dict)
    target_match: dict[str, str] = Field(default_factory=dict)
    equal: Names = ()


def read_routes(
    root: Entries,
    source: Source,
    *,
    policies: Mapping[str, Policy],
    known: frozenset[str],
) -> tuple[Route, ...]:
    """Return the routes in order; `known` are all policies the file names, of wrong ones too."""
    routes: list[Route] = []
    rows = items_of(root, "routes", source, wanted="match, policy, levels")
    if not rows:
        source.add(
            root.keys.get("routes", root.place),
            "routes names no route, so that nobody would be paged: add `- {policy: …}`",
        )
    catches_all: int | None = None
    for row in rows:
        entry = bind(RouteEntry, row, source, what="a route")
        if entry is None:
            continue
        _check_policy(entry, row, source, policies, known)
        before = len(source.notes.mistakes)
        matchers = read_row_matchers(row, source, match=entry.match, written=entry.matchers)
        if len(source.notes.mistakes) > before:
            continue
        name = entry.name or _route_name(entry.policy, matchers)
        if any(route.name == name for route in routes):
            source.add(
                row.keys.get("name", row.place),
                f"two routes are called {name!r}" if entry.name else f"two routes take {name}",
            )
        if catches_all is not None:
            source.warn(
                row.place,
                f"no alert comes to this route: the route in line {catches_all} takes all of them",
            )
        elif not matchers:
            catches_all = row.place.line
        routes.append(
            Route(
                name=name,
                policy=entry.policy,
                matchers=matchers,
                levels=entry.levels,
                group_by=entry.group_by,
                group_wait=entry.group_wait,
            )
        )
    if routes and catches_all is None:
        source.warn(
            rows[-1].place,
            "an alert that no route matches pages nobody: end with a route without match",
        )
    return tuple(routes)


def _route_name(policy: str, matchers: tuple[Matcher, ...]) -> str:
    # Not its place in the list: incidents remember the name, and routes are put in between.
    return policy + (f"{{{', '.join(map(str, matchers))}}}" if matchers else "")


def _check_policy(
    entry: RouteEntry,
    row: Entries,
    source: Source,
    policies: Mapping[str, Policy],
    known: frozenset[str],
) -> None:
    if entry.policy not in known:
        source.add(
            row.keys["policy"],
            f"the route names the unknown policy {entry.policy!r}{suggestion(entry.policy, known)}",
        )
    policy = policies.get(entry.policy)
    numbers = [level.number for level in policy.levels] if policy else []
    for number in entry.levels:
        if policy and number not in numbers:
            listed = ", ".join(str(one) for one in numbers)
            source.add(
                named_in(row, "levels", str(number)),
                f"the route names level {number}, which policy {entry.policy} does not have; "
                f"it has {listed}",
            )


def read_row_matchers(
    row: Entries,
    source: Source,
    *,
    match: Mapping[str, Any],
    written: tuple[str, ...],
    keys: tuple[str, str] = ("match", "matchers"),
) -> tuple[Matcher, ...]:
    """Return the matchers of `match` and `matchers`; those that are none are noted."""
    found: list[Matcher] = []
    found.extend(_noted(lambda: equalities(match), row, keys[0], source) or ())
    for index, text in enumerate(written):
        place = find(row, (keys[1], index)) if len(written) > 1 else find(row, (keys[1],))
        try:
            found.extend(read_matchers(text))
        except ExpressionError as error:
            node = find(row, (keys[1], index)).node
            at = place.place
            if isinstance(node, Scalar):
                at = place_in(node, error.column, source.lines)
            source.add(at, str(error))
    return tuple(found)


def _noted(make: Callable[[], T], row: Entries, key: str, source: Source) -> T | None:
    try:
        return make()
    except ExpressionError as error:
        source.add(row.keys.get(key, row.place), str(error))
        return None


def read_inhibitions(root: Entries, source: Source) -> tuple[InhibitRule, ...]:
    """Return the inhibition rules; one side without a matcher would mute everything: a mistake."""
    rules: list[InhibitRule] = []
    for row in items_of(root, "inhibit_rules", source, wanted="source_matchers, target_matchers"):
        entry = bind(InhibitEntry, row, source, what="an inhibition rule")
        if entry is None:
            continue
        sides = []
        for side in ("source", "target"):
            keys = (f"{side}_match", f"{side}_matchers")
            match, written = getattr(entry, keys[0]), getattr(entry, keys[1])
            if not match and not written:
                source.add(row.place, f"{keys[1]} is missing: an inhibition rule needs it")
            sides.append(read_row_matchers(row, source, match=match, written=written, keys=keys))
        rules.append(
            InhibitRule(
                name=entry.name or f"inhibit-{len(rules) + 1}",
                source=sides[0],
                target=sides[1],
                equal=entry.equal,
            )
        )
    return tuple(rules)
