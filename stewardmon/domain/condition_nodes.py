"""What a short condition says once it is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from stewardmon.domain.labels import Matcher
from stewardmon.domain.units import Unit


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit, as written; `amount` counts in the unit's dimension's base."""

    amount: Fraction
    unit: Unit
    text: str
    column: int


@dataclass(frozen=True, slots=True)
class Name:
    """`fn(name{selector}[window])`, each part but the name optional."""

    name: str
    column: int
    matchers: tuple[Matcher, ...] = ()
    window: timedelta | None = None
    function: str = ""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two terms and one of + - * /."""

    op: str
    left: Term
    right: Term
    column: int


Term = Name | Arithmetic


@dataclass(frozen=True, slots=True)
class Comparison:
    """A term against a quantity."""

    term: Term
    op: str
    quantity: Quantity


@dataclass(frozen=True, slots=True)
class Question:
    """A name that stands alone."""

    name: Name


@dataclass(frozen=True, slots=True)
class Joined:
    """Two conditions and `and` or `or`."""

    op: str
    left: Condition
    right: Condition


Condition = Comparison | Question | Joined
