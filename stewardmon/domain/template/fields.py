"""Fields and methods of what templates hold: `.Labels.x`, `.Value`, `.Format "15:04"`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from stewardmon.domain.template.gotime import GoDuration, GoTime
from stewardmon.domain.template.values import (
    AlertData,
    Sample,
    StringMap,
    TemplateError,
    Value,
    type_name,
)

_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    AlertData: ("Labels", "ExternalLabels", "ExternalURL", "Value"),
    Sample: ("Labels", "Value"),
}

Method = tuple[Callable[..., Value], tuple[str, ...]]


def _moved(at: GoTime, by: GoDuration) -> GoTime:
    try:
        return GoTime(at.at + timedelta(microseconds=by.nanos / 1000))
    except OverflowError:
        raise TemplateError("the time is out of range") from None


_TIME_METHODS: Final[dict[str, Method]] = {
    "Format": (GoTime.format, ("string",)),
    "String": (str, ()),
    "UTC": (lambda at: at, ()),
    "Unix": (lambda at: int(at.at.timestamp() // 1), ()),
    "UnixMilli": (lambda at: round(at.at.timestamp() * 1000), ()),
    "Year": (lambda at: at.at.year, ()),
    "Month": (lambda at: at.format("January"), ()),
    "Day": (lambda at: at.at.day, ()),
    "Weekday": (lambda at: at.format("Monday"), ()),
    "YearDay": (lambda at: at.at.timetuple().tm_yday, ()),
    "Hour": (lambda at: at.at.hour, ()),
    "Minute": (lambda at: at.at.minute, ()),
    "Second": (lambda at: at.at.second, ()),
    "Add": (_moved, ("time.Duration",)),
}
_DURATION_METHODS: Final[dict[str, Method]] = {
    "String": (str, ()),
    "Hours": (lambda span: span.nanos / 3.6e12, ()),
    "Minutes": (lambda span: span.nanos / 6e10, ()),
    "Seconds": (GoDuration.seconds, ()),
    "Milliseconds": (lambda span: int(span.nanos / 1_000_000), ()),
}


def method(receiver: Value, name: str) -> Method | None:
    """Return the method of that name with its parameters' types, where the value has one."""
    if isinstance(receiver, GoTime):
        return _TIME_METHODS.get(name)
    if isinstance(receiver, GoDuration):
        return _DURATION_METHODS.get(name)
    return None


def field(receiver: Value, name: str) -> Value:
    """Return the field; a label that is missing is empty, a field of nothing is nothing.

    Raises TemplateError where values of the type have no such field.
    """
    if receiver is None:
        return None
    if isinstance(receiver, dict):
        return receiver.get(name, "" if isinstance(receiver, StringMap) else None)
    if name in _FIELDS.get(type(receiver), ()):
        return getattr(receiver, name)
    raise TemplateError(f"can't evaluate field {name} in type {type_name(receiver)}")
