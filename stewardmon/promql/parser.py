"""Tokens to a tree: the grammar of PromQL 3, stable part, with a column in every refusal.

A hand-written precedence climber, because what reads rules must point at the mistake, and must
survive any text that somebody sends (the packaged parsers do neither). Precedence from Prometheus'
documentation; checked in the tests against the maintained `promql-parser`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Final

from stewardmon.errors import ExpressionError
from stewardmon.promql import signatures
from stewardmon.promql.lexer import Kind
from stewardmon.promql.nodes import (
    COMPARISONS,
    SETS,
    Aggregate,
    Binary,
    Call,
    Card,
    Expr,
    Matching,
    NumberLiteral,
    Paren,
    StringLiteral,
    Unary,
)
from stewardmon.promql.selectors import SelectorReader

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


@lru_cache(maxsize=1024)  # trees are frozen; reloads and rule tests read the same rules again
def parse(text: str) -> Expr:
    """Return the tree of the expression.

    Raises ExpressionError: one sentence and the column. Types are not checked here.
    """
    return _Parser(text).whole()


class _Parser(SelectorReader):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def whole(self) -> Expr:
        if self.done():
            raise ExpressionError("no expression found in input", column=1)
        expr = self._expression(0)
        if not self.done():
            raise self.unexpected("expected an operator or the end of the expression")
        return expr

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
                f"the expression nests deeper than {MAX_DEPTH} levels", column=self.peek.at + 1
            )

    def _operator(self) -> str:
        token = self.peek
        if token.kind is Kind.SIGN:
            if token.text in {"</", ">/"}:
                raise ExpressionError(
                    f"the operator {token.text} is for native histograms and not supported",
                    column=token.at + 1,
                )
            return token.text
        return self.word() if self.word() in _WORD_OPERATORS else ""

    def _binary(self, left: Expr, precedence: int) -> Expr:
        op = self._operator()
        op_at = self.take().at
        returns_bool = self.word() == "bool" and self.take() is not None
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
        word = self.word()
        if word not in {"on", "ignoring"}:
            return Matching(card=default)
        self.take()
        found = Matching(card=default, on=word == "on", labels=self.labels(), written=True)
        side = self.word()
        if side in {"group_left", "group_right"}:
            self.take()
            include = self.labels() if self.sign("(") else ()
            card = Card.MANY_TO_ONE if side == "group_left" else Card.ONE_TO_MANY
            found = replace(found, card=card, include=include)
        return found

    def _refuse_fill(self) -> None:
        is_fill = self.word() in {"fill", "fill_left", "fill_right"}
        if is_fill and self.second.kind is Kind.SIGN and self.second.text == "(":
            raise ExpressionError(
                f"the modifier {self.word()}() is experimental and not supported",
                column=self.peek.at + 1,
            )

    def _unary(self) -> Expr:
        if not (self.sign("+") or self.sign("-")):
            return self.postfix(self._primary())
        sign = self.take()
        inner = self._expression(_UNARY)
        if isinstance(inner, NumberLiteral):
            return NumberLiteral(
                at=sign.at, value=-inner.value if sign.text == "-" else inner.value
            )
        return Unary(at=sign.at, op=sign.text, expr=inner)

    # what stands alone

    def _primary(self) -> Expr:
        token = self.peek
        match token.kind:
            case Kind.NUMBER | Kind.DURATION:
                return NumberLiteral(at=token.at, value=self.quantity())
            case Kind.STRING:
                return StringLiteral(at=self.take().at, value=token.text)
            case Kind.METRIC:
                return self.selector()
            case Kind.WORD:
                return self._named()
            case Kind.SIGN if token.text == "(":
                self.take()
                inner = self._expression(0)
                self.expect(")", "parentheses")
                return Paren(at=token.at, expr=inner)
            case Kind.SIGN if token.text == "{":
                return self.selector()
            case _:
                raise self.unexpected("expected an expression")

    def _named(self) -> Expr:
        word = self.word()
        follows = self.second
        opens = follows.kind is Kind.SIGN and follows.text == "("
        groups = follows.kind is Kind.WORD and follows.text.lower() in {"by", "without"}
        if word in _AGGREGATORS and (opens or groups):
            return self._aggregate()
        if word in {"inf", "nan"}:
            return NumberLiteral(at=self.take().at, value=float(word))
        if opens and word not in _NOT_METRICS | _WORD_OPERATORS:
            return self._call()
        if word in _NOT_METRICS:
            raise self.unexpected("expected an expression")
        return self.selector()

    def _call(self) -> Expr:
        token = self.take()
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
        self.expect("(", "a function call")
        args: list[Expr] = []
        while not self.sign(")"):
            args.append(self._expression(0))
            if self.sign(",") and self.second.kind is Kind.SIGN and self.second.text == ")":
                raise ExpressionError(
                    "trailing commas not allowed in function call args", column=self.peek.at + 1
                )
            if not self.sign(")") and not self.accept(","):
                raise self.unexpected('expected "," or ")"', "a function call")
        self.take()
        return tuple(args)

    def _aggregate(self) -> Expr:
        token = self.take()
        op = token.text.lower()
        if op in signatures.EXPERIMENTAL_AGGREGATORS:
            raise ExpressionError(
                f"the aggregator {op} is experimental and not supported", column=token.at + 1
            )
        grouping = self._grouping()
        if not self.sign("("):
            raise self.unexpected('expected "("', "aggregation")
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
        word = self.word()
        if word not in {"by", "without"}:
            return None
        self.take()
        return word == "without", self.labels()
