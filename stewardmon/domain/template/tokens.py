"""The tokens of a Go text/template: text between actions, and what stands inside them.

Source: pkg.go.dev/text/template (delimiters, trim markers, comments, constants).
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stewardmon.errors import ExpressionError


class Kind(StrEnum):
    """What a token is."""

    TEXT = "text"
    OPEN = "{{"
    CLOSE = "}}"
    SPACE = "space"
    ASSIGN = "="
    DECLARE = ":="
    PIPE = "|"
    COMMA = ","
    LEFT = "("
    RIGHT = ")"
    DOT = "."
    FIELD = "field"
    VARIABLE = "variable"
    IDENTIFIER = "name"
    KEYWORD = "keyword"
    BOOL = "bool"
    NIL = "nil"
    NUMBER = "number"
    STRING = "string"
    RAW = "raw string"
    CHAR = "character"
    END = "end of the template"


@dataclass(frozen=True, slots=True)
class Token:
    """One token; `at` counts characters from 0."""

    kind: Kind
    text: str
    at: int


_KEYWORDS: Final = frozenset(
    ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"]
)
_SPACE: Final = " \t\r\n"
_INSIDE: Final = (
    (Kind.SPACE, re.compile(r"[ \t\r\n]+")),
    (Kind.DECLARE, re.compile(r":=")),
    (Kind.ASSIGN, re.compile(r"=")),
    (Kind.PIPE, re.compile(r"\|")),
    (Kind.COMMA, re.compile(r",")),
    (Kind.LEFT, re.compile(r"\(")),
    (Kind.RIGHT, re.compile(r"\)")),
    (Kind.STRING, re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')),
    (Kind.RAW, re.compile(r"`[^`]*`")),
    (Kind.CHAR, re.compile(r"'(?:[^'\\\n]|\\[^\n])*'")),
    (Kind.NUMBER, re.compile(r"(?=[+-]?\.?[0-9])[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?"
                             r"(?:[pP][+-]?[0-9_]*)?|0[oObB][0-9_]*"
                             r"|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)")),
    (Kind.FIELD, re.compile(r"\.\w+")),
    (Kind.DOT, re.compile(r"\.")),
    (Kind.VARIABLE, re.compile(r"\$\w*")),
    (Kind.IDENTIFIER, re.compile(r"[^\W\d]\w*")),
)  # fmt: skip
# A word must end where one of these stands, so that `$x-1` or `a:b` is refused and not misread.
_WORDS: Final = frozenset({Kind.FIELD, Kind.DOT, Kind.VARIABLE, Kind.IDENTIFIER})
_TERMINATORS: Final = _SPACE + ".,|:)("


def tokens(text: str) -> list[Token]:
    """Return the tokens of a template, END last.

    Raises ExpressionError, with the column, for whatever is not one.
    """
    return list(_Lexer(text).run())


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def run(self) -> Iterator[Token]:
        trim = False
        while True:
            start = self._at
            opened = self._text.find("{{", start)
            end = len(self._text) if opened < 0 else opened
            piece = self._text[start:end]
            trim_next = opened >= 0 and self._trims_before(opened)
            piece = piece.lstrip(_SPACE) if trim else piece
            piece = piece.rstrip(_SPACE) if trim_next else piece
            if piece:
                yield Token(Kind.TEXT, piece, start)
            if opened < 0:
                yield Token(Kind.END, "", len(self._text))
                return
            self._at = opened + (3 if trim_next else 2)
            if self._text.startswith("/*", self._after_space() if trim_next else self._at):
                self._at = self._after_space() if trim_next else self._at
                trim = self._comment(opened)
                continue
            yield Token(Kind.OPEN, "{{", opened)
            trim = yield from self._inside(opened)

    def _trims_before(self, opened: int) -> bool:
        after = self._text[opened + 2 : opened + 4]
        return len(after) == 2 and after[0] == "-" and after[1] in _SPACE

    def _after_space(self) -> int:
        at = self._at
        while at < len(self._text) and self._text[at] in _SPACE:
            at += 1
        return at

    def _comment(self, opened: int) -> bool:
        """Step over a comment; say whether its end trims the text that follows."""
        closed = self._text.find("*/", self._at + 2)
        if closed < 0:
            raise _error("the comment is not closed: it ends with */}}", opened)
        self._at = closed + 2
        trim = self._closing()
        if trim is None:
            raise _error("a comment must end with */}} directly", closed)
        return trim

    def _closing(self) -> bool | None:
        """Step over `}}` or ` -}}`; say whether it trims, None where neither stands here."""
        if self._text.startswith("}}", self._at):
            self._at += 2
            return False
        if self._text[self._at : self._at + 1] in tuple(_SPACE) and self._text.startswith(
            "-}}", self._at + 1
        ):
            self._at += 4
            return True
        return None

    def _inside(self, opened: int) -> Generator[Token, None, bool]:
        depth = 0
        while True:
            at = self._at
            trim = self._closing()
            if trim is not None:
                if depth:
                    raise _error("a ( of this action is not closed", opened)
                yield Token(Kind.CLOSE, "}}", at)
                return trim
            token = self._token(opened)
            depth += {Kind.LEFT: 1, Kind.RIGHT: -1}.get(token.kind, 0)
            if depth < 0:
                raise _error("a ) without its (", token.at)
            yield token

    def _token(self, opened: int) -> Token:
        at = self._at
        if at >= len(self._text):
            raise _error("the action is not closed: }} is missing", opened)
        for kind, pattern in _INSIDE:
            found = pattern.match(self._text, at)
            if found is not None:
                return self._accept(kind, found[0], at)
        raise _error(_unexpected(self._text[at]), at)

    def _accept(self, kind: Kind, text: str, at: int) -> Token:
        if kind is Kind.SPACE and self._text.startswith("-}}", at + len(text)) and len(text) > 1:
            text = text[:-1]  # the last blank belongs to the trim marker
        self._at = at + len(text)
        following = self._text[self._at : self._at + 1]
        ends = following in _TERMINATORS or self._text.startswith("}}", self._at)
        if kind in _WORDS and not ends:
            raise _error(_unexpected(following), self._at)
        if kind is Kind.NUMBER and (following.isalnum() or following == "_"):
            raise _error(f"{text + following!r} is not a number", at)
        if kind is Kind.IDENTIFIER:
            kind = _word(text)
        return Token(kind, text, at)


def _word(text: str) -> Kind:
    if text in _KEYWORDS:
        return Kind.KEYWORD
    if text in {"true", "false"}:
        return Kind.BOOL
    return Kind.NIL if text == "nil" else Kind.IDENTIFIER


def _unexpected(character: str) -> str:
    if character in "\"'`":
        return f"a text that begins with {character} does not end"
    hint = "; templates have no arithmetic: compute it in the expression" * (character in "*/%+-<>")
    return f"unexpected {character!r} in an action{hint}"


def _error(message: str, at: int) -> ExpressionError:
    return ExpressionError(message, column=at + 1)
