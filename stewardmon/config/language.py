"""The one place where configuration meets the rule language: expressions, conditions, templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from stewardmon.domain.template import compile_template
from stewardmon.errors import ExpressionError
from stewardmon.promql import ValueType, plan, threshold


@dataclass(frozen=True, slots=True)
class Compared:
    """What an expression's first comparison compares, for messages and charts."""

    subject: str | None = None
    comparison: str | None = None
    threshold: float | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """The vocabulary of short conditions."""

    own: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)


BUILT_IN: Final = Words()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A short condition as PromQL."""

    expr: str
    subject: str | None = None
    comparison: str | None = None
    threshold: float | None = None
    unit: str = ""


def with_word(words: Words, name: str, expr: str, unit: str, about: str) -> Words:
    """Return the vocabulary with one word more."""
    return Words({**words.own, name: (expr, unit, about)})


def read_condition(text: str, words: Words, *, hold: timedelta, min_samples: int) -> Compiled:
    """Return the condition as PromQL. Raises ExpressionError for what is not accepted."""
    return Compiled(text)


def read_expression(text: str) -> Compared:
    """Return what the PromQL compares. Raises ExpressionError for what is not accepted."""
    planned = plan(text)
    if planned.value_type not in {ValueType.VECTOR, ValueType.SCALAR}:
        raise ExpressionError(
            f"a rule wants an instant vector or a number, and this is a {planned.value_type.value}",
            column=1,
        )
    found = threshold(planned)
    return Compared(found.subject, found.operator, found.number) if found else Compared()


def read_template(text: str) -> None:
    """Raise ExpressionError for a template that would not expand."""
    compile_template(text)
