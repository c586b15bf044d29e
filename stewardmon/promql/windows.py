"""The windows of all rules of one store: shared between rules, carried forward in time.

Rules that ask the same thing (the same function over the same selector, range and offset) share one
set of windows. A selection is remembered until series of its metric name come or go.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.promql.frame import SeriesLike, SeriesSource, drop_name
from stewardmon.promql.kinds import KINDS, Window

KEEPS_NAME: Final = frozenset({"first_over_time", "last_over_time"})
_COUNTER_SUFFIXES: Final = ("_total", "_sum", "_count", "_bucket")
_RATES: Final = frozenset({"rate", "increase"})


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each series: a function over a selector's range; `key` names it."""

    name: str
    matchers: tuple[Matcher, ...]
    selection: str
    range_ms: int
    offset_ms: int
    key: str = field(init=False)
    metric: str = field(init=False)

    def __post_init__(self) -> None:
        key = f"{self.name} {self.range_ms} {self.offset_ms} {self.selection}"
        object.__setattr__(self, "key", key)
        object.__setattr__(self, "metric", metric_of(self.matchers))


def metric_of(matchers: Sequence[Matcher]) -> str:
    """Return the metric name that the matchers demand, empty where they demand none."""
    return next((m.text for m in matchers if m.name == NAME and m.op is Op.EQUAL), "")


@dataclass(slots=True)
class Selection:
    """The series that meet the matchers, and the store's version at which that was so."""

    version: int
    series: Sequence[SeriesLike]


Entry = tuple[Labels, Window, str]
"""The result's labels, the window, and the metric name where a rate of it deserves a note."""


@dataclass(slots=True)
class WindowSet:
    """One question's windows, one for each selected series; the first `filled` hold samples."""

    selection: Selection
    entries: list[Entry]
    unique: bool
    used_ms: int
    filled: int = 0


class Windows:
    """Rolling windows over one store; `delayed` as the engine's delayed name removal.

    `kept` says that they outlive the evaluation: one that is stopped need not start over.
    """

    def __init__(self, store: SeriesSource, *, delayed: bool = False, kept: bool = False) -> None:
        self.kept = kept
        self._store = store
        self._delayed = delayed
        self._version: Callable[[str], int] | None = getattr(store, "version", None)
        self._evaluation = 0
        self._selections: dict[str, Selection] = {}
        self._sets: dict[str, WindowSet] = {}

    def begin(self) -> None:
        """Say that another evaluation begins: a store that tells no versions is asked again."""
        self._evaluation += 1

    def __len__(self) -> int:
        return sum(len(found.entries) for found in self._sets.values())

    def select(self, key: str, matchers: Sequence[Matcher]) -> Sequence[SeriesLike]:
        """Return the series that meet the matchers, remembered while none come or go."""
        return self._selected(key, matchers, metric_of(matchers)).series

    def entries(self, question: Question, at_ms: int) -> WindowSet:
        """Return the windows that answer the question, in step with the store's series."""
        found = self._sets.get(question.key)
        selection = self._selected(question.selection, question.matchers, question.metric)
        if found is None or found.selection is not selection:
            found = self._sets[question.key] = self._joined(question, selection, found)
        found.used_ms = at_ms
        return found

    def forget(self, before_ms: int) -> None:
        """Drop the windows that no evaluation has used since the instant (Unix milliseconds)."""
        unused = [key for key, found in self._sets.items() if found.used_ms < before_ms]
        for key in unused:
            del self._sets[key]

    def _selected(self, key: str, matchers: Sequence[Matcher], metric: str) -> Selection:
        version = self._version(metric) if self._version is not None else self._evaluation
        known = self._selections.get(key)
        if known is None or known.version != version:
            known = self._selections[key] = Selection(version, self._store.select(matchers))
        return known

    def _joined(
        self, question: Question, selection: Selection, before: WindowSet | None
    ) -> WindowSet:
        """Make windows for new series; those of series that stayed go on."""
        known = {id(series): entry for series, entry in self._pairs(before)} if before else {}
        entries = [
            known.get(id(series)) or self._entry(question, series) for series in selection.series
        ]
        unique = len({labels for labels, _, _ in entries}) == len(entries)
        return WindowSet(selection, entries, unique, 0)

    def _pairs(self, found: WindowSet) -> zip[tuple[SeriesLike, Entry]]:
        return zip(found.selection.series, found.entries, strict=True)

    def _entry(self, question: Question, series: SeriesLike) -> Entry:
        labels = series.labels
        if question.name not in KEEPS_NAME:
            labels = drop_name(labels, delayed=self._delayed)
        window = KINDS[question.name](series, question.name)
        return labels, window, suspect_name(question.name, series.labels)


def suspect_name(function: str, labels: Labels) -> str:
    """Return the metric name where a rate is taken of what is, by its name, no counter."""
    name = labels.value(NAME) if function in _RATES else ""
    return "" if name.endswith(_COUNTER_SUFFIXES) else name
