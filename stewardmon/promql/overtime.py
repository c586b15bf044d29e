"""Functions over ranges: from the rolling windows where there are some, from scratch elsewhere."""

from __future__ import annotations

from stewardmon.promql.frame import Frame, ScalarNode, drop_name
from stewardmon.promql.histogram import warn_of_quantile
from stewardmon.promql.nodes import Expr, MatrixSelector
from stewardmon.promql.ranges import RANGE_FUNCTIONS, Range
from stewardmon.promql.results import Elements
from stewardmon.promql.select import RangeNode, key_of, samples_between
from stewardmon.promql.uniqueness import check_unique
from stewardmon.promql.windows import KEEPS_NAME, Question, Windows, WindowSet, suspect_name


def question_of(name: str, expr: Expr) -> Question | None:
    """Return what the windows can answer: a function over a selector that moves with time."""
    if not isinstance(expr, MatrixSelector):
        return None
    vector = expr.vector
    if vector.fixed_ms is not None or vector.edge is not None:
        return None
    return Question(name, vector.matchers, key_of(vector.matchers), expr.range_ms, vector.offset_ms)


class RangeCall:
    """A function over a range vector, series by series.

    `places` are the offsets of the scalar argument and of the range vector in the text.
    """

    def __init__(
        self,
        name: str,
        ranged: RangeNode,
        argument: ScalarNode | None,
        *,
        question: Question | None,
        places: tuple[int, int],
    ) -> None:
        self._name = name
        self._ranged = ranged
        self._argument = argument
        self._question = question
        self._quantile = name == "quantile_over_time"
        self._argument_at, self._at = places

    def __call__(self, frame: Frame, *, check: bool = True) -> Elements:
        argument = self._argument(frame) if self._argument is not None else 0.0
        windows = frame.windows
        if windows is not None and self._question is not None:
            found = self._rolled(frame, windows, self._question, argument, check=check)
        else:
            found = self._from_scratch(frame, argument)
            if check and len(found) > 1 and not frame.delayed:
                check_unique(found)
        if self._quantile and found and not 0 <= argument <= 1:
            warn_of_quantile(frame.notes, argument, self._argument_at)
        return found

    def _rolled(
        self, frame: Frame, windows: Windows, question: Question, argument: float, *, check: bool
    ) -> Elements:
        at_ms = frame.at_ms
        answered = windows.entries(question, at_ms)
        frame.budget.spend(len(answered.entries))
        end = at_ms - question.offset_ms
        span = Range(end - question.range_ms, end, at_ms, argument)
        if frame.reads is not None:
            seen = answered.selection.series
            held = (samples_between(one, span.start_ms, span.end_ms)[0] for one in seen)
            frame.reads.samples += sum(map(len, held))
        if answered.filled < len(answered.entries):
            _fill(frame, answered, span, resumable=windows.kept)
        found: Elements = []
        for labels, window, suspect in answered.entries:
            value = window.value(span)
            if value is not None:
                found.append((labels, value))
                if suspect:
                    self._inform(frame, suspect)
        if check and not answered.unique and not frame.delayed:
            check_unique(found)
        return found

    def _from_scratch(self, frame: Frame, argument: float) -> Elements:
        selection = self._ranged(frame)
        span = Range(selection.start_ms, selection.end_ms, frame.at_ms, argument)
        function = RANGE_FUNCTIONS[self._name]
        keeps_name = self._name in KEEPS_NAME
        found: Elements = []
        for labels, times, values in selection.series:
            value = function(times, values, span)
            if value is None:
                continue
            suspect = suspect_name(self._name, labels)
            if suspect:
                self._inform(frame, suspect)
            kept = labels if keeps_name else drop_name(labels, delayed=frame.delayed)
            found.append((kept, value))
        return found

    def _inform(self, frame: Frame, name: str) -> None:
        frame.notes.inform(
            "metric might not be a counter, name does not end in "
            f'_total/_sum/_count/_bucket: "{name}"',
            self._at,
        )


def _fill(frame: Frame, answered: WindowSet, span: Range, *, resumable: bool) -> None:
    """Let new windows read their range for the first time, which costs its length; stop in time."""
    for _, window, _ in answered.entries[answered.filled :]:
        window.value(span)
        answered.filled += 1
        frame.budget.look(resumable=resumable)
