"""The one place where configuration meets the rule language: expressions, conditions, templates."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from stewardmon.domain.condition import Compiled, compile_condition
from stewardmon.domain.template import compile_template
from stewardmon.domain.vocabulary import BUILT_IN, Vocabulary
from stewardmon.errors import ExpressionError
from stewardmon.promql import ValueType, check_horizon, plan, threshold

__all__ = [
    "BUILT_IN",
    "Compared",
    "Compiled",
    "Vocabulary",
    "notes",
    "read_condition",
    "read_expression",
    "read_template",
    "with_word",
]

_A_WINDOW = "5m"
HELD: Final = timedelta(days=400)  # as long as history keeps its roll-ups where nobody says more


@dataclass(frozen=True, slots=True)
class Compared:
    """What an expression's first comparison compares, for messages and charts."""

    subject: str | None = None
    comparison: str | None = None
    threshold: float | None = None


def with_word(vocabulary: Vocabulary, name: str, expr: str, unit: str, about: str) -> Vocabulary:
    """Return the vocabulary with one word more. Raises ExpressionError for what is no PromQL."""
    more = vocabulary.with_word(name, expr, unit, about)
    check_horizon(plan(expr.replace("$window", _A_WINDOW).replace("$selector", "")), HELD)
    return more


def read_condition(
    text: str,
    vocabulary: Vocabulary,
    *,
    duration: timedelta,
    min_samples: int,
    also: str | None = None,
) -> Compiled:
    """Return the condition as PromQL. Raises ExpressionError for what is not accepted."""
    compiled = compile_condition(
        text, duration=duration, vocabulary=vocabulary, also=also, min_samples=min_samples or None
    )
    plan(compiled.expr)
    return compiled


def notes(compiled: Compiled, vocabulary: Vocabulary) -> tuple[tuple[str, str], ...]:
    """Return the condition's names whose data may not be there, and why."""
    words = (vocabulary.word(name) for name in compiled.names)
    return tuple((word.name, word.note) for word in words if word.note)


def read_expression(text: str) -> Compared:
    """Return what the PromQL compares. Raises ExpressionError for what is not accepted."""
    planned = plan(text)
    if planned.value_type not in {ValueType.VECTOR, ValueType.SCALAR}:
        raise ExpressionError(
            f"a rule wants an instant vector or a number, and this is a {planned.value_type.value}",
            column=1,
        )
    check_horizon(planned, HELD)
    found = threshold(planned)
    return Compared(found.subject, found.operator, found.number) if found else Compared()


def read_template(text: str) -> None:
    """Raise ExpressionError for a template that would not expand."""
    compile_template(text)
