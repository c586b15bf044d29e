"""Series written by hand, as rule tests write them: `up{job="app"} 1+0x10 _ stale 0x3`.

Source: prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/#series.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import STALE
from stewardmon.errors import ExpressionError
from stewardmon.promql.lexer import Kind, Token, tokens

MAX_VALUES: Final = 1_000_000
"""Values that one line may expand to."""

_NUMBER: Final = (
    r"(?:[0-9]+(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?|\.[0-9]+(?:[eE][+-]?[0-9]+)?|[iI]nf|[nN]a[nN])"
)
_ITEM: Final = re.compile(
    rf"(?P<value>[+-]?{_NUMBER})(?:(?P<step>[+-]{_NUMBER})?x(?P<times>[0-9]+))?"
    r"|stale(?:x(?P<stales>[0-9]+))?"
    r"|_(?:x(?P<blanks>[0-9]+))?"
)


@dataclass(frozen=True, slots=True)
class Described:
    """A described series: its labels, and a value or None (no sample) for each step."""

    labels: Labels
    values: tuple[float | None, ...]


def describe(line: str) -> Described:
    """Read one line of series notation.

    Raises ExpressionError with the column of what cannot be read; native histograms (`{{…}}`) are
    refused by name.
    """
    labels, at = read_metric(line)
    return Described(labels, read_values(line[at:], column=at))


def read_metric(line: str) -> tuple[Labels, int]:
    """Read the metric at the start of the line; return its labels and where it ends."""
    word = re.match(r"\s*([A-Za-z_:][A-Za-z0-9_:]*)?", line)
    name = word[1] if word and word[1] else ""
    at = word.end() if word else 0
    known: dict[str, str] = {NAME: name} if name else {}
    if line[at : at + 1] == "{":
        pairs, length = _labels(line[at:], at)
        known.update(pairs)
        at += length
    elif not name:
        raise ExpressionError("a series starts with a metric name or {", column=at + 1)
    return Labels(known), at


def _labels(text: str, before: int) -> tuple[dict[str, str], int]:
    known: dict[str, str] = {}
    stream = tokens(text)
    next(stream)
    while True:
        token = next(stream)
        if token.text == "}" and token.kind is Kind.SIGN:
            return known, token.at + 1
        if token.kind not in {Kind.WORD, Kind.STRING}:
            raise _unexpected(token, before)
        following = next(stream)
        if token.kind is Kind.STRING and following.text in {",", "}"}:
            known[NAME] = token.text
        elif following.text == "=":
            known[token.text] = _string(next(stream), before)
            following = next(stream)
        if following.kind is not Kind.SIGN or following.text not in {",", "}"}:
            raise _unexpected(following, before)
        if following.text == "}":
            return known, following.at + 1


def _string(token: Token, before: int) -> str:
    if token.kind is not Kind.STRING:
        raise _unexpected(token, before)
    return token.text


def _unexpected(token: Token, before: int) -> ExpressionError:
    return ExpressionError(f"unexpected {token} in a label set", column=before + token.at + 1)


def read_values(text: str, *, column: int = 0) -> tuple[float | None, ...]:
    """Read the values of a series: `1 2 _ 3+1x4 stale`; raises ExpressionError as `describe`."""
    values: list[float | None] = []
    for word in re.finditer(r"\S+", text):
        where = column + word.start() + 1
        if word[0].startswith("{{"):
            raise ExpressionError("native histograms are not supported", column=where)
        item = _ITEM.fullmatch(word[0])
        if item is None:
            raise ExpressionError(f'"{word[0][:40]}" is not a series value', column=where)
        count = next((int(n) for n in item.group("times", "stales", "blanks") if n), 0)
        if len(values) + count > MAX_VALUES:
            raise ExpressionError(
                f"a series is written with more than {MAX_VALUES:,} values", column=where
            )
        values.extend(_expanded(item, count))
    return tuple(values)


def _expanded(item: re.Match[str], count: int) -> Iterator[float | None]:
    if item[0].startswith("_"):
        yield from [None] * max(count, 0 if item["blanks"] else 1)
        return
    value = STALE if item["value"] is None else float(item["value"])
    step = float(item["step"] or 0)
    for _ in range(count + 1):
        yield value
        # Added up one by one, as Prometheus' own reader does, for the same rounding.
        if item["step"]:
            value += step
