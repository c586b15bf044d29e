"""What the terms of short conditions mean: units, bounds, labels, and PromQL's text for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from math import inf
from typing import Final

from stewardmon.domain.condition_nodes import Arithmetic, Comparison, Name, Quantity, Term
from stewardmon.domain.labels import NAME, Op
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.units import NUMBER, PER_SECOND, RATIO, Dimension, Unit
from stewardmon.domain.word import PLAIN, Shape, Word
from stewardmon.errors import ExpressionError

_QUANTILES: Final = {"p50": "0.5", "p90": "0.9", "p95": "0.95", "p99": "0.99"}
_CALL: Final = re.compile(r"(?:\w+(?:\s*(?:by|without)\s*\([^()]*\))?\s*)?(?=\()")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`')
_LARGEST: Final = 10**18


@dataclass(frozen=True, slots=True)
class LabelsKept:
    """Which labels a piece of PromQL carries, as far as that is known."""

    shape: Shape
    job: str
    words: frozenset[str]

    def joined(self, other: LabelsKept) -> LabelsKept:
        """Return what is known of a result that may be of either side."""
        if (self.shape, self.job) == (other.shape, other.job):
            return replace(self, words=self.words | other.words)
        return LabelsKept(Shape.UNKNOWN, "", self.words | other.words)


@dataclass(frozen=True, slots=True)
class Measured:
    """A term: its PromQL, its unit, the bounds of its values, and how to count its samples."""

    text: str
    labels: LabelsKept
    unit: Unit
    low: float
    high: float
    binds: bool
    counts: tuple[str, ...] = ()

    def operand(self) -> str:
        """Return the PromQL as it stands beside an operator."""
        return f"({self.text})" if self.binds else self.text


def called(function: str, looked: str) -> str:
    """Return a function's PromQL over a range."""
    if function in _QUANTILES:
        return f"quantile_over_time({_QUANTILES[function]}, {looked})"
    if function in {"rate", "delta"}:
        return f"{function}({looked})"
    return f"{function}_over_time({looked})"


def made_by(function: str, word: Word) -> tuple[Unit, float, float]:
    """Return the unit and the bounds of what a function makes of a word."""
    if function == "count":
        return NUMBER, 0.0, inf
    if function == "sum":
        return word.unit, 0.0 if word.low >= 0 else -inf, inf
    if function == "delta":
        return word.unit, -inf, inf
    if function == "rate":
        counted = word.unit.dimension is Dimension.COUNT
        return PER_SECOND if counted else NUMBER, 0.0, inf
    return word.unit, word.low, word.high


def filled(expr: str, name: Name, word: Word, window: timedelta) -> str:
    """Return the expression with its window and with the matchers of the condition."""
    for matcher in name.matchers:
        if matcher.name == NAME:
            raise ExpressionError(
                f"{word.name} has its metrics already: {NAME} cannot be selected",
                column=name.column,
            )
    if name.matchers and "$selector" not in expr:
        raise ExpressionError(
            f"{word.name} takes no selector: its expression in vocabulary: has no $selector",
            column=name.column,
        )
    given = {matcher.name for matcher in name.matchers}
    own = [text for label, text in word.matchers.items() if label not in given]
    selector = ", ".join([*own, *map(str, name.matchers)])
    expr = expr.replace("$window", format_duration(window))
    if selector:
        return expr.replace("$selector", selector)
    # Braces with nothing in them say nothing, and neither does a comma beside nothing.
    expr = re.sub(r",\s*\$selector|\$selector\s*,\s*", "", expr)
    return expr.replace("{$selector}", "").replace("$selector", "")


def selected(name: Name) -> frozenset[str]:
    """Return which series a name is about, so that two windows of the same are known as such."""
    return frozenset({f"{name.name}{{{', '.join(sorted(map(str, name.matchers)))}}}"})


def job_of(name: Name, word: Word) -> str:
    """Return the one job a word is about here, empty where it may be any."""
    for matcher in name.matchers:
        if matcher.name == "job":
            return matcher.text if matcher.op is Op.EQUAL else ""
    own = word.matchers.get("job", "")
    return own.removeprefix('job="').removesuffix('"')


def binds(text: str) -> bool:
    """Say whether the text wants parentheses beside an operator: it is not one selector or call."""
    bare = _STRING.sub('""', text)
    if PLAIN.fullmatch(bare):
        return False
    call = _CALL.match(bare)
    if call is None:
        return True
    depth = 0
    for position in range(call.end(), len(bare)):
        depth += {"(": 1, ")": -1}.get(bare[position], 0)
        if depth == 0:
            return position < len(bare) - 1
    return True


def pairing(left: LabelsKept, right: LabelsKept) -> str:
    """Return how `and` pairs two sides: by series, by job, or merely both at once."""
    # Whatever labels somebody's own word has, it has them in each of its windows.
    known = left.shape is not Shape.UNKNOWN or len(left.words) == 1
    if left.words == right.words and left.shape is right.shape and known:
        return ""
    known = Shape.UNKNOWN not in {left.shape, right.shape}
    return " on (job)" if known and left.job == right.job != "" else " on ()"


def matching(term: Arithmetic, left: LabelsKept, right: LabelsKept) -> tuple[str, LabelsKept]:
    """Return how PromQL pairs the two sides of arithmetic, and the labels of the result."""
    if left.job and right.job and left.job != right.job:
        raise ExpressionError(
            f"{term.op} between series of job {left.job} and of job {right.job}: they have no "
            "labels in common; compare each and join them with and",
            column=term.column,
        )
    words, shapes = left.words | right.words, (left.shape, right.shape)
    if shapes == (Shape.SERIES, Shape.JOB):
        return " on (job) group_left ()", replace(left, words=words)
    if shapes == (Shape.JOB, Shape.SERIES):
        return " on (job) group_right ()", replace(right, words=words)
    return "", left.joined(right)


def unit_of(term: Arithmetic, left: Unit, right: Unit) -> Unit:
    """Return the unit of a sum, difference, product or quotient; refuses what has none."""
    same = left.dimension is right.dimension
    if same and left.scale != right.scale:
        raise ExpressionError(
            f"{term.op} between {left.name} and {right.name}: give both the same unit in "
            "vocabulary:",
            column=term.column,
        )
    if term.op in {"+", "-"} and same:
        return left
    if term.op == "/" and same:
        return RATIO
    bare = {Dimension.COUNT, Dimension.SHARE}
    if term.op in {"*", "/"} and right.dimension in bare and right.scale == 1:
        return left
    if term.op == "*" and left.dimension in bare and left.scale == 1:
        return right
    raise ExpressionError(
        f"{term.op} between {left.dimension.value} and {right.dimension.value} has no unit to "
        "compare with",
        column=term.column,
    )


def bounds_of(op: str, left: Measured, right: Measured) -> tuple[float, float]:
    """Return between which values a computed term lies."""
    if op == "+":
        return left.low + right.low, left.high + right.high
    if op == "-":
        return left.low - right.high, left.high - right.low
    return (0.0 if min(left.low, right.low) >= 0 else -inf), inf


def threshold_of(comparison: Comparison, term: Measured) -> float:
    """Return the threshold in the term's unit; refuses a unit that measures something else."""
    quantity = comparison.quantity
    if quantity.unit.dimension is term.unit.dimension:
        return _float(quantity.amount / term.unit.scale, quantity)
    if quantity.unit is NUMBER:
        return _float(quantity.amount, quantity)
    what = _named(comparison.term)
    if term.unit.dimension is Dimension.COUNT:
        right = f"without a unit, such as {term.unit.example}"
    else:
        right = f"such as {term.unit.example}"
    raise ExpressionError(
        f"{quantity.text} is {quantity.unit.dimension.value}, and {what} is "
        f"{term.unit.dimension.value}: compare it with a number {right}",
        column=quantity.column,
    )


def _float(amount: Fraction, quantity: Quantity) -> float:
    if abs(amount) > _LARGEST:
        raise ExpressionError(f"{quantity.text} is too large a number", column=quantity.column)
    return float(amount)


def refuse_pointless(comparison: Comparison, term: Measured, threshold: float) -> None:
    """Refuse a threshold that no value, or every value, meets."""
    low, high = term.low, term.high
    never, always = {
        ">": (threshold >= high, threshold < low),
        ">=": (threshold > high, threshold <= low),
        "<": (threshold <= low, threshold > high),
        "<=": (threshold < low, threshold >= high),
        "==": (not low <= threshold <= high, low == high == threshold),
        "!=": (low == high == threshold, not low <= threshold <= high),
    }[comparison.op]
    if not never and not always:
        return
    what, quantity = _named(comparison.term), comparison.quantity
    hint = ""
    if quantity.unit is NUMBER and term.unit.dimension is Dimension.SHARE:
        hint = f"; did you mean {quantity.text}%?"
    raise ExpressionError(
        f"{what} {comparison.op} {quantity.text} {'can never be' if never else 'is always'} met: "
        f"{what} {_range(term)}{hint}",
        column=quantity.column,
    )


def _range(term: Measured) -> str:
    percent = term.unit.dimension is Dimension.SHARE
    scale = 100 * float(term.unit.scale) if percent else 1.0
    mark = "%" if percent else ""
    if term.high == inf:
        return f"is never below {term.low * scale:g}{mark}"
    if term.low == -inf:
        return f"is never above {term.high * scale:g}{mark}"
    return f"lies between {term.low * scale:g}{mark} and {term.high * scale:g}{mark}"


def _named(term: Term) -> str:
    if isinstance(term, Name):
        return f"{term.function}({term.name})" if term.function else term.name
    return f"{_named(term.left)} {term.op} {_named(term.right)}"


def number(value: float) -> str:
    """Return a number as PromQL writes it."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else repr(value)
