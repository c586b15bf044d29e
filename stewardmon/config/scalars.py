"""Plain values as YAML 1.2's core schema types them: no `on`, no `10:00` = 600, no octal, no dates.

Source: yaml.org/spec/1.2.2/#103-core-schema, less its `0o` and `0x` integers (left as text) and
less numbers with leading zeros (left as text, so that a telephone number keeps them).
"""

from __future__ import annotations

import re
from typing import Any, Final

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INTEGER: Final = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})")
_REAL: Final = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INFINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
_NAN: Final = frozenset({".nan", ".NaN", ".NAN"})
_LONGEST_NUMBER: Final = 40


def typed(text: str) -> Any:
    """Return what an unquoted value means: None, a boolean, a number, or the text itself."""
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    if text[0] not in "-+.0123456789" or len(text) > _LONGEST_NUMBER:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _REAL.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text) or text in _NAN:
        return float(text.replace(".", "").lower())
    return text
