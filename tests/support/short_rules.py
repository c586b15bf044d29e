"""Short rules over a word of the vocabulary: each unit, window and function, each further key."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, product
from typing import Any, Final

from stewardmon.domain.rule import NoData
from stewardmon.domain.units import QUANTITY_UNITS, Dimension, Unit
from stewardmon.domain.word import FUNCTIONS, Word

#: A number that some value meets and another does not, of whatever is measured.
_AMOUNTS: Final = {
    Dimension.SHARE: "50", Dimension.TIME: "90", Dimension.SIZE: "64", Dimension.RATE: "3",
    Dimension.MONEY: "20", Dimension.COUNT: "7",
}  # fmt: skip


def amounts(word: Word) -> list[str]:
    """Return the word's threshold in every unit that fits, and without one."""
    bare = "0.5" if word.unit.dimension is Dimension.SHARE else _AMOUNTS[word.unit.dimension]
    return [bare, *(f"{_AMOUNTS[word.unit.dimension]}{unit.name}" for unit in fitting(word.unit))]


def fitting(unit: Unit) -> list[Unit]:
    """Return the units that a threshold may be written in."""
    return [one for one in QUANTITY_UNITS.values() if one.dimension is unit.dimension]


def strange(unit: Unit) -> list[Unit]:
    """Return the units that measure something else."""
    return [one for one in QUANTITY_UNITS.values() if one.dimension is not unit.dimension]


def conditions(word: Word, op: str) -> list[str]:
    """Return the conditions of one word: every unit, with and without a window, every function."""
    if word.is_question:
        return [word.name]
    windows = ["", "[10m]", "[2h]"] if word.windowed else [""]
    found = [f"{word.name}{window} {op} {amount}" for window in windows for amount in amounts(word)]
    for function, window in product(FUNCTIONS if word.series else (), ("", "[30m]")):
        # A function may count, or have a unit of its own: a bare number fits each of them.
        found.append(f"{function}({word.name}{window}) {op} {amounts(word)[0]}")
    return found


def rules_of(word: Word) -> Iterator[dict[str, Any]]:
    """Return rules with every condition of the word, and every set of further keys, at least once.

    The sets of keys go around while there are conditions, and the other way.
    """
    firing, clear = conditions(word, ">"), conditions(word, "<")
    sets = list(product((False, True), (0, 3), NoData, ((), ("Another",))))
    rounds = max(len(firing), len(sets))
    ways = zip(cycle(firing), cycle(clear), cycle(sets), range(rounds), strict=False)
    for condition, cleared, (hysteresis, samples, no_data, needs), number in ways:
        rule: dict[str, Any] = {
            "name": f"{word.name} {number}",
            "condition": condition,
            "duration": "5m",
            "no_data": no_data.value,
            "depends_on": list(needs),
        }
        if hysteresis:
            rule["clear"] = cleared
        if samples and word.counted is not None:
            rule["min_samples"] = samples
        yield rule
