"""pydantic's findings in words for people: what is wrong, and what would be right."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from stewardmon.config.nodes import Entries, Items, Node, Scalar
from stewardmon.domain.alike import alike

_SHOWN_AT_MOST: Final = 60
_LISTED_AT_MOST: Final = 16
_WANTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number of sensible size",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "model_type": "a mapping",
    "dataclass_type": "a mapping",
    "model_attributes_type": "a mapping",
    "time_delta_type": "a duration such as 30s, 5m or 1h",
    "time_delta_parsing": "a duration such as 30s, 5m or 1h",
}
_COMPARED: Final[Mapping[str, tuple[str, str]]] = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def sentence(problem: Any, key: str, node: Node, what: str) -> str:
    """Return one finding of pydantic as a sentence about `key`, whose value is `node`."""
    kind, context = problem["type"], problem.get("ctx", {})
    if isinstance(node, Scalar) and node.value is None:
        return f"{key or what} has no value: write one, or leave the key out"
    subject = f"{key} {shown(node)}" if key else f"{what} {shown(node)}"
    if kind in _WANTED:
        return f"{key or what} must be {_WANTED[kind]}, not {_kind_of(node)}"
    if kind in _COMPARED:
        name, words = _COMPARED[kind]
        return f"{subject} {words} {context[name]}"
    if kind in {"literal_error", "enum"}:
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        written = node.text if isinstance(node, Scalar) else ""
        return f"{subject} is not known for {what}{suggestion(written, choices, 'one of')}"
    if kind in {"value_error", "assertion_error"}:
        return _own(str(context.get("error", problem["msg"])), key, what)
    if kind in {"too_short", "string_too_short"}:
        least = "nothing" if context["min_length"] == 1 else "too few"
        return f"{key or what} holds {least}: {what} needs at least {context['min_length']}"
    if kind in {"too_long", "string_too_long"}:
        return f"{key or what} holds more than {context['max_length']}, the most for {what}"
    return f"{subject}: {problem['msg'][:1].lower()}{problem['msg'][1:]}"


def _own(message: str, key: str, what: str) -> str:
    """Return a validator's own sentence, led by the key where it does not name it."""
    if key and message.startswith((f"{key} ", f"{key}:")):
        return message
    return f"{key or what}: {message}"


def shown(node: Node) -> str:
    """Return a value as messages show it: short, and never what the environment held."""
    match node:
        case Scalar(secrets=secrets) if secrets:
            return " ".join(f"${{{name}}}" for name in secrets)
        case Scalar(value=None):
            return "nothing"
        case Scalar(text=text):
            flat = " ".join(text.split())
            return flat if len(flat) <= _SHOWN_AT_MOST else flat[:_SHOWN_AT_MOST] + "…"
        case Items():
            return "a list"
        case Entries():
            return "a mapping"


def _kind_of(node: Node) -> str:
    match node:
        case Items():
            return "a list"
        case Entries():
            return "a mapping"
        case Scalar():
            return shown(node)


def suggestion(written: str, known: Iterable[str], lead: str = "known are") -> str:
    """Return what would be right instead: the nearest name, else all that there are."""
    names = sorted(set(known))
    near = alike(written, names)
    if not near:
        folded = {name.casefold(): name for name in names}
        near = [folded[written.casefold()]] if written.casefold() in folded else []
    if near:
        return f"; did you mean {near[0]!r}?"
    if not names:
        return "; none is defined"
    listed = ", ".join(names[:_LISTED_AT_MOST])
    more = f" and {len(names) - _LISTED_AT_MOST} more" if len(names) > _LISTED_AT_MOST else ""
    return f"; {lead} {listed}{more}"


# Words that any message about an address says, whatever the secret is.
_HARMLESS: Final = frozenset(
    {"http", "https", "http://", "https://", "://", "postgres", "postgresql", "postgresql://",
     "smtp", "smtps", "smtp://", "localhost", "127.0.0.1"}
)  # fmt: skip
_SHORTEST: Final = 4


def unshown(message: str, secrets: Mapping[str, str]) -> str:
    """Return the message less whatever it quotes of values that came from the environment."""
    for name, value in secrets.items():
        if value:
            message = _without(message, value, f"${{{name}}}", _HARMLESS)
    return message


def _without(message: str, value: str, instead: str, harmless: Collection[str]) -> str:
    message = (
        message.replace(value, instead)
        if len(value) >= _SHORTEST
        else message.replace(repr(value), instead)
    )
    pieces: list[str] = []
    at = 0
    while at < len(message):
        length = _longest(message, at, value)
        piece = message[at : at + length]
        if length < _SHORTEST or piece in instead:
            pieces.append(message[at])
            at += 1
        elif piece.strip() in harmless:
            pieces.append(piece)
            at += length
        else:
            pieces.append("…")
            at += length
    return "".join(pieces)


def _longest(message: str, at: int, value: str) -> int:
    length = 0
    while at + length < len(message) and message[at : at + length + 1] in value:
        length += 1
    return length
