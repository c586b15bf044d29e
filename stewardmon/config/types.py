"""The types that keys of the three files share: names, labels, zones, days and hours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, time
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    WithJsonSchema,
)

from stewardmon.config.names import mislabelled
from stewardmon.domain.alike import alike
from stewardmon.settings import Duration

__all__ = ["Duration", "Entry", "Names"]

_TIME: Final = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Entry(BaseModel):
    """What one entry of a file may hold: frozen, and an unknown key is a mistake."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        arbitrary_types_allowed=True,
        defer_build=True,  # a model inside another one needs no validator of its own
    )


def _labels(labels: Mapping[str, str]) -> Mapping[str, str]:
    for name in labels:
        wrong = mislabelled(name)
        if wrong:
            raise ValueError(wrong)
    return labels


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str | int | float) else value


def _zone(value: Any) -> Any:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (KeyError, ValueError, OSError):
        near = alike(str(value), sorted(available_timezones()))
        right = f"did you mean {near[0]!r}?" if near else "write one such as Europe/Berlin or UTC"
        raise ValueError(f"{_short(value)} is not a time zone; {right}") from None


def read_time(value: Any) -> Any:
    """Return the time of day that `09:00` is; raises ValueError for what is none."""
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f'{_short(value)} is not a time of day: write one such as "09:00"')
    return time(int(found[1]), int(found[2]))


def _date(value: Any) -> Any:
    text = value if isinstance(value, str) and _DATE.fullmatch(value) else ""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{_short(value)} is not a date: write one such as 2026-01-05") from None


def _short(value: Any) -> str:
    return repr(value)[:60]


_AS_TEXT: Final = WithJsonSchema({"type": "string"})
Zone = Annotated[ZoneInfo, BeforeValidator(_zone), PlainSerializer(str), _AS_TEXT]
TimeOfDay = Annotated[time, BeforeValidator(read_time), _AS_TEXT]
Day = Annotated[date, BeforeValidator(_date), _AS_TEXT]
LabelMap = Annotated[dict[str, str], AfterValidator(_labels)]
Names = Annotated[
    tuple[str, ...],
    BeforeValidator(_names),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]
