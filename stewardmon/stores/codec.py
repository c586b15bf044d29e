"""Domain values ↔ JSON: one coder for every frozen dataclass, made from its annotations.

Forward compatible: a field that the reading version does not know is ignored, one that the
writing version did not know takes its default. Numbers that JSON has no word for (NaN, ±Inf) are
strings; durations are whole microseconds; times are RFC 3339.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import orjson

from stewardmon.domain.labels import Labels
from stewardmon.errors import StoreError

Coder = Callable[[Any], Any]
T = TypeVar("T")
_MICROSECOND: Final = timedelta(microseconds=1)


def encode(value: object) -> str:
    """Return the JSON text of a dataclass instance."""
    kind: Any = type(value)
    coder = _encoder(kind)
    return dumps(value if coder is None else coder(value))


def decode(kind: type[T], text: str) -> T:
    """Return the instance that `encode` wrote; raises StoreError where it cannot be one."""
    hint: Any = kind
    try:
        coder = _decoder(hint)
        value: T = loads(text) if coder is None else coder(loads(text))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"the state holds a {kind.__name__} that cannot be read ({error}): restore the state "
            "from a backup, or start with another --state"
        ) from error
    return value


def dumps(value: object) -> str:
    """Return JSON text; a lone surrogate, which no UTF-8 can hold, becomes an escape."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, default=_rare, separators=(",", ":"))


def loads(text: str) -> Any:
    """Return the value of JSON text that `dumps` wrote."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text)


def encode_record(body: Mapping[str, object]) -> str:
    """Return the JSON text of a record: plain values, where NaN and ±Inf become their names."""
    return dumps(_plain(body))


def decode_record(text: str) -> Mapping[str, object]:
    """Return the record that `encode_record` wrote; times stay RFC 3339 strings."""
    body: Mapping[str, object] = loads(text)
    return body


def _plain(value: object) -> object:
    if isinstance(value, float):
        return _encode_float(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(inner) for inner in value]
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value


def _rare(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    raise StoreError(f"a {type(value).__name__} cannot be kept in the state")


@cache
def _encoder(hint: Any) -> Coder | None:
    """Return what turns a value of the annotated type into what orjson takes; None: nothing."""
    if hint is float:
        return _encode_float
    if hint is timedelta:
        return lambda value: value // _MICROSECOND
    if hint is Labels:
        return _encode_labels
    if is_dataclass(hint):
        return _encode_fields(hint)
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _unless_none(_encoder(_the_one(inside)))
    if origin is tuple or origin is frozenset:
        one = _encoder(inside[0])
        return None if one is None and origin is tuple else _each(one, list)
    if origin is not None and issubclass(origin, Mapping):
        one = _encoder(inside[1])
        return dict if one is None else _each_value(one)
    return None


@cache
def _decoder(hint: Any) -> Coder | None:
    """Return what turns loaded JSON into a value of the annotated type; None: nothing to do."""
    if hint in {float, datetime, timedelta, Labels}:
        return _SIMPLE[hint]
    if is_dataclass(hint):
        return _decode_fields(hint)
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return hint
    origin, inside = get_origin(hint), get_args(hint)
    if origin in {Union, UnionType}:
        return _unless_none(_decoder(_the_one(inside)))
    if origin is tuple or origin is frozenset:
        return _each(_decoder(inside[0]), origin)
    if origin is not None and issubclass(origin, Mapping):
        one = _decoder(inside[1])
        return None if one is None else _each_value(one)
    return None


_SIMPLE: Final[Mapping[Any, Coder]] = {
    float: float,
    datetime: datetime.fromisoformat,
    timedelta: lambda value: timedelta(microseconds=value),
    Labels: Labels,
}


def _encode_labels(value: Labels) -> dict[str, str]:
    return dict(value.pairs)  # four times as fast as through the Mapping protocol


def _encode_float(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _encode_fields(kind: Any) -> Coder:
    """Return the function that lists a dataclass's fields, written out: half the time of a loop."""
    hints = get_type_hints(kind)
    coders = {one.name: coder for one in fields(kind) if (coder := _encoder(hints[one.name]))}
    shown = ", ".join(
        f"{one.name!r}: {one.name}(it.{one.name})" if one.name in coders
        else f"{one.name!r}: it.{one.name}"
        for one in fields(kind)
    )  # fmt: skip
    written: Coder = eval(f"lambda it: {{{shown}}}", dict(coders))  # noqa: S307 - our own names
    return written


def _decode_fields(kind: Any) -> Coder:
    hints = get_type_hints(kind)
    coders = {field.name: _decoder(hints[field.name]) for field in fields(kind) if field.init}

    def decode_one(body: dict[str, Any]) -> Any:
        known = {
            name: value if (coder := coders[name]) is None else coder(value)
            for name, value in body.items()
            if name in coders
        }
        return kind(**known)

    return decode_one


def _the_one(options: tuple[Any, ...]) -> Any:
    return next(option for option in options if option is not NoneType)


def _unless_none(coder: Coder | None) -> Coder | None:
    if coder is None:
        return None
    return lambda value: None if value is None else coder(value)


def _each(coder: Coder | None, shape: Callable[[Any], Any]) -> Coder:
    if coder is None:
        return shape
    return lambda values: shape(coder(value) for value in values)


def _each_value(coder: Coder) -> Coder:
    return lambda body: {name: coder(value) for name, value in body.items()}
