"""Short rules of alerts.yml: the guide's conditions, compiled to PromQL."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic import Field

from stewardmon.config import language
from stewardmon.config.binding import bind, items_of
from stewardmon.config.nodes import Entries, Place, Scalar
from stewardmon.config.positions import place_in
from stewardmon.config.rules import check_label_names, check_templates, template
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry, LabelMap, Names
from stewardmon.domain.labels import Labels
from stewardmon.domain.rule import AlertRule, NoData, RuleGroup
from stewardmon.errors import ExpressionError

GROUP: Final = "alerts"
_ZERO: Final = timedelta(0)
_WANTED: Final = "name and condition"
_LONGEST_NAME: Final = 200


class ShortEntry(Entry):
    """One short rule."""

    name: str = Field(min_length=1, max_length=_LONGEST_NAME)
    condition: str = Field(min_length=1)
    duration: Duration = _ZERO
    severity: str = ""
    summary: str = ""
    description: str = ""
    runbook: str = ""
    labels: LabelMap = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    also: str | None = None
    clear: str | None = None
    keep_firing_for: Duration = _ZERO
    min_samples: int = Field(default=0, ge=0)
    no_data: NoData = NoData.KEEP
    depends_on: Names = ()
    level: int | None = Field(default=None, ge=1)


def read_short(root: Entries, source: Source, words: language.Vocabulary) -> RuleGroup | None:
    """Return the short rules as one group, None where the file has none."""
    rules: list[AlertRule] = []
    seen: dict[tuple[str, Labels], Place] = {}
    for node in items_of(root, "alerts", source, wanted=_WANTED):
        rule = _rule(node, source, words)
        if rule is None:
            continue
        first = seen.setdefault((rule.name, rule.labels), node.place)
        if first != node.place:
            source.add(
                node.keys["name"],
                f"two rules are called {rule.name!r} and have the same labels: the first stands in "
                f"line {first.line}",
            )
        rules.append(rule)
    if not rules:
        return None
    return RuleGroup(name=GROUP, rules=tuple(rules), source=source.at(root.keys["alerts"]))


def _rule(node: Entries, source: Source, words: language.Vocabulary) -> AlertRule | None:
    entry = bind(ShortEntry, node, source, what="a short rule")
    if entry is None:
        return None
    stated = entry.labels.get("severity", "")
    if entry.severity and stated and stated != entry.severity:
        source.add(node.keys["severity"], "severity stands under labels too, with another value")
    _check_texts(node, entry, source)
    also = _compiled(node, "also", entry, source, words) if entry.also else None
    compiled = _compiled(node, "condition", entry, source, words, also=entry.also if also else None)
    clear = _compiled(node, "clear", entry, source, words) if entry.clear else None
    if compiled is None or (entry.also and also is None) or (entry.clear and clear is None):
        return None
    return AlertRule(
        name=entry.name,
        expr=compiled.expr,
        group=GROUP,
        hold=entry.duration,
        keep_firing_for=entry.keep_firing_for,
        labels=Labels({"severity": "critical", **entry.labels, **_severity(entry)}),
        annotations=_annotations(entry),
        condition=entry.condition,
        also=entry.also,
        clear_expr=clear.expr if clear else None,
        no_data=entry.no_data,
        depends_on=entry.depends_on,
        level=entry.level,
        subject=compiled.subject,
        comparison=compiled.comparison,
        threshold=compiled.threshold,
        unit=compiled.unit,
        window=compiled.window,
        source=source.at(node.place),
    )


def _severity(entry: ShortEntry) -> dict[str, str]:
    return {"severity": entry.severity} if entry.severity else {}


def _annotations(entry: ShortEntry) -> tuple[tuple[str, str], ...]:
    found = {"summary": entry.summary, "description": entry.description}
    linked = entry.runbook.startswith(("http://", "https://"))
    found["runbook_url" if linked else "runbook"] = entry.runbook
    merged = {**{name: text for name, text in found.items() if text}, **entry.annotations}
    return tuple(merged.items())


def _check_texts(node: Entries, entry: ShortEntry, source: Source) -> None:
    check_label_names(entry.labels, node, source, what=f"rule {entry.name}")
    check_templates(node, "labels", source)
    check_templates(node, "annotations", source)
    for key in ("summary", "description", "runbook"):
        scalar = node.nodes.get(key)
        if isinstance(scalar, Scalar) and "{{" in scalar.text:
            template(scalar, source)
        if key in entry.annotations and scalar is not None:
            source.add(node.keys[key], f"{key} stands under annotations too: keep one of them")


def _compiled(
    node: Entries,
    key: str,
    entry: ShortEntry,
    source: Source,
    words: language.Vocabulary,
    *,
    also: str | None = None,
) -> language.Compiled | None:
    scalar = node.nodes[key]
    if not isinstance(scalar, Scalar):
        return None
    try:
        compiled = language.read_condition(
            scalar.text,
            words,
            duration=entry.duration,
            min_samples=entry.min_samples,
            also=also,
        )
    except ExpressionError as error:
        source.add(place_in(scalar, error.column, source.lines), str(error))
        return None
    for name, note in language.notes(compiled, words) if key != "also" else ():
        source.warn(node.keys[key], f"{name} may have no data: {note}")
    return compiled
