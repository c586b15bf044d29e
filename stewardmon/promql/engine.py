"""The engine: a plan, a store and an instant (or a range of them) give a result."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from stewardmon.domain.labels import Labels
from stewardmon.errors import EvaluationError
from stewardmon.promql.compile import settled
from stewardmon.promql.frame import Doomed, Frame, SeriesSource, Settings
from stewardmon.promql.limits import Budget, Limits, Reads
from stewardmon.promql.nodes import ValueType
from stewardmon.promql.plan import LOOKBACK_MS, Plan, check_range
from stewardmon.promql.results import Annotations, Elements, Matrix, Result, Scalar, String, Vector
from stewardmon.promql.select import RangeSelection
from stewardmon.promql.windows import Windows

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_STEP_MS: Final = 60_000
"""A subquery's step where none is written: Prometheus' default evaluation interval."""

Points = dict[Labels, list[tuple[int, float]]]
Expired = Callable[[], bool]


class Engine:
    """Evaluates plans over a store (the head, history, a test's load).

    `delayed_names` drops metric names at the end of a query instead of at each function: off in
    default Prometheus, on in its test suite.
    """

    def __init__(
        self,
        store: SeriesSource,
        *,
        lookback_ms: int = LOOKBACK_MS,
        limits: Limits | None = None,
        delayed_names: bool = False,
        default_step_ms: int = DEFAULT_STEP_MS,
    ) -> None:
        self._store = store
        self._limits = limits or Limits()
        self._delayed = delayed_names
        self._settings = Settings(lookback_ms, default_step_ms, delayed_names)

    def windows(self) -> Windows:
        """Return an empty set of rolling windows, to be passed to `instant` as time goes on."""
        return Windows(self._store, delayed=self._delayed, kept=True)

    def instant(
        self,
        planned: Plan,
        at_ms: int,
        *,
        windows: Windows | None = None,
        expired: Expired | None = None,
        reads: Reads | None = None,
    ) -> Result:
        """Evaluate at one instant (Unix milliseconds); `reads` counts the samples read.

        With `windows`, range functions go on from the last evaluation instead of starting over; an
        instant before the last one is computed from scratch. Raises EvaluationError where the data
        do not fit the expression, a limit is exceeded or `expired()` says so.
        """
        notes = Annotations(planned.text)
        if windows is not None:
            windows.begin()
        frame = self._frame(at_ms, at_ms, notes, windows, expired)
        frame.reads = reads
        match planned.evaluation(frame):
            case list() as elements:
                return Vector(at_ms, self._settled(elements), notes.notes())
            case float() as number:
                return Scalar(at_ms, number, notes.notes())
            case str() as text:
                return String(at_ms, text, notes.notes())
            case RangeSelection() as selection:
                return Matrix(_matrix(selection), notes.notes())
            case other:
                raise TypeError(f"an evaluation gave {type(other).__name__}")

    def range(
        self,
        planned: Plan,
        start_ms: int,
        end_ms: int,
        step_ms: int,
        *,
        expired: Expired | None = None,
        reads: Reads | None = None,
    ) -> Matrix:
        """Evaluate at every step from start to end (Unix milliseconds, both included).

        A scalar gives one series without labels. Raises ExpressionError for an expression of
        another type, EvaluationError as `instant` does.
        """
        check_range(planned)
        if step_ms <= 0:
            raise EvaluationError("the step of a range must be longer than zero")
        notes = Annotations(planned.text)
        frame = self._frame(start_ms, end_ms, notes, self.windows(), expired)
        frame.reads = reads
        Budget(self._limits).steps((end_ms - start_ms) // step_ms + 1)
        points: Points = {}
        for at_ms in range(start_ms, end_ms + 1, step_ms):
            frame.at_ms = at_ms
            frame.budget.spend(1)
            value = planned.evaluation(frame)
            if isinstance(value, list):
                _add(points, value, at_ms)
            elif isinstance(value, float):
                points.setdefault(_NO_LABELS, []).append((at_ms, value))
        if planned.value_type is ValueType.VECTOR and self._delayed:
            points = _renamed(points)
        return Matrix(sorted(points.items(), key=lambda item: item[0].pairs), notes.notes())

    def _frame(
        self,
        start_ms: int,
        end_ms: int,
        notes: Annotations,
        windows: Windows | None,
        expired: Expired | None,
    ) -> Frame:
        budget = Budget(self._limits, expired)
        return Frame(self._store, self._settings, (start_ms, end_ms), budget, notes, windows)

    def _settled(self, elements: Elements) -> Elements:
        return settled(elements) if self._delayed else elements


_NO_LABELS: Final = Labels()


def _add(points: Points, elements: Elements, at_ms: int) -> None:
    for labels, value in elements:
        column = points.get(labels)
        if column is None:
            points[labels] = [(at_ms, value)]
        elif column[-1][0] == at_ms:
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        else:
            column.append((at_ms, value))


def _renamed(points: Points) -> Points:
    """Drop pending names; series that become equal are merged unless they overlap in time."""
    merged: Points = {}
    for labels, column in points.items():
        name = labels.nameless if isinstance(labels, Doomed) else labels
        known = merged.get(name)
        if known is None:
            merged[name] = column
            continue
        both = sorted([*known, *column])
        if any(before[0] == after[0] for before, after in pairwise(both)):
            raise EvaluationError("vector cannot contain metrics with the same labelset")
        merged[name] = both
    return merged


def _matrix(selection: RangeSelection) -> list[tuple[Labels, list[tuple[int, float]]]]:
    return [
        (labels.nameless if isinstance(labels, Doomed) else labels, _points(times, values))
        for labels, times, values in selection.series
    ]


def _points(times: Sequence[int], values: Sequence[float]) -> list[tuple[int, float]]:
    return list(zip(times, values, strict=True))
