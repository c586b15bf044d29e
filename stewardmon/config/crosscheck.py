"""What only shows when the three files are seen together: names that must exist elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from stewardmon.config.nodes import Place
from stewardmon.config.notes import Notes
from stewardmon.config.sentences import suggestion
from stewardmon.domain.policy import Policy
from stewardmon.domain.rule import AlertRule
from stewardmon.ports import ProbeSpec


@dataclass(frozen=True, slots=True)
class _Named:
    """Something that may depend on others, and where it is written (`file:line`)."""

    name: str
    what: str
    source: str
    depends_on: tuple[str, ...]

    def note(self, notes: Notes, message: str) -> None:
        file, _, line = self.source.rpartition(":")
        notes.add(file, Place(int(line), 1) if line.isdigit() else None, message)


def check_dependencies(
    probes: Iterable[ProbeSpec],
    rules: Iterable[AlertRule],
    *,
    probe_names: frozenset[str],
    rule_names: frozenset[str],
    notes: Notes,
) -> None:
    """Note dependencies on nothing, and on oneself by way of others.

    A probe depends on probes; a rule on rules and probes. The names are those of all entries, of
    wrong ones too.
    """
    watching = [_Named(probe.name, "probe", probe.source, probe.depends_on) for probe in probes]
    worrying = [_Named(rule.name, "rule", rule.source, rule.depends_on) for rule in rules]
    _check_known(watching, probe_names, "probe", notes)
    _check_known(worrying, probe_names | rule_names, "rule or probe", notes)
    _check_cycles(watching, notes)
    _check_cycles([one for one in worrying if one.name not in probe_names], notes)


def _check_known(named: Iterable[_Named], known: frozenset[str], what: str, notes: Notes) -> None:
    for one in named:
        for target in one.depends_on:
            if target not in known:
                one.note(
                    notes,
                    f"{one.what} {one.name!r} depends on {target!r}, which is no {what}"
                    f"{suggestion(target, known)}",
                )


def _check_cycles(named: list[_Named], notes: Notes) -> None:
    graph = {one.name: one for one in named}
    said: set[frozenset[str]] = set()
    for one in named:
        for cycle in _cycles(one.name, graph):
            if frozenset(cycle) not in said:
                said.add(frozenset(cycle))
                way = " → ".join(repr(name) for name in (*cycle, cycle[0]))
                graph[cycle[0]].note(notes, f"depends_on goes round in a circle: {way}")


def _cycles(start: str, graph: Mapping[str, _Named]) -> Iterator[list[str]]:
    """Yield a way from `start` back to itself, where there is one."""
    before: dict[str, str] = {}
    pending = [start]
    while pending:
        name = pending.pop()
        for target in graph[name].depends_on:
            if target == start:
                way = [name]
                while way[-1] != start:
                    way.append(before[way[-1]])
                yield way[::-1]
                return
            if target in graph and target not in before:
                before[target] = name
                pending.append(target)


def check_levels(
    rules: Iterable[AlertRule], policies: Mapping[str, Policy], *, notes: Notes
) -> None:
    """Note rules that begin at a level that no policy has."""
    numbers = {level.number for policy in policies.values() for level in policy.levels}
    for rule in rules:
        if rule.level is not None and numbers and rule.level not in numbers:
            listed = ", ".join(str(number) for number in sorted(numbers))
            _Named(rule.name, "rule", rule.source, ()).note(
                notes, f"rule {rule.name!r} begins at level {rule.level}; policies have {listed}"
            )
