"""The functions that Go's text/template brings along: comparison, logic, length, index, printing.

Source: pkg.go.dev/text/template#hdr-Functions. `and` and `or` decide before all of their
arguments are evaluated and therefore live in run.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote_plus

from stewardmon.domain.template.gofmt import plain, sprint, sprintln
from stewardmon.domain.template.printf import sprintf
from stewardmon.domain.template.values import (
    QueryResult,
    StringMap,
    TemplateError,
    Value,
    bounded,
    truth,
    type_name,
)

_HTML: Final = {
    "\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;",
}  # fmt: skip
_JS: Final = {
    "\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026",
    "=": "\\u003D",
}  # fmt: skip
_INCOMPATIBLE: Final = "incompatible types for comparison"


def _kind(value: Value) -> str:
    """Return Go's basic kind: what may be compared with what."""
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "bool"
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind.__name__
    return "other"


def eq(first: Value, *others: Value) -> bool:
    """Say whether the first equals any of the others."""
    if not others:
        raise TemplateError("missing argument for comparison")
    return any(_equal(first, other) for other in others)


def _equal(first: Value, other: Value) -> bool:
    kind = _kind(first)
    if first is None or other is None:
        return first is None and other is None
    if kind != _kind(other):
        raise TemplateError(_INCOMPATIBLE)
    if isinstance(first, dict | list):
        raise TemplateError(f"non-comparable type {plain(first)}: {type_name(first)}")
    return bool(first == other)


def ne(first: Value, other: Value) -> bool:
    """Say whether the two differ."""
    return not _equal(first, other)


def lt(first: Value, other: Value) -> bool:
    """Say whether the first is smaller; only two ints, two floats or two strings compare."""
    kind = _kind(first)
    if {kind, _kind(other)} & {"other", "nil"}:
        raise TemplateError("invalid type for comparison")
    if kind != _kind(other):
        raise TemplateError(_INCOMPATIBLE)
    if kind == "bool":
        raise TemplateError("invalid type for comparison")
    return bool(first < other)


def le(first: Value, other: Value) -> bool:
    """Say whether the first is smaller or equal."""
    return lt(first, other) or _equal(first, other)


def gt(first: Value, other: Value) -> bool:
    """Say whether `le` is false: NaN is greater than everything, as in Go's templates."""
    return not le(first, other)


def ge(first: Value, other: Value) -> bool:
    """Say whether `lt` is false: see `gt`."""
    return not lt(first, other)


def _not(value: Value) -> bool:
    return not truth(value)


def length(value: Value) -> int:
    """Return the number of elements, of a string the bytes."""
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogatepass"))
    if isinstance(value, dict | list):
        return len(value)
    if value is None:
        raise TemplateError("len of nil pointer")
    raise TemplateError(f"len of type {type_name(value)}")


def index(value: Value, *keys: Value) -> Value:
    """Return `value[key1][key2]…`; a label that is missing is empty."""
    if value is None:
        raise TemplateError("index of untyped nil")
    for key in keys:
        value = _element(value, key)
    return value


def _element(value: Value, key: Value) -> Value:
    if isinstance(value, dict):
        if not isinstance(key, str):
            raise TemplateError(_wrong_key(key))
        return value.get(key, "" if isinstance(value, StringMap) else None)
    if isinstance(value, str | QueryResult):
        items = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
        return items[_position(key, len(items))]
    if value is None:
        raise TemplateError("index of nil pointer")
    raise TemplateError(f"can't index item of type {type_name(value)}")


def _wrong_key(key: Value) -> str:
    if key is None:
        return "value is nil; should be string"
    return f"value has type {type_name(key)}; should be string"


def _position(key: Value, size: int, *, end: bool = False) -> int:
    if key is None:
        raise TemplateError("cannot index slice/array with nil")
    if not isinstance(key, int) or isinstance(key, bool):
        raise TemplateError(f"cannot index slice/array with type {type_name(key)}")
    if not 0 <= key < size + end:
        raise TemplateError(f"index out of range: {key}")
    return key


def slice_(value: Value, *positions: Value) -> Value:
    """Return a part of a string (counted in bytes) or of a query's result."""
    if value is None:
        raise TemplateError("slice of untyped nil")
    if len(positions) > 3:
        raise TemplateError(f"too many slice indexes: {len(positions)}")
    if not isinstance(value, str | QueryResult):
        raise TemplateError(f"can't slice item of type {type_name(value)}")
    if len(positions) > 2 and isinstance(value, str):
        raise TemplateError("cannot 3-index slice a string")
    items = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value
    bounds = [_position(position, len(items), end=True) for position in positions]
    start, stop = (*bounds, *(0, len(items))[len(bounds) :])[:2]
    if start > stop:
        raise TemplateError(f"invalid slice index: {start} > {stop}")
    part = items[start:stop]
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else QueryResult(part)


def _one_text(values: tuple[Value, ...]) -> str:
    return bounded(sprint(*("<no value>" if value is None else value for value in values)))


def html(*values: Value) -> str:
    """Return the values' text with what HTML reserves escaped."""
    return bounded("".join(_HTML.get(character, character) for character in _one_text(values)))


def js(*values: Value) -> str:
    """Return the values' text, escaped for a JavaScript string."""
    return bounded("".join(_js(character) for character in _one_text(values)))


def _js(character: str) -> str:
    if character in _JS:
        return _JS[character]
    code = ord(character)
    if code < 0x20 or (code > 0x7F and not character.isprintable()):
        return f"\\u{code:04X}"
    return character


def urlquery(*values: Value) -> str:
    """Return the values' text, escaped for a URL's query."""
    return bounded(query_escape(_one_text(values)))


def query_escape(text: str) -> str:
    """Return Go's url.QueryEscape."""
    return quote_plus(re.sub("[\ud800-\udfff]", "\ufffd", text), safe="-_.~")


def _print(*values: Value) -> str:
    return bounded(sprint(*values))


def _println(*values: Value) -> str:
    return bounded(sprintln(*values))


def _call(function: Value, *_: Value) -> Value:
    if function is None:
        raise TemplateError("call of nil")
    raise TemplateError(f"non-function of type {type_name(function)}")


# Each function with the types of its parameters, written as Go's signatures are: the last one
# with `...` may come any number of times, `any` takes whatever there is.
BUILTINS: Final[dict[str, tuple[Callable[..., Value], tuple[str, ...]]]] = {
    "eq": (eq, ("any", "...any")),
    "ne": (ne, ("any", "any")),
    "lt": (lt, ("any", "any")),
    "le": (le, ("any", "any")),
    "gt": (gt, ("any", "any")),
    "ge": (ge, ("any", "any")),
    "not": (_not, ("any",)),
    "len": (length, ("any",)),
    "index": (index, ("any", "...any")),
    "slice": (slice_, ("any", "...any")),
    "html": (html, ("...any",)),
    "js": (js, ("...any",)),
    "urlquery": (urlquery, ("...any",)),
    "print": (_print, ("...any",)),
    "println": (_println, ("...any",)),
    "printf": (sprintf, ("string", "...any")),
    "call": (_call, ("any", "...any")),
}
