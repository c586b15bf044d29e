"""Tokens to a tree: the grammar of PromQL 3, stable part, with a column in every refusal.

A hand-written precedence climber, because what reads rules must point at the mistake, and must
survive any text that somebody sends (the packaged parsers do neither). Precedence from Prometheus'
documentation; checked in the tests against the maintained `promql-parser`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta
from typing import Final

from stewardmon.domain.labels import NAME, Matcher, Op
from stewardmon.domain.quantity import parse_duration
from stewardmon.errors import ExpressionError
from stewardmon.promql import signatures
from stewardmon.promql.lexer import Kind, Token, tokens
from stewardmon.promql.nodes import (
    COMPARISONS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Card,
    Edge,
    Expr,
    Matching,
    MatrixSelector,
    NumberLiteral,
    Paren,
    StringLiteral,
    Subquery,
    Unary,
    VectorSelector,
)

MAX_DEPTH: Final = 200
"""How deep expressions may nest, a chain of operators counting one level each: far beyond any
rule, far below the interpreter's stack."""

_POWER: Final = 6
_PRECEDENCE: Final = {
    "or": 1,
    "and": 2,
    "unless": 2,
    **dict.fromkeys(COMPARISONS, 3),
    **dict.fromkeys("+-", 4),
    **dict.fromkeys(("*", "/", "%", "atan2"), 5),
    "^": _POWER,
}
_UNARY: Final = 5
_WORD_OPERATORS: Final = SETS | {"atan2"}
_NOT_METRICS: Final = frozenset(
    {"bool", "on", "ignoring", "group_left", "group_right", "inf", "nan"}
)
_AGGREGATORS: Final = signatures.AGGREGATORS | signatures.EXPERIMENTAL_AGGREGATORS
_LONGEST_S: Final = 2**63 / 1e9
_EXPERIMENTAL_DURATION: Final = (
    "arithmetic in durations is experimental and not supported; write one duration, such as 5m"
)


def parse(text: str) -> Expr:
    """Return the tree of the expression.

    Raises ExpressionError: one sentence and the column. Types are not checked here.
    """
    return _Parser(text).whole()


def number_of(text: str) -> float:
    """Return the value of a number token; raises ValueError where it does not fit a float."""
    plain = text.replace("_", "")
    if plain[:2] in {"0x", "0X"}:
        value = int(plain, 16)
        if value >= 2**63:
            raise ValueError(text)
        return float(value)
    if len(plain) > 1 and plain[0] == "0" and set(plain) <= set("01234567"):
        return float(int(plain, 8))  # as Go reads it, and hence Prometheus
    value_f = float(plain)
    if math.isinf(value_f):
        raise ValueError(text)
    return value_f


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._at = 0
        self._depth = 0

    def whole(self) -> Expr:
        if self._tokens[0].kind is Kind.END:
            raise ExpressionError("no expression found in input", column=1)
        expr = self._expression(0)
        if self._peek.kind is not Kind.END:
            raise self._unexpected("expected an operator or the end of the expression")
        return expr

    # tokens

    @property
    def _peek(self) -> Token:
        return self._tokens[self._at]

    @property
    def _second(self) -> Token:
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def _take(self) -> Token:
        token = self._tokens[self._at]
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def _sign(self, text: str) -> bool:
        return self._peek.kind is Kind.SIGN and self._peek.text == text

    def _word(self) -> str:
        """Return the word that comes next as a keyword would be written, else nothing."""
        return self._peek.text.lower() if self._peek.kind is Kind.WORD else ""

    def _accept(self, sign: str) -> bool:
        if self._sign(sign):
            self._at += 1
            return True
        return False

    def _expect(self, sign: str, where: str) -> Token:
        if not self._sign(sign):
            raise self._unexpected(f'expected "{sign}"', where)
        return self._take()

    def _unexpected(self, expected: str, where: str = "") -> ExpressionError:
        inside = f" in {where}" if where else ""
        return ExpressionError(
            f"unexpected {self._peek}{inside}, {expected}", column=self._peek.at + 1
        )

    # operators

    def _expression(self, least: int) -> Expr:
        outer = self._depth
        self._deeper()
        left = self._unary()
        while (precedence := _PRECEDENCE.get(self._operator(), 0)) > least or (
            precedence == _POWER == least
        ):
            self._deeper()
            left = self._binary(left, precedence)
        self._depth = outer
        return left

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ExpressionError(
                f"the expression nests deeper than {MAX_DEPTH} levels", column=self._peek.at + 1
            )

    def _operator(self) -> str:
        token = self._peek
        if token.kind is Kind.SIGN:
            if token.text in {"</", ">/"}:
                raise ExpressionError(
                    f"the operator {token.text} is for native histograms and not supported",
                    column=token.at + 1,
                )
            return token.text
        return self._word() if self._word() in _WORD_OPERATORS else ""

    def _binary(self, left: Expr, precedence: int) -> Expr:
        op = self._operator()
        op_at = self._take().at
        returns_bool = self._word() == "bool" and self._take() is not None
        matching = self._matching(op)
        self._refuse_fill()
        # The power operator groups to the right: its right side may hold another one.
        right = self._expression(precedence)
        return Binary(
            at=left.at,
            op=op,
            op_at=op_at,
            left=left,
            right=right,
            returns_bool=returns_bool,
            matching=matching,
        )

    def _matching(self, op: str) -> Matching:
        default = Card.MANY_TO_MANY if op in SETS else Card.ONE_TO_ONE
        word = self._word()
        if word not in {"on", "ignoring"}:
            return Matching(card=default)
        self._take()
        found = Matching(card=default, on=word == "on", labels=self._labels(), written=True)
        side = self._word()
        if side in {"group_left", "group_right"}:
            self._take()
            include = self._labels() if self._sign("(") else ()
            card = Card.MANY_TO_ONE if side == "group_left" else Card.ONE_TO_MANY
            found = replace(found, card=card, include=include)
        return found

    def _refuse_fill(self) -> None:
        is_fill = self._word() in {"fill", "fill_left", "fill_right"}
        if is_fill and self._second.kind is Kind.SIGN and self._second.text == "(":
            raise ExpressionError(
                f"the modifier {self._word()}() is experimental and not supported",
                column=self._peek.at + 1,
            )

    def _labels(self) -> tuple[str, ...]:
        self._expect("(", "grouping opts")
        names: list[str] = []
        while not self._sign(")"):
            if self._peek.kind not in {Kind.WORD, Kind.STRING}:
                raise self._unexpected("expected label", "grouping opts")
            token = self._take()
            names.append(_label_name(token))
            if not self._sign(")") and not self._accept(","):
                raise self._unexpected('expected "," or ")"', "grouping opts")
        self._take()
        return tuple(names)

    def _unary(self) -> Expr:
        if not (self._sign("+") or self._sign("-")):
            return self._postfix(self._primary())
        sign = self._take()
        inner = self._expression(_UNARY)
        if isinstance(inner, NumberLiteral):
            return NumberLiteral(
                at=sign.at, value=-inner.value if sign.text == "-" else inner.value
            )
        return Unary(at=sign.at, op=sign.text, expr=inner)

    # what stands alone

    def _primary(self) -> Expr:
        token = self._peek
        match token.kind:
            case Kind.NUMBER | Kind.DURATION:
                return NumberLiteral(at=token.at, value=self._quantity())
            case Kind.STRING:
                return StringLiteral(at=self._take().at, value=token.text)
            case Kind.METRIC:
                return self._selector()
            case Kind.WORD:
                return self._named()
            case Kind.SIGN if token.text == "(":
                self._take()
                inner = self._expression(0)
                self._expect(")", "parentheses")
                return Paren(at=token.at, expr=inner)
            case Kind.SIGN if token.text == "{":
                return self._selector()
            case _:
                raise self._unexpected("expected an expression")

    def _named(self) -> Expr:
        word = self._word()
        follows = self._second
        opens = follows.kind is Kind.SIGN and follows.text == "("
        groups = follows.kind is Kind.WORD and follows.text.lower() in {"by", "without"}
        if word in _AGGREGATORS and (opens or groups):
            return self._aggregate()
        if word in {"inf", "nan"}:
            return NumberLiteral(at=self._take().at, value=float(word))
        if opens and word not in _NOT_METRICS | _WORD_OPERATORS:
            return self._call()
        if word in _NOT_METRICS:
            raise self._unexpected("expected an expression")
        return self._selector()

    def _call(self) -> Expr:
        token = self._take()
        name = token.text
        if name.lower() in {"start", "end", "step", "range"}:
            name = name.lower()
        if name in signatures.EXPERIMENTAL_FUNCTIONS:
            raise ExpressionError(
                f"the function {name}() is experimental and not supported", column=token.at + 1
            )
        if name not in signatures.FUNCTIONS:
            renamed = signatures.RENAMED_FUNCTIONS.get(name)
            hint = f"; since Prometheus 3 it is called {renamed}" if renamed else ""
            raise ExpressionError(
                f'unknown function with name "{name[:60]}"{hint}', column=token.at + 1
            )
        return Call(at=token.at, name=name, args=self._arguments())

    def _arguments(self) -> tuple[Expr, ...]:
        self._expect("(", "a function call")
        args: list[Expr] = []
        while not self._sign(")"):
            args.append(self._expression(0))
            if self._sign(",") and self._second.kind is Kind.SIGN and self._second.text == ")":
                raise ExpressionError(
                    "trailing commas not allowed in function call args", column=self._peek.at + 1
                )
            if not self._sign(")") and not self._accept(","):
                raise self._unexpected('expected "," or ")"', "a function call")
        self._take()
        return tuple(args)

    def _aggregate(self) -> Expr:
        token = self._take()
        op = token.text.lower()
        if op in signatures.EXPERIMENTAL_AGGREGATORS:
            raise ExpressionError(
                f"the aggregator {op} is experimental and not supported", column=token.at + 1
            )
        grouping = self._grouping()
        if not self._sign("("):
            raise self._unexpected('expected "("', "aggregation")
        args = self._arguments()
        if grouping is None:
            grouping = self._grouping()
        without, names = grouping or (False, ())
        wanted = 2 if op in signatures.SCALAR_PARAM | signatures.STRING_PARAM else 1
        if len(args) != wanted:
            raise ExpressionError(
                f"wrong number of arguments for aggregate expression provided, "
                f"expected {wanted}, got {len(args)}",
                column=token.at + 1,
            )
        return Aggregate(
            at=token.at,
            op=op,
            expr=args[-1],
            param=args[0] if wanted > 1 else None,
            grouping=names,
            without=without,
        )

    def _grouping(self) -> tuple[bool, tuple[str, ...]] | None:
        word = self._word()
        if word not in {"by", "without"}:
            return None
        self._take()
        return word == "without", self._labels()

    # selectors

    def _selector(self) -> Expr:
        token = self._peek
        name = ""
        if token.kind in {Kind.WORD, Kind.METRIC}:
            name = self._take().text
        matchers: list[Matcher] = []
        if self._accept("{"):
            matchers = self._matchers()
        return VectorSelector(
            at=token.at, name=name, matchers=_with_name(name, matchers, column=token.at + 1)
        )

    def _matchers(self) -> list[Matcher]:
        found: list[Matcher] = []
        while not self._accept("}"):
            found.append(self._matcher())
            if self._word() == "or":
                raise ExpressionError(
                    "`or` between matchers is not PromQL; write two selectors joined by or",
                    column=self._peek.at + 1,
                )
            if not self._sign("}") and not self._accept(","):
                raise self._unexpected('expected "," or "}"', "label matching")
        return found

    def _matcher(self) -> Matcher:
        label = self._peek
        if label.kind not in {Kind.WORD, Kind.STRING}:
            raise self._unexpected('expected identifier or "}"', "label matching")
        self._take()
        op = self._peek.text if self._peek.kind is Kind.SIGN else ""
        if label.kind is Kind.STRING and op in {",", "}"}:
            return Matcher(NAME, Op.EQUAL, label.text)
        if op not in set(Op):
            raise self._unexpected("expected label matching operator", "label matching")
        self._take()
        if self._peek.kind is not Kind.STRING:
            raise self._unexpected("expected string", "label matching")
        value = self._take()
        try:
            return Matcher(_label_name(label), Op(op), value.text)
        except ExpressionError as error:
            raise ExpressionError(str(error), column=error.column or value.at + 1) from None

    def _postfix(self, expr: Expr) -> Expr:
        while True:
            if self._sign("["):
                expr = self._ranged(expr)
            elif self._word() == "offset":
                expr = self._offset(expr)
            elif self._sign("@"):
                expr = self._at_modifier(expr)
            elif self._word() in {"anchored", "smoothed"}:
                raise ExpressionError(
                    f"the modifier {self._word()} is experimental and not supported",
                    column=self._peek.at + 1,
                )
            else:
                return expr

    def _ranged(self, expr: Expr) -> Expr:
        bracket = self._take()
        range_ms = self._positive("subquery or range selector")
        if self._accept(":"):
            step_ms = 0 if self._sign("]") else self._positive("subquery selector")
            self._expect("]", "subquery selector")
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
        if self._peek.kind is Kind.SIGN and self._peek.text in "+-*/%^":
            raise ExpressionError(_EXPERIMENTAL_DURATION, column=self._peek.at + 1)
        if not self._accept("]"):
            raise self._unexpected('expected ":" or "]"', "subquery or range")

    def _positive(self, where: str) -> int:
        token = self._peek
        if self._sign("(") or self._sign("-") or self._sign("+") or token.kind is Kind.WORD:
            raise ExpressionError(_EXPERIMENTAL_DURATION, column=token.at + 1)
        if token.kind not in {Kind.NUMBER, Kind.DURATION}:
            raise self._unexpected("expected number or duration", where)
        length = _milliseconds(self._quantity(), token)
        if length <= 0:
            raise ExpressionError("duration must be greater than 0", column=token.at + 1)
        return length

    def _offset(self, expr: Expr) -> Expr:
        self._take()
        sign = -1 if self._sign("-") else 1
        if self._sign("-") or self._sign("+"):
            self._take()
        token = self._peek
        if self._sign("(") or (token.kind is Kind.WORD and self._second.text == "("):
            raise ExpressionError(_EXPERIMENTAL_DURATION, column=token.at + 1)
        if token.kind not in {Kind.NUMBER, Kind.DURATION}:
            raise self._unexpected("expected number or duration", "offset")
        offset_ms = sign * _milliseconds(self._quantity(), token)
        target = _modifiable(expr, "offset modifier", token)
        if target.offset_ms:
            raise ExpressionError("offset may not be set multiple times", column=token.at + 1)
        return _modified(expr, replace(target, offset_ms=offset_ms))

    def _at_modifier(self, expr: Expr) -> Expr:
        at = self._take()
        word = self._word()
        target = _modifiable(expr, "@ modifier", at)
        if target.fixed_ms is not None or target.edge is not None:
            raise ExpressionError("@ <timestamp> may not be set multiple times", column=at.at + 1)
        if word in {"start", "end"}:
            self._take()
            self._expect("(", "@")
            self._expect(")", "@")
            return _modified(expr, replace(target, edge=Edge(word)))
        sign = -1 if self._sign("-") else 1
        if self._sign("-") or self._sign("+"):
            self._take()
        seconds = float(word) if word in {"inf", "nan"} else 0.0
        if word in {"inf", "nan"}:
            self._take()
        elif self._peek.kind in {Kind.NUMBER, Kind.DURATION}:
            seconds = sign * self._quantity()
        else:
            raise self._unexpected("expected timestamp", "@")
        if not abs(seconds) < 2**63 / 1000:
            raise ExpressionError("timestamp out of bounds for @ modifier", column=at.at + 1)
        return _modified(expr, replace(target, fixed_ms=_rounded(seconds * 1000)))

    def _quantity(self) -> float:
        """Take a number, or a duration as seconds."""
        token = self._take()
        if token.kind is Kind.DURATION:
            try:
                return parse_duration(token.text) / timedelta(seconds=1)
            except ExpressionError as error:
                raise ExpressionError(str(error), column=token.at + max(1, error.column)) from None
        try:
            return number_of(token.text)
        except ValueError:
            raise ExpressionError(
                f'the number "{token.text[:40]}" does not fit', column=token.at + 1
            ) from None


def _label_name(token: Token) -> str:
    if token.kind is Kind.STRING:
        check_label_name(token.text, column=token.at + 1)
    return token.text


def check_label_name(name: str, *, column: int = 0) -> None:
    """Raise ExpressionError unless the name may be a label's: not empty, valid UTF-8."""
    if not name or any("\ud800" <= char < "\ue000" for char in name):
        raise ExpressionError(f'invalid label name "{_printable(name)}"', column=column)


def _printable(name: str) -> str:
    """Return the name with bytes that are no UTF-8 written as escapes."""
    return "".join(f"\\x{ord(c) & 0xFF:02x}" if "\ud800" <= c < "\ue000" else c for c in name)


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
