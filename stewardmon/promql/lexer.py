"""Text to tokens: what the parser reads, each token with its offset.

Grammar: prometheus.io/docs/prometheus/latest/querying/basics/. Whether a word is a keyword depends
on where it stands (`sum`, `by` and `offset` may be metric names), so words stay words here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stewardmon.errors import ExpressionError

MAX_TEXT: Final = 100_000
"""Characters; an expression longer than this is a mistake or an attack."""


class Kind(StrEnum):
    """The kinds of token."""

    WORD = "identifier"
    METRIC = "metric identifier"
    NUMBER = "number"
    DURATION = "duration"
    STRING = "string"
    SIGN = "sign"
    END = "end of input"


@dataclass(frozen=True, slots=True)
class Token:
    """One token: for a string, `text` is its content after unquoting."""

    kind: Kind
    text: str
    at: int

    def __str__(self) -> str:
        match self.kind:
            case Kind.END:
                return "end of input"
            case Kind.SIGN:
                return f'"{self.text}"'
            case Kind.STRING:
                return f"string {self.text[:40]!r}"
            case _:
                return f'{self.kind} "{self.text[:40]}"'


_SPACE: Final = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)+")
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_METRIC: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")
_NUMBER: Final = re.compile(
    r"0[xX]_?[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*"
    r"|(?:[0-9]+(?:_[0-9]+)*(?:\.(?:[0-9]+(?:_[0-9]+)*)?)?|\.[0-9]+(?:_[0-9]+)*)"
    r"(?:[eE][+-]?[0-9]+(?:_[0-9]+)*)?"
)
_DURATION: Final = re.compile(r"(?:[0-9]+(?:ms|[ywdhms]))+")
_TAIL: Final = re.compile(r"[0-9A-Za-z_.]+")
_SIGNS: Final = ("==", "!=", "=~", "!~", "<=", ">=", "</", ">/", *"+-*/%^=<>(){}[],:@")


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of the text, the last one of kind END.

    Raises ExpressionError with the column of what cannot be read.
    """
    if len(text) > MAX_TEXT:
        raise ExpressionError(
            f"the expression has {len(text)} characters; at most {MAX_TEXT} are read"
        )
    at, brackets, braces = 0, 0, 0
    while True:
        space = _SPACE.match(text, at)
        at = space.end() if space else at
        if at >= len(text):
            yield Token(Kind.END, "", at)
            return
        token, at = _next(text, at, plain=not brackets and not braces)
        if token.kind is Kind.SIGN:
            brackets += (token.text == "[") - (token.text == "]")
            braces += (token.text == "{") - (token.text == "}")
        yield token


def _next(text: str, at: int, *, plain: bool) -> tuple[Token, int]:
    char = text[at]
    if char in "\"'`":
        return _string(text, at)
    if char.isdecimal() or (char == "." and text[at + 1 : at + 2].isdecimal()):
        return _number(text, at)
    word = (_METRIC if plain else _WORD).match(text, at)
    if word:
        kind = Kind.METRIC if ":" in word[0] else Kind.WORD
        return Token(kind, word[0], at), word.end()
    for sign in _SIGNS:
        if text.startswith(sign, at):
            return Token(Kind.SIGN, sign, at), at + len(sign)
    raise ExpressionError(f"unexpected character {char!r}", column=at + 1)


def _number(text: str, at: int) -> tuple[Token, int]:
    for kind, pattern in ((Kind.NUMBER, _NUMBER), (Kind.DURATION, _DURATION)):
        found = pattern.match(text, at)
        if found and not _TAIL.match(text, found.end()):
            return Token(kind, found[0], at), found.end()
    tail = _TAIL.match(text, at)
    shown = (tail[0] if tail else text[at])[:40]
    raise ExpressionError(f'bad number or duration syntax "{shown}"', column=at + 1)


def _string(text: str, at: int) -> tuple[Token, int]:
    quote = text[at]
    if quote == "`":
        end = text.find("`", at + 1)
        if end < 0:
            raise ExpressionError("unterminated raw string", column=at + 1)
        return Token(Kind.STRING, text[at + 1 : end], at), end + 1
    raw = bytearray()
    here = at + 1
    while True:
        char = text[here : here + 1]
        if char in {"", "\n"}:
            raise ExpressionError("unterminated quoted string", column=at + 1)
        if char == quote:
            return Token(Kind.STRING, raw.decode("utf-8", "surrogateescape"), at), here + 1
        if char == "\\":
            here = _escape(text, here, quote, raw)
        else:
            raw += char.encode("utf-8", "surrogateescape")
            here += 1


_SIMPLE: Final = {
    "a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v", "\\": b"\\",
}  # fmt: skip
_CODED: Final = (
    (re.compile(r"\\([0-7]{3})"), 8, True),
    (re.compile(r"\\x([0-9a-fA-F]{2})"), 16, True),
    (re.compile(r"\\u([0-9a-fA-F]{4})"), 16, False),
    (re.compile(r"\\U([0-9a-fA-F]{8})"), 16, False),
)


def _escape(text: str, at: int, quote: str, raw: bytearray) -> int:
    """Add what the escape sequence at `at` stands for; return where the text goes on."""
    letter = text[at + 1 : at + 2]
    if letter == quote or letter in _SIMPLE:
        raw += quote.encode() if letter == quote else _SIMPLE[letter]
        return at + 2
    for pattern, base, is_byte in _CODED:
        found = pattern.match(text, at)
        if found:
            code = int(found[1], base)
            if is_byte and code <= 0xFF:
                raw.append(code)
                return found.end()
            if not is_byte and code <= 0x10FFFF and not 0xD800 <= code < 0xE000:
                raw += chr(code).encode()
                return found.end()
    raise ExpressionError(
        f"unknown or unfinished escape sequence \\{letter} in a string; "
        "write \\\\ for a backslash, or quote the text with backticks",
        column=at + 1,
    )
