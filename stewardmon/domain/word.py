"""What a word of short conditions is, and the vocabulary that holds the words.

Placeholders in a word's expression: `$window` is the time a condition looks back over, and
`$selector` takes the matchers that a condition writes behind the word (`error_rate{job="x"}`);
both are put in by `condition.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf
from typing import Final

from stewardmon.domain.units import (
    YES_NO,
    Dimension,
    Unit,
    near,
    word_unit,
)
from stewardmon.errors import ExpressionError

FUNCTIONS: Final = (
    "avg", "min", "max", "sum", "count", "last", "p50", "p90", "p95", "p99", "rate", "delta",
)  # fmt: skip
RESERVED: Final = frozenset({*FUNCTIONS, "and", "or", "not", "unless"})

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
PLAIN: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*(?:\{[^{}]*\})?")
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_WRONG_WINDOW: Final = re.compile(r"\[\s*\$(?!window\s*\])(\w*)")
_LONGEST_EXPR: Final = 10_000


class Shape(StrEnum):
    """Which labels a word's result carries: what may be paired with what."""

    JOB = "job"
    SERIES = "series"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One name of the vocabulary.

    `expr` is its PromQL; of a yes/no question it is what `answer` (an operator and a number) is
    held against. `series` is what functions such as `p99(…)` look at; `counted` the selector whose
    samples `min_samples` counts; both may be missing. `matchers` are the word's own, by label: a
    condition's matcher for the same label takes their place. `low` and `high` bound its values.
    `metrics` name what has to be recorded for it, `note` what must be known to have it recorded.
    """

    name: str
    expr: str
    unit: Unit
    about: str
    low: float = -inf
    high: float = inf
    series: str | None = None
    counted: str | None = None
    matchers: Mapping[str, str] = field(default_factory=dict)
    answer: tuple[str, float] | None = None
    shape: Shape = Shape.UNKNOWN
    metrics: tuple[str, ...] = ()
    note: str = ""

    @property
    def is_question(self) -> bool:
        """Say whether the name stands alone in a condition, without a comparison."""
        return self.answer is not None or self.unit is YES_NO

    @property
    def windowed(self) -> bool:
        """Say whether the expression looks back over a window of the condition's choice."""
        return "$window" in self.expr


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All words that conditions may use."""

    words: Mapping[str, Word]

    def __iter__(self) -> Iterator[Word]:
        return iter(self.words.values())

    def word(self, name: str, *, column: int = 0) -> Word:
        """Return the word; raises ExpressionError, with names like it, where there is none."""
        word = self.words.get(name)
        if word is None:
            raise ExpressionError(
                f"unknown name {name[:60]!r}: {near(name, list(self.words))}", column=column
            )
        return word

    def with_word(self, name: str, expr: str, unit: str = "", about: str = "") -> Vocabulary:
        """Return the vocabulary with one word of the user's own; it may replace a built-in one.

        `unit` is one of units.WORD_UNITS: `%` and `ratio` for 0 to 1, `percent` for 0 to 100,
        `yes/no` where `expr` is a condition itself. Whether `expr` is PromQL is for the caller to
        check. Raises ExpressionError for an unusable name, unit or placeholder.
        """
        word = _own_word(name, expr.strip(), word_unit(unit), about)
        return Vocabulary({**self.words, name: word})


def _own_word(name: str, expr: str, unit: Unit, about: str) -> Word:
    if not _NAME.fullmatch(name):
        raise ExpressionError(
            f"{name[:60]!r} cannot be a name: letters, digits and _ only, up to 100 of them"
        )
    if name in RESERVED:
        raise ExpressionError(f"{name!r} cannot be a name: conditions use this word themselves")
    if not expr or len(expr) > _LONGEST_EXPR:
        raise ExpressionError(f"the expression of {name} is missing or too long")
    wrong = _WRONG_WINDOW.search(expr)
    if wrong is not None:
        raise ExpressionError(
            f"unknown placeholder ${wrong[1]} in the expression of {name}: the window is $window",
            column=wrong.start() + 1,
        )
    if "#" in _QUOTED.sub("", expr):
        raise ExpressionError(f"the expression of {name} holds a comment: write it into about:")
    share = unit.dimension is Dimension.SHARE
    word = Word(
        name=name,
        expr=expr,
        unit=unit,
        about=about,
        low=0.0 if share else -inf,
        high=float(1 / unit.scale) if share else inf,
    )
    if PLAIN.fullmatch(expr):
        return replace(word, series=expr, counted=expr, shape=Shape.SERIES)
    return word
