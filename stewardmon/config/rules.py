"""Prometheus' rule groups, as strict as Prometheus reads them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from pydantic import Field

from stewardmon.config import language
from stewardmon.config.binding import bind, items_of
from stewardmon.config.nodes import Entries, Place, Scalar
from stewardmon.config.positions import place_in
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule, RuleGroup
from stewardmon.errors import ExpressionError

_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ZERO: Final = timedelta(0)


class GroupEntry(Entry):
    """The keys of a group beside its rules."""

    name: str = Field(min_length=1)
    interval: Duration = _ZERO
    query_offset: Duration = _ZERO
    limit: int = 0
    labels: dict[str, str] = Field(default_factory=dict)


class RuleEntry(Entry):
    """One rule: `alert` or `record`."""

    alert: str = ""
    record: str = ""
    expr: str = Field(min_length=1)
    hold: Duration = Field(default=_ZERO, alias="for")
    keep_firing_for: Duration = _ZERO
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


def read_groups(root: Entries, source: Source, *, taken: frozenset[str]) -> tuple[RuleGroup, ...]:
    """Return the file's groups; `taken` are group names that stand for something else."""
    groups: list[RuleGroup] = []
    seen: dict[str, Place] = {}
    for node in items_of(root, "groups", source, wanted="name and rules"):
        entry = bind(GroupEntry, node.less("rules"), source, what="a group", also=("rules",))
        if entry is None:
            continue
        place = node.keys["name"]
        if entry.name in taken:
            source.add(place, f"the group name {entry.name!r} is taken by the short rules")
        elif entry.name in seen:
            first = seen[entry.name]
            source.add(
                place, f"two groups are called {entry.name!r}: the first is in line {first.line}"
            )
        seen.setdefault(entry.name, place)
        if entry.query_offset > language.HELD:
            source.add(
                node.keys["query_offset"],
                "query_offset is further back than history is kept: at most "
                f"{format_duration(language.HELD)}",
            )
        groups.append(_group(entry, node, source))
    return tuple(groups)


def _group(entry: GroupEntry, node: Entries, source: Source) -> RuleGroup:
    check_label_names(entry.labels, node, source, what=f"group {entry.name}")
    rules: list[AlertRule | RecordingRule] = []
    seen: dict[tuple[str, Labels], list[Place]] = defaultdict(list)
    for rule_node in items_of(node, "rules", source, wanted="alert or record, and expr"):
        rule = _rule(rule_node, entry.name, source)
        if rule is None:
            continue
        before = seen[rule.name, rule.labels]
        if before:
            source.warn(
                rule_node.place,
                f"{rule.name} stands {len(before) + 1} times in group {entry.name} with the same "
                f"labels, first in line {before[0].line}: one cannot be told from the other",
            )
        rule = replace(rule, twin=len(before))
        before.append(rule_node.place)
        rules.append(rule)
    return RuleGroup(
        name=entry.name,
        rules=tuple(rules),
        interval=entry.interval,
        limit=entry.limit,
        query_offset=entry.query_offset,
        labels=Labels(entry.labels),
        source=source.at(node.place),
    )


def _rule(node: Entries, group: str, source: Source) -> AlertRule | RecordingRule | None:
    entry = bind(RuleEntry, node, source, what="a rule")
    if entry is None:
        return None
    if bool(entry.alert) == bool(entry.record):
        both = "both alert and record" if entry.alert else "neither alert nor record"
        source.add(node.place, f"a rule names {both}: write one of them")
        return None
    name = entry.alert or entry.record
    check_label_names(entry.labels, node, source, what=f"rule {name}")
    compared = expression(node, "expr", source)
    if entry.record:
        return _recording(entry, node, group, source)
    check_templates(node, "labels", source)
    check_templates(node, "annotations", source)
    return AlertRule(
        name=name,
        expr=entry.expr,
        group=group,
        hold=entry.hold,
        keep_firing_for=entry.keep_firing_for,
        labels=Labels(entry.labels),
        annotations=tuple(entry.annotations.items()),
        no_data=NoData.RESOLVE,
        subject=compared.subject if compared else None,
        comparison=compared.comparison if compared else None,
        threshold=compared.threshold if compared else None,
        source=source.at(node.place),
    )


def _recording(entry: RuleEntry, node: Entries, group: str, source: Source) -> RecordingRule | None:
    for key in ("for", "keep_firing_for", "annotations"):
        if key in node.nodes:
            source.add(node.keys[key], f"{key} has no meaning for a recording rule: leave it out")
    if not _METRIC.fullmatch(entry.record):
        source.add(
            node.keys["record"],
            f"{entry.record!r} cannot name a series: letters, digits, `_` and `:` can, "
            "no digit first",
        )
        return None
    return RecordingRule(
        name=entry.record,
        expr=entry.expr,
        group=group,
        labels=Labels(entry.labels),
        source=source.at(node.place),
    )


def check_label_names(
    labels: Mapping[str, str], node: Entries, source: Source, *, what: str
) -> None:
    """Note label and annotation names that Prometheus refuses."""
    for key in ("labels", "annotations"):
        inside = node.nodes.get(key)
        names = inside.keys if isinstance(inside, Entries) else {}
        for name, place in names.items():
            if not _LABEL.fullmatch(name) or (key == "labels" and name == NAME):
                source.add(place, f"{name!r} cannot name a label of {what}")


def expression(node: Entries, key: str, source: Source) -> language.Compared | None:
    """Plan the PromQL under the key; None where it is refused, with the mistake noted."""
    scalar = node.nodes[key]
    if not isinstance(scalar, Scalar):
        return None
    try:
        return language.read_expression(scalar.text)
    except ExpressionError as error:
        source.add(place_in(scalar, error.column, source.lines), str(error))
        return None


def check_templates(node: Entries, key: str, source: Source) -> None:
    """Compile every template in the mapping under the key; what is refused is noted."""
    inside = node.nodes.get(key)
    for scalar in inside.nodes.values() if isinstance(inside, Entries) else ():
        if isinstance(scalar, Scalar) and "{{" in scalar.text:
            template(scalar, source)


def template(scalar: Scalar, source: Source) -> None:
    """Compile one template; what is refused is noted."""
    try:
        language.read_template(scalar.text)
    except ExpressionError as error:
        source.add(place_in(scalar, error.column, source.lines), str(error))
