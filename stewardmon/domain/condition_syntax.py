"""The grammar of short conditions (RULES.md, "Short conditions")."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from typing import Final

from stewardmon.domain.condition_nodes import (
    Arithmetic,
    Comparison,
    Condition,
    Joined,
    Name,
    Quantity,
    Question,
    Term,
)
from stewardmon.domain.condition_tokens import Kind, Token, tokens
from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.quantity import parse_duration
from stewardmon.domain.units import NUMBER, QUANTITY_UNITS, Unit, near
from stewardmon.domain.word import FUNCTIONS
from stewardmon.errors import ExpressionError

MAX_TEXT: Final = 4096
MAX_DEPTH: Final = 20
MAX_NAMES: Final = 50
_MAX_DIGITS: Final = 40

COMPARISONS: Final = (">=", "<=", "==", "!=", ">", "<")
_ESCAPES: Final = {"n": "\n", "t": "\t", "\\": "\\", '"': '"', "'": "'"}

_Part = Callable[[], Condition | Term]


def parse_condition(text: str) -> Condition:
    """Return what the text says.

    Raises ExpressionError, its column 1-based, with what would be right.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(
            f"a condition of {len(text)} characters: {MAX_TEXT} are allowed", column=1
        )
    return _Parser(text).run()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._names = 0

    def run(self) -> Condition:
        if self._peek().kind is Kind.END:
            raise ExpressionError(
                "the condition is empty: write one such as error_rate > 5%", column=1
            )
        condition = _as_condition(self._or(), self._peek())
        token = self._peek()
        if token.kind is not Kind.END:
            raise self._unexpected(token)
        return condition

    def _peek(self) -> Token:
        return self._tokens[self._at]

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _take(self, *texts: str) -> Token | None:
        """Return the next token where it is one of `texts`, else leave it."""
        token = self._peek()
        if token.kind in {Kind.SIGN, Kind.NAME} and token.text in texts:
            return self._next()
        return None

    def _unexpected(self, token: Token) -> ExpressionError:
        before = self._tokens[self._at - 1].text if self._at else ""
        if token.text in COMPARISONS:
            why = "one comparison has one side each; join two with and"
        elif token.text == "=":
            why = "write == to compare"
        elif token.text.lower() in {"and", "or"}:
            why = f"write {token.text.lower()} in small letters"
        elif token.text == ")":
            why = "its ( is missing"
        elif token.kind is Kind.WINDOW:
            why = "a window stands directly behind a name, as in error_rate[10m]"
        else:
            why = "and, or, or the end belongs here"
        return ExpressionError(f"unexpected {token} after {before!r}: {why}", column=token.column)

    # Conditions

    def _or(self) -> Condition | Term:
        return self._joined("or", self._and)

    def _and(self) -> Condition | Term:
        return self._joined("and", self._comparison)

    def _joined(self, op: str, part: _Part) -> Condition | Term:
        left = part()
        while self._take(op):
            first = _as_condition(left, self._peek())
            left = Joined(op, first, _as_condition(part(), self._peek()))
        return left

    def _comparison(self) -> Condition | Term:
        left = self._sum()
        op = self._take(*COMPARISONS)
        if op is None:
            return left
        return Comparison(_as_term(left, op), op.text, self._quantity(op))

    # Terms

    def _sum(self) -> Condition | Term:
        return self._arithmetic(("+", "-"), self._product)

    def _product(self) -> Condition | Term:
        return self._arithmetic(("*", "/"), self._primary)

    def _arithmetic(self, ops: tuple[str, ...], part: _Part) -> Condition | Term:
        left = part()
        while (op := self._take(*ops)) is not None:
            right = _as_term(part(), op)
            left = Arithmetic(op.text, _as_term(left, op), right, op.column)
        return left

    def _primary(self) -> Condition | Term:
        token = self._next()
        if token.kind is Kind.NAME:
            follows = self._peek()
            called = follows.kind is Kind.SIGN and follows.text == "("
            return self._call(token) if called else self._name(token)
        if token.text == "(" and token.kind is Kind.SIGN:
            return self._grouped(token)
        if token.kind is Kind.NUMBER or token.text == "-":
            raise ExpressionError(
                f"{token} stands where a name belongs: write the name first, as in error_rate > 5%",
                column=token.column,
            )
        raise ExpressionError(
            f"{token} stands where a name belongs, such as error_rate", column=token.column
        )

    def _grouped(self, opened: Token) -> Condition | Term:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(
                f"parentheses deeper than {MAX_DEPTH} levels", column=opened.column
            )
        inner = self._or()
        self._close(opened)
        self._depth -= 1
        return inner

    def _close(self, opened: Token) -> None:
        if self._take(")"):
            return
        if self._peek().kind is Kind.END:
            raise ExpressionError("this ( is not closed", column=opened.column)
        raise self._unexpected(self._peek())

    def _call(self, function: Token) -> Name:
        if function.text not in FUNCTIONS:
            raise ExpressionError(
                f"unknown function {function}: {near(function.text, list(FUNCTIONS))}",
                column=function.column,
            )
        opened = self._next()
        token = self._next()
        if token.kind is not Kind.NAME:
            raise ExpressionError(
                f"{function.text}(…) takes a name, as in {function.text}(response_time[5m])",
                column=token.column,
            )
        name = self._name(token)
        self._close(opened)
        return Name(name.name, name.column, name.matchers, name.window, function.text)

    def _name(self, token: Token) -> Name:
        self._names += 1
        if self._names > MAX_NAMES:
            raise ExpressionError(f"more than {MAX_NAMES} names", column=token.column)
        matchers = self._selector() if self._take("{") else ()
        window = None
        if self._peek().kind is Kind.WINDOW:
            window = _window(self._next())
        return Name(token.text, token.column, matchers, window)

    def _selector(self) -> tuple[Matcher, ...]:
        matchers: list[Matcher] = []
        while not self._take("}"):
            label = self._next()
            op = self._take("=~", "!~", "!=", "=", "==")
            value = self._next()
            if label.kind is not Kind.NAME or op is None or value.kind is not Kind.STRING:
                raise ExpressionError(
                    'a selector reads like {job="app"}, with = != =~ or !~ and the value in quotes',
                    column=label.column,
                )
            if op.text == "==":
                raise ExpressionError("write a single = in a selector", column=op.column)
            matchers.append(_matcher(label.text, op.text, value))
            if not self._take(",") and self._peek().text != "}":
                raise ExpressionError(
                    "a selector is closed with }, its parts parted by commas",
                    column=self._peek().column,
                )
        return tuple(matchers)

    # Quantities

    def _quantity(self, op: Token) -> Quantity:
        minus = self._take("-")
        start = minus or self._peek()
        number = self._next()
        if number.kind is not Kind.NUMBER:
            raise ExpressionError(
                f"a number belongs behind {op.text}, such as 5% or 2s, not {number}",
                column=number.column,
            )
        amount, unit = self._amount(number)
        while self._spans_on(unit):
            # 1h30m: durations may be put together.
            more, unit = self._amount(self._next())
            amount += more
        end = self._tokens[self._at - 1]
        text = self._text[start.at : end.at + len(end.text)]
        return Quantity(-amount if minus else amount, unit, text, start.column)

    def _spans_on(self, unit: Unit) -> bool:
        token, before = self._peek(), self._tokens[self._at - 1]
        adjacent = token.at == before.at + len(before.text)
        return token.kind is Kind.NUMBER and adjacent and unit.name in {"d", "h", "m", "s"}

    def _amount(self, number: Token) -> tuple[Fraction, Unit]:
        if len(number.text) > _MAX_DIGITS:
            raise ExpressionError("a number with too many digits", column=number.column)
        unit = self._unit()
        return Fraction(number.text) * unit.scale, unit

    def _unit(self) -> Unit:
        token = self._peek()
        if self._take("%"):
            return QUANTITY_UNITS["%"]
        if token.text == "/" and token.kind is Kind.SIGN:
            self._next()
            per = self._next()
            return self._known_unit("/" + per.text, token)
        if token.kind is Kind.NAME and token.text.lower() not in {"and", "or"}:
            # 1h30m reads as one word behind the 1: the token is cut after its unit.
            self._next()
            cut = re.match(r"(ms|[dhms])(?=\d)", token.text)
            if cut is not None:
                rest = tokens(token.text[cut.end() :])[:-1]
                moved = [Token(t.kind, t.text, t.at + token.at + cut.end()) for t in rest]
                self._tokens[self._at - 1 : self._at] = [
                    Token(Kind.NAME, cut[0], token.at), *moved
                ]  # fmt: skip
                return QUANTITY_UNITS[cut[0]]
            return self._known_unit(token.text, token)
        return NUMBER

    def _known_unit(self, text: str, token: Token) -> Unit:
        unit = QUANTITY_UNITS.get(text)
        if unit is None:
            raise ExpressionError(
                f"unknown unit {text[:40]!r}: {near(text, list(QUANTITY_UNITS))}",
                column=token.column,
            )
        return unit


def _as_condition(found: Condition | Term, following: Token) -> Condition:
    if isinstance(found, Arithmetic):
        raise ExpressionError(
            "a comparison is missing: a number says nothing yet, write > and a threshold",
            column=following.column,
        )
    return Question(found) if isinstance(found, Name) else found


def _as_term(found: Condition | Term, op: Token) -> Term:
    if isinstance(found, Name | Arithmetic):
        return found
    raise ExpressionError(
        f"beside {op.text} stands a condition where a number belongs", column=op.column
    )


def _window(token: Token) -> timedelta:
    text = token.text[1:-1]
    try:
        window = parse_duration(text)
    except ExpressionError as error:
        raise ExpressionError(str(error), column=token.column + error.column) from None
    if not window:
        raise ExpressionError("a window of no length: write one such as [5m]", column=token.column)
    return window


def _matcher(label: str, op: str, value: Token) -> Matcher:
    def escape(found: re.Match[str]) -> str:
        if found[1] not in _ESCAPES:
            raise ExpressionError(
                f"{found[0]!r} is no escape: write \\\\ for a backslash",
                column=value.column + 1 + found.start(),
            )
        return _ESCAPES[found[1]]

    text = re.sub(r"\\(.)", escape, value.text[1:-1], flags=re.DOTALL)
    try:
        return Matcher(label, Op(op), text)
    except ExpressionError as error:
        raise ExpressionError(str(error), column=value.column) from None
