"""Matchers as Alertmanager writes them: `severity=~"warn.*"`, several with commas between."""

from __future__ import annotations

import re
from typing import Final

from stewardmon.domain.labels import Matcher, Op
from stewardmon.errors import ExpressionError

_MATCHER: Final = re.compile(
    r"\s*(?:\"(?P<quoted_name>[^\"]+)\"|(?P<name>[a-zA-Z_:][a-zA-Z0-9_:.-]*))\s*"
    r"(?P<op>=~|!~|!=|=)\s*"
    r"(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<bare>(?:[^\s\"{},=~!][^\s\"{},]*)?))\s*",
    re.DOTALL,
)
_ONE: Final = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?P<op>=~|!~|!=|=)\s*"
    r"(?:\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<bare>(?:[^\"\\]|\\.)*\\?))",
    re.DOTALL,
)
_ESCAPES: Final = {"n": "\n", '"': '"', "\\": "\\"}


def read_matchers(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of `a="b"`, `a=b, c!~"d.*"` or `{a="b"}`.

    Raises ExpressionError, with the column, for anything else.
    """
    body, shift = text, 0
    stripped = text.strip()
    if stripped.startswith("{") and stripped.endswith("}"):
        shift = text.index("{") + 1
        body = text[shift : text.rindex("}")]
    found, at = [], 0
    while at < len(body):
        match = _MATCHER.match(body, at)
        at = match.end() if match else at
        if match is None or body[at : at + 1] not in {"", ","}:
            raise ExpressionError(
                f'{text[:60]!r} is no matcher: write one such as severity="warning", with = != =~ '
                "or !~, several with commas between",
                column=shift + at + 1,
            )
        found.append(_matcher(match))
        at += 1
    if not found:
        raise ExpressionError("a matcher is missing", column=1)
    return tuple(found)


def read_filter(text: str) -> tuple[Matcher, ...]:
    """Return the matchers of a `filter` parameter, which in Alertmanager's API holds just one.

    Everything after the operator is its value there, commas and equals signs too. What is none
    is read as people write several. Raises ExpressionError.
    """
    match = _ONE.fullmatch(text.strip())
    return read_matchers(text) if match is None else (_single(match),)


def _single(match: re.Match[str]) -> Matcher:
    quoted = match["quoted"]
    text = match["bare"] if quoted is None else quoted
    return Matcher(match["name"], Op(match["op"]), _unescaped(text))


def _matcher(match: re.Match[str]) -> Matcher:
    quoted = match["quoted"]
    text = match["bare"] if quoted is None else _unescaped(quoted)
    return Matcher(match["quoted_name"] or match["name"], Op(match["op"]), text)


def _unescaped(text: str) -> str:
    # Alertmanager keeps an unknown escape as it is: `\.` stays a regular expression's.
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), text, flags=re.DOTALL)
