"""The tokens of one expression as they are read: what comes next, and what should have come."""

from __future__ import annotations

import math
from datetime import timedelta

from stewardmon.domain.quantity import parse_duration
from stewardmon.errors import ExpressionError
from stewardmon.promql.lexer import Kind, Token, tokens


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


class TokenStream:
    """Reads tokens one after the other; errors carry the column of the token they are about."""

    def __init__(self, text: str) -> None:
        self._tokens = list(tokens(text))
        self._at = 0

    @property
    def peek(self) -> Token:
        """The token that comes next."""
        return self._tokens[self._at]

    @property
    def second(self) -> Token:
        """The token after the next."""
        return self._tokens[min(self._at + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Take the next token."""
        token = self._tokens[self._at]
        if token.kind is not Kind.END:
            self._at += 1
        return token

    def done(self) -> bool:
        """Say whether everything was read."""
        return self._tokens[self._at].kind is Kind.END

    def sign(self, text: str) -> bool:
        """Say whether the sign comes next."""
        return self.peek.kind is Kind.SIGN and self.peek.text == text

    def word(self) -> str:
        """Return the word that comes next as a keyword would be written, else nothing."""
        return self.peek.text.lower() if self.peek.kind is Kind.WORD else ""

    def accept(self, sign: str) -> bool:
        """Take the sign where it comes next; say whether it did."""
        if self.sign(sign):
            self._at += 1
            return True
        return False

    def expect(self, sign: str, where: str) -> Token:
        """Take the sign; raises ExpressionError where something else comes next."""
        if not self.sign(sign):
            raise self.unexpected(f'expected "{sign}"', where)
        return self.take()

    def unexpected(self, expected: str, where: str = "") -> ExpressionError:
        """Return the error that says what comes next, and what should."""
        inside = f" in {where}" if where else ""
        return ExpressionError(
            f"unexpected {self.peek}{inside}, {expected}", column=self.peek.at + 1
        )

    def labels(self) -> tuple[str, ...]:
        """Take a list of label names in parentheses."""
        self.expect("(", "grouping opts")
        names: list[str] = []
        while not self.sign(")"):
            if self.peek.kind not in {Kind.WORD, Kind.STRING}:
                raise self.unexpected("expected label", "grouping opts")
            token = self.take()
            names.append(label_name(token))
            if not self.sign(")") and not self.accept(","):
                raise self.unexpected('expected "," or ")"', "grouping opts")
        self.take()
        return tuple(names)

    def quantity(self) -> float:
        """Take a number, or a duration as seconds."""
        token = self.take()
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


def label_name(token: Token) -> str:
    """Return the label name that a word or a quoted text names."""
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
