"""Constants of a template: Go's strings, characters and numbers as values."""

from __future__ import annotations

import math
import re
from typing import Final

from stewardmon.domain.template.tokens import Kind, Token
from stewardmon.errors import ExpressionError

_ESCAPE: Final = re.compile(
    r"""\\(?:([abfnrtv\\'"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))""",
    re.DOTALL,
)
_SIMPLE: Final = dict(zip("abfnrtv\\'\"", "\a\b\f\n\r\t\v\\'\"", strict=True))
_DIGITS: Final = re.compile(r"[0-9a-fA-FxXoO.pP+-]{1,400}")
_INTEGER: Final = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[0-9]+)")
_UNDERSCORE: Final = re.compile(r"(?<=[0-9a-fA-FxXoObB])_(?=[0-9a-fA-F])")


def unquote(token: Token) -> str:
    """Return the text of a string or raw string; raises ExpressionError for a bad escape."""
    inside = token.text[1:-1]
    if token.kind is Kind.RAW:
        return inside.replace("\r", "")
    mark = token.text[0]

    def escape(found: re.Match[str]) -> str:
        simple, x, u, long, octal, _ = found.groups()
        if simple and simple not in {"'", '"'} - {mark}:
            return _SIMPLE[simple]
        code = int(x or u or long, 16) if x or u or long else int(octal, 8) if octal else -1
        if 0 <= code < 0xD800 or 0xE000 <= code <= 0x10FFFF:
            return chr(code)
        raise ExpressionError(
            f"{found[0]!r} is no escape of Go's strings; `…` takes everything as it stands",
            column=token.at + 1 + found.start() + 1,
        )

    return _ESCAPE.sub(escape, inside)


def character(token: Token) -> int:
    """Return the code of a character constant, which is an int to Go."""
    text = unquote(token)
    if len(text) != 1:
        raise ExpressionError(f"{token.text} is not one character", column=token.at + 1)
    return ord(text)


def number(token: Token) -> int | float:
    """Return an int, or a float where a point or an exponent is written, as Go decides it."""
    text = _UNDERSCORE.sub("", token.text)
    value = _read(text) if _DIGITS.fullmatch(text) else None
    if value is None or math.isinf(value):
        raise ExpressionError(f"{token.text[:40]!r} is not a number", column=token.at + 1)
    return value


def _read(text: str) -> int | float | None:
    try:
        if _INTEGER.fullmatch(text):
            return _integer(text)
        return float.fromhex(text) if "x" in text.lower() else float(text)
    except (ValueError, OverflowError):
        return None


def _integer(text: str) -> int | None:
    # A leading zero is octal in Go.
    digits = text.lstrip("+-")
    old_octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    value = int(digits, 8 if old_octal else 0) * (-1 if text[0] == "-" else 1)
    return value if -(2**63) <= value < 2**63 else None
