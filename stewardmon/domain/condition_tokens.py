"""The tokens of short conditions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stewardmon.errors import ExpressionError


class Kind(StrEnum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    WINDOW = "window"
    SIGN = "sign"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `at` counts characters from 0."""

    kind: Kind
    text: str
    at: int

    @property
    def column(self) -> int:
        """Return the place as people count it, from 1."""
        return self.at + 1

    def __str__(self) -> str:
        return "the end" if self.kind is Kind.END else repr(self.text[:40])


_TOKENS: Final = re.compile(
    r"(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3}(?![A-Za-z0-9]))?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<string>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
    r"|(?P<window>\[[^\]]*\])"
    r"|(?P<sign>=~|!~|>=|<=|==|!=|[-><=()+*/{},%])"
    r"|(?P<space>\s+)",
    re.ASCII | re.DOTALL,
)
_HINTS: Final = {
    "&": "write and",
    "|": "write or",
    "!": "there is no not: turn the comparison around, or write !=",
    "$": "placeholders stand in vocabulary:, not in conditions",
    "[": "a window is closed with ]",
    '"': "the text is closed with a second quotation mark",
    "'": "the text is closed with a second quotation mark",
}


def tokens(text: str) -> list[Token]:
    """Return the tokens, END last; raises ExpressionError for what is none."""
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            hint = _HINTS.get(text[at], "a condition reads like error_rate > 5%")
            raise ExpressionError(f"unexpected {text[at]!r}: {hint}", column=at + 1)
        if match.lastgroup != "space":
            found.append(Token(Kind(match.lastgroup or ""), match[0], at))
        at = match.end()
    found.append(Token(Kind.END, "", len(text)))
    return found
