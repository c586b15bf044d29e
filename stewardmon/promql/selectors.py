"""Selectors and what follows them: matchers, ranges, subqueries, offset and @."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from stewardmon.domain.labels import NAME, Matcher, Op
from stewardmon.errors import ExpressionError
from stewardmon.promql.lexer import Kind, Token
from stewardmon.promql.nodes import Edge, Expr, MatrixSelector, Subquery, VectorSelector
from stewardmon.promql.stream import TokenStream, label_name

_LONGEST_S: Final = 2**63 / 1e9
_EXPERIMENTAL_DURATION: Final = (
    "arithmetic in durations is experimental and not supported; write one duration, such as 5m"
)


class SelectorReader(TokenStream):
    """Reads selectors; the expression parser builds on it."""

    def selector(self) -> Expr:
        """Read a selector: a name, matchers, or both."""
        token = self.peek
        name = ""
        if token.kind in {Kind.WORD, Kind.METRIC}:
            name = self.take().text
        matchers: list[Matcher] = []
        if self.accept("{"):
            matchers = self._matchers()
        return VectorSelector(
            at=token.at, name=name, matchers=_with_name(name, matchers, column=token.at + 1)
        )

    def _matchers(self) -> list[Matcher]:
        found: list[Matcher] = []
        while not self.accept("}"):
            found.append(self._matcher())
            if self.word() == "or":
                raise ExpressionError(
                    "`or` between matchers is not PromQL; write two selectors joined by or",
                    column=self.peek.at + 1,
                )
            if not self.sign("}") and not self.accept(","):
                raise self.unexpected('expected "," or "}"', "label matching")
        return found

    def _matcher(self) -> Matcher:
        label = self.peek
        if label.kind not in {Kind.WORD, Kind.STRING}:
            raise self.unexpected('expected identifier or "}"', "label matching")
        self.take()
        op = self.peek.text if self.peek.kind is Kind.SIGN else ""
        if label.kind is Kind.STRING and op in {",", "}"}:
            return Matcher(NAME, Op.EQUAL, label.text)
        if op not in set(Op):
            raise self.unexpected("expected label matching operator", "label matching")
        self.take()
        if self.peek.kind is not Kind.STRING:
            raise self.unexpected("expected string", "label matching")
        value = self.take()
        try:
            return Matcher(label_name(label), Op(op), value.text)
        except ExpressionError as error:
            raise ExpressionError(str(error), column=error.column or value.at + 1) from None

    def postfix(self, expr: Expr) -> Expr:
        """Read the ranges and modifiers after an expression."""
        while True:
            if self.sign("["):
                expr = self._ranged(expr)
            elif self.word() == "offset":
                expr = self._offset(expr)
            elif self.sign("@"):
                expr = self._at_modifier(expr)
            elif self.word() in {"anchored", "smoothed"}:
                raise ExpressionError(
                    f"the modifier {self.word()} is experimental and not supported",
                    column=self.peek.at + 1,
                )
            else:
                return expr

    def _ranged(self, expr: Expr) -> Expr:
        bracket = self.take()
        range_ms = self._positive("subquery or range selector")
        if self.accept(":"):
            step_ms = 0 if self.sign("]") else self._positive("subquery selector")
            self.expect("]", "subquery selector")
            return Subquery(at=expr.at, expr=expr, range_ms=range_ms, step_ms=step_ms)
        self._closing()
        if not isinstance(expr, VectorSelector):
            raise ExpressionError("ranges only allowed for vector selectors", column=bracket.at + 1)
        if expr.offset_ms:
            raise ExpressionError("no offset modifiers allowed before range", column=bracket.at + 1)
        if expr.fixed_ms is not None or expr.edge is not None:
            raise ExpressionError("no @ modifiers allowed before range", column=bracket.at + 1)
        return MatrixSelector(at=expr.at, vector=expr, range_ms=range_ms)

    def _closing(self) -> None:
        if self.peek.kind is Kind.SIGN and self.peek.text in "+-*/%^":
            raise ExpressionError(_EXPERIMENTAL_DURATION, column=self.peek.at + 1)
        if not self.accept("]"):
            raise self.unexpected('expected ":" or "]"', "subquery or range")

    def _positive(self, where: str) -> int:
        token = self.peek
        if self.sign("(") or self.sign("-") or self.sign("+") or token.kind is Kind.WORD:
            raise ExpressionError(_EXPERIMENTAL_DURATION, column=token.at + 1)
        if token.kind not in {Kind.NUMBER, Kind.DURATION}:
            raise self.unexpected("expected number or duration", where)
        length = _milliseconds(self.quantity(), token)
        if length <= 0:
            raise ExpressionError("duration must be greater than 0", column=token.at + 1)
        return length

    def _offset(self, expr: Expr) -> Expr:
        self.take()
        sign = -1 if self.sign("-") else 1
        if self.sign("-") or self.sign("+"):
            self.take()
        token = self.peek
        if self.sign("(") or (token.kind is Kind.WORD and self.second.text == "("):
            raise ExpressionError(_EXPERIMENTAL_DURATION, column=token.at + 1)
        if token.kind not in {Kind.NUMBER, Kind.DURATION}:
            raise self.unexpected("expected number or duration", "offset")
        offset_ms = sign * _milliseconds(self.quantity(), token)
        target = _modifiable(expr, "offset modifier", token)
        if target.offset_ms:
            raise ExpressionError("offset may not be set multiple times", column=token.at + 1)
        return _modified(expr, replace(target, offset_ms=offset_ms))

    def _at_modifier(self, expr: Expr) -> Expr:
        at = self.take()
        word = self.word()
        target = _modifiable(expr, "@ modifier", at)
        if target.fixed_ms is not None or target.edge is not None:
            raise ExpressionError("@ <timestamp> may not be set multiple times", column=at.at + 1)
        if word in {"start", "end"}:
            self.take()
            self.expect("(", "@")
            self.expect(")", "@")
            return _modified(expr, replace(target, edge=Edge(word)))
        sign = -1 if self.sign("-") else 1
        if self.sign("-") or self.sign("+"):
            self.take()
        seconds = float(word) if word in {"inf", "nan"} else 0.0
        if word in {"inf", "nan"}:
            self.take()
        elif self.peek.kind in {Kind.NUMBER, Kind.DURATION}:
            seconds = sign * self.quantity()
        else:
            raise self.unexpected("expected timestamp", "@")
        if not abs(seconds) < 2**63 / 1000:
            raise ExpressionError("timestamp out of bounds for @ modifier", column=at.at + 1)
        return _modified(expr, replace(target, fixed_ms=_rounded(seconds * 1000)))


def _with_name(name: str, matchers: list[Matcher], *, column: int) -> tuple[Matcher, ...]:
    if not name:
        if not any(not matcher.accepts("") for matcher in matchers):
            raise ExpressionError(
                "vector selector must contain at least one non-empty matcher", column=column
            )
        return tuple(matchers)
    for matcher in matchers:
        if matcher.name == NAME:
            raise ExpressionError(
                f'metric name must not be set twice: "{name}" or "{matcher.text}"', column=column
            )
    return (*matchers, Matcher(NAME, Op.EQUAL, name))


def _modifiable(expr: Expr, what: str, token: Token) -> VectorSelector | Subquery:
    if isinstance(expr, MatrixSelector):
        return expr.vector
    if isinstance(expr, VectorSelector | Subquery):
        return expr
    raise ExpressionError(
        f"{what} must be preceded by an instant vector selector or range vector selector or a "
        "subquery",
        column=token.at + 1,
    )


def _modified(expr: Expr, target: VectorSelector | Subquery) -> Expr:
    if isinstance(expr, MatrixSelector) and isinstance(target, VectorSelector):
        return replace(expr, vector=target)
    return target


def _milliseconds(seconds: float, token: Token) -> int:
    if not abs(seconds) <= _LONGEST_S:
        raise ExpressionError("duration out of range", column=token.at + 1)
    return round(seconds * 1e9) // 1_000_000  # by nanoseconds, as Go keeps durations


def _rounded(milliseconds: float) -> int:
    """Round half away from zero, as Prometheus reads timestamps."""
    return math.floor(abs(milliseconds) + 0.5) * (1 if milliseconds >= 0 else -1)
