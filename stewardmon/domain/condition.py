"""Short conditions, compiled to PromQL: `error_rate > 5%` for 5m, as the guide writes them.

What is compiled is PromQL and nothing else, so that an exported rule means the same. Samples that
this relies on: a probe's `probe_duration_seconds` holds the measured duration, and +Inf for a probe
that timed out, for an answer that never came is slower than any threshold.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from stewardmon.domain.condition_nodes import (
    Arithmetic,
    Comparison,
    Condition,
    Joined,
    Name,
    Question,
    Term,
)
from stewardmon.domain.condition_syntax import parse_condition
from stewardmon.domain.condition_terms import (
    LabelsKept,
    Measured,
    binds,
    bounds_of,
    called,
    filled,
    job_of,
    made_by,
    matching,
    number,
    pairing,
    refuse_pointless,
    selected,
    threshold_of,
    unit_of,
)
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.units import Unit
from stewardmon.domain.vocabulary import BUILT_IN
from stewardmon.domain.word import PLAIN, Shape, Vocabulary, Word
from stewardmon.errors import ExpressionError

SHORTEST_WINDOW: Final = timedelta(minutes=1)
# As long as raw samples are kept: a longer window would look at what is no longer there.
LONGEST_WINDOW: Final = timedelta(days=30)
# How finely functions look at a word that is computed and not recorded.
SUBQUERY_STEP: Final = "15s"
MAX_EXPR: Final = 100_000

_ZERO: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled:
    """A condition as PromQL, and what its first comparison compares, for messages and charts.

    `window` is the longest time it looks back over, zero where it looks at the instant only.
    `threshold` counts in `unit`, a name that display.format_value knows; `subject` is the PromQL of
    what is compared. `names` are the words used, in order.
    """

    expr: str
    clear_expr: str | None = None
    window: timedelta
    subject: str | None
    comparison: str | None
    threshold: float | None
    unit: str
    names: tuple[str, ...]


def compile_condition(
    text: str,
    *,
    duration: timedelta,
    vocabulary: Vocabulary = BUILT_IN,
    also: str | None = None,
    clear: str | None = None,
    min_samples: int | None = None,
) -> Compiled:
    """Return the condition as PromQL; where it writes no window, `duration` is one (at least 1m).

    `also` is a second condition that must hold too. With `min_samples`, each comparison holds only
    where its window holds so many samples; the same goes for `clear`. Raises ExpressionError with
    its column in `text` (or in `also`, or in `clear`).
    """
    compiler = _Compiler(vocabulary, max(duration, SHORTEST_WINDOW), min_samples or 0)
    condition = parse_condition(text)
    if also is not None:
        condition = Joined("and", condition, parse_condition(also))
    compiled = compiler.run(condition)
    if clear is None:
        return compiled
    return replace(compiled, clear_expr=compiler.run(parse_condition(clear)).expr)


@dataclass(frozen=True, slots=True)
class _Decided:
    """A condition: its PromQL, and the operator that holds it together where there is one."""

    text: str
    labels: LabelsKept
    op: str = ""

    def operand(self, op: str) -> str:
        return self.text if self.op in {"", op} else f"({self.text})"


class _Compiler:
    def __init__(self, vocabulary: Vocabulary, window: timedelta, min_samples: int) -> None:
        self._vocabulary = vocabulary
        self._default = window
        self._min_samples = min_samples
        self._start()

    def _start(self) -> None:
        self._longest = _ZERO
        self._names: list[str] = []
        self._first: tuple[str, str, float, str] | None = None

    def run(self, condition: Condition) -> Compiled:
        """Return one condition compiled."""
        self._start()
        text = self._condition(condition).text
        if len(text) > MAX_EXPR:
            raise ExpressionError("the condition compiles to too much PromQL", column=1)
        subject, comparison, threshold, unit = self._first or (None, None, None, "")
        return Compiled(
            expr=text,
            window=self._longest,
            subject=subject,
            comparison=comparison,
            threshold=threshold,
            unit=unit,
            names=tuple(dict.fromkeys(self._names)),
        )

    # Conditions

    def _condition(self, condition: Condition) -> _Decided:
        match condition:
            case Comparison():
                return self._comparison(condition)
            case Question():
                return self._question(condition.name)
            case Joined():
                return self._joined(condition)

    def _joined(self, joined: Joined) -> _Decided:
        left, right = self._condition(joined.left), self._condition(joined.right)
        if joined.op == "or":
            labels, op = left.labels.joined(right.labels), "or"
        else:
            # PromQL's `and` pairs series by labels; what people mean is that both are true.
            labels, op = left.labels, f"and{pairing(left.labels, right.labels)}"
        text = f"{left.operand(joined.op)} {op} {right.operand('')}"
        return _Decided(text, labels, joined.op)

    def _comparison(self, comparison: Comparison) -> _Decided:
        term = self._term(comparison.term)
        threshold = threshold_of(comparison, term)
        refuse_pointless(comparison, term, threshold)
        self._remember(term.text, comparison.op, threshold, term.unit)
        return self._counted(f"{term.text} {comparison.op} {number(threshold)}", term)

    def _remember(self, subject: str, op: str, threshold: float, unit: Unit) -> None:
        if self._first is None:
            self._first = (subject, op, threshold, unit.name)

    def _question(self, name: Name) -> _Decided:
        word = self._word(name)
        if not word.is_question:
            raise ExpressionError(
                f"{word.name} is {word.unit.dimension.value} and needs a comparison, "
                f"such as {word.name} > {word.unit.example}",
                column=name.column,
            )
        if name.function or (name.window and not word.windowed):
            raise ExpressionError(
                f"{word.name} is a yes/no question about this instant: it takes no window and no "
                "function; how long it must hold is the rule's duration",
                column=name.column,
            )
        term = self._plain(name, word)
        if word.answer is None:
            return _Decided(term.text, term.labels)
        op, answer = word.answer
        self._remember(term.text, op, answer, word.unit)
        return self._counted(f"{term.text} {op} {number(answer)}", term)

    def _counted(self, text: str, term: Measured) -> _Decided:
        """Return the comparison, and that there are enough samples where that is asked for."""
        if self._min_samples < 1:
            return _Decided(text, term.labels)
        enough = [f"and {count} >= {self._min_samples}" for count in term.counts]
        return _Decided(" ".join([text, *enough]), term.labels, "and")

    # Terms

    def _word(self, name: Name) -> Word:
        word = self._vocabulary.word(name.name, column=name.column)
        self._names.append(word.name)
        return word

    def _term(self, term: Term) -> Measured:
        return self._name(term) if isinstance(term, Name) else self._arithmetic(term)

    def _name(self, name: Name) -> Measured:
        word = self._word(name)
        if word.is_question:
            raise ExpressionError(
                f"{word.name} is a yes/no question: write it alone, without a comparison",
                column=name.column,
            )
        if name.function:
            return self._function(name, word)
        if name.window is not None and not word.windowed:
            look = f"max({word.name}[{format_duration(name.window)}])"
            hint = f"; {look} looks back" if word.series else ""
            raise ExpressionError(
                f"{word.name} is about this instant and takes no window{hint}", column=name.column
            )
        return self._plain(name, word)

    def _plain(self, name: Name, word: Word) -> Measured:
        window = self._window(name)
        if word.windowed:
            self._longest = max(self._longest, window)
        text = filled(word.expr, name, word, window)
        if word.shape is Shape.UNKNOWN and binds(text):
            # Somebody's own expression may be anything, such as `a or b`.
            text = f"({text})"
        return Measured(
            text,
            LabelsKept(word.shape, job_of(name, word), selected(name)),
            word.unit,
            word.low,
            word.high,
            binds(text),
            self._count(name, word, word.shape, window),
        )

    def _function(self, name: Name, word: Word) -> Measured:
        if word.series is None:
            raise ExpressionError(
                f"{name.function}(…) cannot be asked of {word.name}, which is computed already"
                + (f": write {word.name}[5m] to choose its window" if word.windowed else ""),
                column=name.column,
            )
        window = self._window(name)
        self._longest = max(self._longest, window)
        inner, span = filled(word.series, name, word, window), format_duration(window)
        plain = PLAIN.fullmatch(inner)
        looked = f"{inner}[{span}]" if plain else f"({inner})[{span}:{SUBQUERY_STEP}]"
        unit, low, high = made_by(name.function, word)
        return Measured(
            called(name.function, looked),
            LabelsKept(Shape.SERIES, job_of(name, word), selected(name)),
            unit,
            low,
            high,
            binds=False,
            counts=self._count(name, word, Shape.SERIES, window),
        )

    def _window(self, name: Name) -> timedelta:
        window = self._default if name.window is None else name.window
        if window > LONGEST_WINDOW:
            raise ExpressionError(
                f"a window of {format_duration(window)} is longer than samples are kept: at most "
                f"{format_duration(LONGEST_WINDOW)}",
                column=name.column,
            )
        return window

    def _count(self, name: Name, word: Word, shape: Shape, window: timedelta) -> tuple[str, ...]:
        if self._min_samples < 1:
            return ()
        if word.counted is None:
            raise ExpressionError(
                f"min_samples cannot count the samples of {word.name}, whose expression is more "
                "than one selector",
                column=name.column,
            )
        selector = filled(word.counted, name, word, window)
        count = f"count_over_time({selector}[{format_duration(window)}])"
        return (f"sum by (job) ({count})" if shape is Shape.JOB else count,)

    def _arithmetic(self, term: Arithmetic) -> Measured:
        left, right = self._term(term.left), self._term(term.right)
        unit = unit_of(term, left.unit, right.unit)
        low, high = bounds_of(term.op, left, right)
        match, labels = matching(term, left.labels, right.labels)
        return Measured(
            f"{left.operand()} {term.op}{match} {right.operand()}",
            labels,
            unit,
            low,
            high,
            binds=True,
            counts=tuple(
                count if side.labels.shape is labels.shape else f"on (job) {count}"
                for side in (left, right)
                for count in side.counts
            ),
        )
