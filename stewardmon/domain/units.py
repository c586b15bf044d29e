"""Units of short conditions: what may be compared with what, and how numbers convert."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from stewardmon.domain.alike import alike
from stewardmon.errors import ExpressionError


class Dimension(StrEnum):
    """What a number measures; two numbers compare only within one dimension."""

    SHARE = "a share"
    TIME = "a time"
    SIZE = "a size"
    RATE = "a rate"
    MONEY = "an amount of money"
    COUNT = "a plain number"
    STATE = "a state"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: `scale` times a number in it gives the dimension's base (1, s, B, 1/s, USD)."""

    name: str
    dimension: Dimension
    scale: Fraction = Fraction(1)

    @property
    def example(self) -> str:
        """Return a quantity of this dimension, for sentences."""
        return _EXAMPLES[self.dimension]


_EXAMPLES: Final = {
    Dimension.SHARE: "5%",
    Dimension.TIME: "5s",
    Dimension.SIZE: "512MB",
    Dimension.RATE: "10/s",
    Dimension.MONEY: "20usd",
    Dimension.COUNT: "100",
    Dimension.STATE: "1",
}

NUMBER: Final = Unit("", Dimension.COUNT)
RATIO: Final = Unit("ratio", Dimension.SHARE)
SECONDS: Final = Unit("seconds", Dimension.TIME)
BYTES: Final = Unit("bytes", Dimension.SIZE)
PER_SECOND: Final = Unit("per_second", Dimension.RATE)
USD: Final = Unit("usd", Dimension.MONEY)
UP: Final = Unit("up", Dimension.STATE)
YES_NO: Final = Unit("yes/no", Dimension.STATE)

# What may follow a number in a condition (RULES.md).
QUANTITY_UNITS: Final[dict[str, Unit]] = {
    unit.name: unit
    for unit in (
        Unit("%", Dimension.SHARE, Fraction(1, 100)),
        Unit("ms", Dimension.TIME, Fraction(1, 1000)),
        Unit("s", Dimension.TIME),
        Unit("m", Dimension.TIME, Fraction(60)),
        Unit("h", Dimension.TIME, Fraction(3600)),
        Unit("d", Dimension.TIME, Fraction(86_400)),
        Unit("B", Dimension.SIZE),
        Unit("KB", Dimension.SIZE, Fraction(1000)),
        Unit("MB", Dimension.SIZE, Fraction(1000**2)),
        Unit("GB", Dimension.SIZE, Fraction(1000**3)),
        Unit("KiB", Dimension.SIZE, Fraction(1024)),
        Unit("MiB", Dimension.SIZE, Fraction(1024**2)),
        Unit("GiB", Dimension.SIZE, Fraction(1024**3)),
        Unit("/s", Dimension.RATE),
        Unit("/m", Dimension.RATE, Fraction(1, 60)),
        Unit("usd", Dimension.MONEY),
    )
}

# What `unit:` of a word of the vocabulary may say. A share is kept as a ratio, so `%` there means
# that the expression yields 0 to 1; `percent` is for expressions that yield 0 to 100, and
# `yes/no` for those that are conditions themselves.
WORD_UNITS: Final[dict[str, Unit]] = {
    **{name: unit for name, unit in QUANTITY_UNITS.items() if name != "%"},
    **{unit.name: unit for unit in (NUMBER, RATIO, SECONDS, BYTES, PER_SECOND, USD, UP, YES_NO)},
    "%": RATIO,
    "count": NUMBER,
    "percent": Unit("percent", Dimension.SHARE, Fraction(1, 100)),
    "milliseconds": Unit("milliseconds", Dimension.TIME, Fraction(1, 1000)),
}


def word_unit(name: str) -> Unit:
    """Return the unit that `unit:` of a vocabulary's word names.

    Raises ExpressionError, with what there is to choose from, for any other.
    """
    unit = WORD_UNITS.get(name)
    if unit is None:
        raise ExpressionError(f"unknown unit {name[:40]!r}: {near(name, list(WORD_UNITS))}")
    return unit


def near(name: str, known: list[str]) -> str:
    """Return a hint: the names like this one, or else all of them."""
    folded = [one for one in known if one.casefold() == name.casefold()]
    close = folded or alike(name, known, most=2)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"known are {', '.join(sorted(one for one in known if one))}"
