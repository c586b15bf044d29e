"""alerts.yml: when to worry, in short conditions and in Prometheus' own rule groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from pydantic import Field

from stewardmon.config import language
from stewardmon.config.binding import bind, entries_of, refuse_unknown
from stewardmon.config.nodes import Entries, Scalar
from stewardmon.config.notes import Notes
from stewardmon.config.positions import place_in
from stewardmon.config.reader import read
from stewardmon.config.rules import read_groups
from stewardmon.config.short import GROUP, read_short
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry, LabelMap
from stewardmon.domain.rule import RuleGroup
from stewardmon.errors import ExpressionError

TOP: Final = ("alerts", "groups", "vocabulary", "evaluation_interval", "external_labels")
SHORTEST_INTERVAL: Final = timedelta(milliseconds=100)


class Evaluation(Entry):
    """How often rules are evaluated, and what every alert carries outward."""

    evaluation_interval: Duration = timedelta(seconds=1)
    external_labels: LabelMap = Field(default_factory=dict)


class WordEntry(Entry):
    """One further word of the short conditions."""

    expr: str = Field(min_length=1)
    unit: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """What alerts.yml says."""

    groups: tuple[RuleGroup, ...] = ()
    evaluation_interval: timedelta = timedelta(seconds=1)
    external_labels: Mapping[str, str] = field(default_factory=dict)
    words: language.Vocabulary = language.BUILT_IN
    warnings: tuple[str, ...] = ()


def read_alerts(root: Entries, source: Source) -> Alerting:
    """Return what the file says; whatever is wrong is noted and left out."""
    refuse_unknown(root, TOP, source, what="alerts.yml")
    words = _words(root, source)
    entry = bind(Evaluation, root.only(*Evaluation.model_fields), source, what="alerts.yml")
    entry = entry or Evaluation()
    if entry.evaluation_interval < SHORTEST_INTERVAL:
        source.add(root.keys["evaluation_interval"], "evaluation_interval is below 100ms")
    short = read_short(root, source, words)
    taken = frozenset({GROUP}) if short else frozenset[str]()
    groups = read_groups(root, source, taken=taken)
    return Alerting(
        groups=(short, *groups) if short else groups,
        evaluation_interval=entry.evaluation_interval,
        external_labels=entry.external_labels,
        words=words,
    )


def load_rule_file(path: Path) -> Alerting:
    """Return the rules of one file: short ones, Prometheus' groups, or both.

    Raises ConfigError with every mistake. Nothing is interpolated and no other file is looked at.
    """
    notes = Notes()
    document = read(path, notes, name=str(path))
    if document is None:
        notes.check()
        return Alerting()
    source = Source(file=document.name, lines=document.lines, notes=notes)
    alerting = read_alerts(document.root, source)
    notes.check()
    return replace(alerting, warnings=notes.warnings())


def _words(root: Entries, source: Source) -> language.Vocabulary:
    entries = entries_of(root, "vocabulary", source, wanted="a name, and its expr and unit")
    words = language.BUILT_IN
    for name, node in entries.nodes.items() if entries else ():
        entry = bind(WordEntry, node, source, what=f"the word {name}")
        if entry is None or not isinstance(node, Entries):
            continue
        try:
            words = language.with_word(words, name, entry.expr, entry.unit, entry.about)
        except ExpressionError as error:
            scalar = node.nodes["expr"]
            place = scalar.place
            if isinstance(scalar, Scalar):
                place = place_in(scalar, error.column, source.lines)
            source.add(place, str(error))
    return words
