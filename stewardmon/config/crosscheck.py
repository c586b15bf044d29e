"""What only shows when the files are seen together: dependencies, and levels that must exist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stewardmon.config.nodes import Entries, Items, Node, Place, Scalar
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.domain.policy import Policy

_LISTS: Final = {"probe": "probes", "rule": "alerts"}


@dataclass(frozen=True, slots=True)
class Named:
    """A probe or rule as written, of wrong entries too: its name, and what it says it needs."""

    what: str
    name: str
    place: Place
    node: Entries
    source: Source

    @property
    def targets(self) -> list[tuple[str, Place]]:
        """Return what it depends on, each where it is written."""
        return list(_texts(self.node.nodes.get("depends_on")))


def named(root: Entries, what: str, source: Source) -> list[Named]:
    """Return the probes, or the short rules, of a file."""
    return [
        Named(what, name.text, node.keys["name"], node, source)
        for node in entries_in(root, _LISTS[what])
        if isinstance(name := node.nodes.get("name"), Scalar)
    ]


def names_of_group_rules(root: Entries) -> frozenset[str]:
    """Return the names of the alerts in Prometheus' groups: a short rule may depend on them."""
    rules = (rule for group in entries_in(root, "groups") for rule in entries_in(group, "rules"))
    return frozenset(
        name.text for rule in rules if isinstance(name := rule.nodes.get("alert"), Scalar)
    )


def entries_in(node: Entries, key: str) -> list[Entries]:
    """Return the mappings in the list under a key, nothing where there is no list."""
    found = node.nodes.get(key)
    nodes = found.nodes if isinstance(found, Items) else []
    return [one for one in nodes if isinstance(one, Entries)]


def _texts(node: Node | None) -> Iterator[tuple[str, Place]]:
    if isinstance(node, Scalar):
        yield node.text, node.place
    elif isinstance(node, Items):
        for one in node.nodes:
            yield from _texts(one)


def check_dependencies(
    probes: list[Named],
    rules: list[Named],
    *,
    other_rules: frozenset[str],
    all_known: bool = True,
) -> None:
    """Note dependencies on nothing, and on oneself by way of others.

    A probe depends on probes; a rule on rules (`other_rules` are those of groups) and probes. Where
    not all probes are known, a name that is none may be one.
    """
    probe_names = frozenset(probe.name for probe in probes)
    rule_names = other_rules | {rule.name for rule in rules}
    _check_known(probes, probe_names, "probe")
    if all_known:
        _check_known(rules, probe_names | rule_names, "rule or probe")
    _check_cycles(probes)
    _check_cycles([rule for rule in rules if rule.name not in probe_names])


def _check_known(those: Iterable[Named], known: frozenset[str], what: str) -> None:
    for one in those:
        for target, place in one.targets:
            if target not in known:
                one.source.add(
                    place,
                    f"{one.what} {one.name!r} depends on {target!r}, which is no {what}"
                    f"{suggestion(target, known)}",
                )


def _check_cycles(those: list[Named]) -> None:
    graph = {one.name: one for one in those}
    said: set[frozenset[str]] = set()
    for one in graph.values():
        cycle = _cycle(one.name, graph)
        if cycle and frozenset(cycle) not in said:
            said.add(frozenset(cycle))
            way = " → ".join(repr(name) for name in (*cycle, cycle[0]))
            one.source.add(one.node.keys["depends_on"], f"depends_on goes in a circle: {way}")


def _cycle(start: str, graph: Mapping[str, Named]) -> list[str]:
    """Return a way from `start` back to itself, empty where there is none."""
    before: dict[str, str] = {}
    pending = [start]
    while pending:
        name = pending.pop()
        for target, _ in graph[name].targets:
            if target == start:
                way = [name]
                while way[-1] != start:
                    way.append(before[way[-1]])
                return way[::-1]
            if target in graph and target not in before:
                before[target] = name
                pending.append(target)
    return []


def check_levels(rules: list[Named], policies: Mapping[str, Policy]) -> None:
    """Note rules that begin at a level that no policy has."""
    numbers = {str(level.number) for policy in policies.values() for level in policy.levels}
    for rule in rules if numbers else ():
        level = rule.node.nodes.get("level")
        if isinstance(level, Scalar) and level.text.isdigit() and level.text not in numbers:
            rule.source.add(
                rule.node.keys["level"],
                f"rule {rule.name!r} begins at level {level.text}, which no policy has; "
                f"there are {', '.join(sorted(numbers, key=int))}",
            )
