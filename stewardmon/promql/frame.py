"""The surroundings of one evaluation: where samples come from, which instant, what it may cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stewardmon.domain.labels import Labels, Matcher
from stewardmon.promql.limits import Budget, Reads
from stewardmon.promql.results import Annotations, Elements

if TYPE_CHECKING:
    from array import array

    from stewardmon.promql.windows import Windows


class SeriesLike(Protocol):
    """What selectors need of a series: labels, and two columns in time order."""

    @property
    def labels(self) -> Labels:
        """The series' identity."""

    @property
    def times(self) -> Sequence[int] | array[int]:
        """Unix times in milliseconds, ascending."""

    @property
    def base(self) -> int:
        """How many samples were cut from the front so far."""

    @property
    def values(self) -> Sequence[float] | array[float]:
        """The values at those times; `STALE` ends the series."""


class SeriesSource(Protocol):
    """Whatever can be asked for series: the head, history, a replay, a test's load."""

    def select(self, matchers: Sequence[Matcher], /) -> Sequence[SeriesLike]:
        """Return the series that meet every matcher."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every evaluation of an engine; times in milliseconds."""

    lookback_ms: int
    step_ms: int
    delayed: bool


class Frame:
    """One evaluation at one instant (Unix milliseconds).

    `start_ms` and `end_ms` are the ends of the whole query (`@ start()`, `@ end()`); `ranged` says
    that this instant is one step of several. `steady` keeps what does not change from step to step,
    `recorded` what subqueries found at which instant; both by the node's number. `reads` counts the
    samples read, where somebody wants to know.
    """

    __slots__ = (
        "at_ms",
        "budget",
        "delayed",
        "end_ms",
        "inner_windows",
        "lookback_ms",
        "notes",
        "ranged",
        "reads",
        "recorded",
        "selected",
        "settings",
        "source",
        "start_ms",
        "steady",
        "windows",
    )

    def __init__(
        self,
        source: SeriesSource,
        settings: Settings,
        span: tuple[int, int],
        budget: Budget,
        notes: Annotations,
        windows: Windows | None,
    ) -> None:
        self.source = source
        self.settings = settings
        self.lookback_ms = settings.lookback_ms
        self.delayed = settings.delayed
        self.start_ms, self.end_ms = span
        self.at_ms = self.start_ms
        self.ranged = self.start_ms != self.end_ms
        self.budget = budget
        self.notes = notes
        self.windows = windows
        self.reads: Reads | None = None
        self.steady: dict[int, Elements] = {}
        self.recorded: dict[int, dict[int, Elements]] = {}
        self.inner_windows: dict[int, Windows] = {}
        self.selected: dict[str, Sequence[SeriesLike]] = {}

    def inner(self, windows: Windows | None) -> Frame:
        """Return the frame in which a subquery's expression is evaluated, step by step."""
        span = (self.start_ms, self.end_ms)
        frame = Frame(self.source, self.settings, span, self.budget, self.notes, windows)
        frame.reads = self.reads
        frame.steady = self.steady
        frame.recorded = self.recorded
        frame.inner_windows = self.inner_windows
        frame.selected = self.selected
        return frame

    def select(self, key: str, matchers: Sequence[Matcher]) -> Sequence[SeriesLike]:
        """Return the series that meet the matchers, asked for once per query."""
        found = self.selected.get(key)
        if found is None:
            windows = self.windows
            if windows is not None:
                found = windows.select(key, matchers)
            else:
                found = self.source.select(matchers)
            self.budget.select(len(found))
            self.selected[key] = found
        return found


VectorNode = Callable[[Frame], Elements]
ScalarNode = Callable[[Frame], float]
StringNode = Callable[[Frame], str]


class Doomed(Labels):
    """A label set that loses its name when the query ends (delayed name removal)."""

    __slots__ = ()


def drop_name(labels: Labels, *, delayed: bool) -> Labels:
    """Return the set less its name, or marked to lose it."""
    if not delayed:
        return labels.nameless
    return labels if isinstance(labels, Doomed) else Doomed(labels.pairs)
