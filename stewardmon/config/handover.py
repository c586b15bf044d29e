"""`Mon 09:00` and `09:00`: when something is handed over, or begins again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from typing import Any, Final

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True, slots=True)
class Handover:
    """A time of day, and the weekday (Monday is 0) where there is one."""

    at: time
    weekday: int | None = None


def read_handover(value: Any) -> Any:
    """Return the weekday and the time; raises ValueError with what would be right."""
    if isinstance(value, Handover):
        return value
    words = value.split() if isinstance(value, str) else []
    weekday = None
    if len(words) == 2:
        weekday = read_weekday(words[0])
        words = words[1:]
    if len(words) != 1:
        raise ValueError('write a weekday and a time, such as "Mon 09:00", or a time')
    hours, _, minutes = words[0].partition(":")
    try:
        return Handover(time(int(hours), int(minutes)), weekday)
    except ValueError:
        raise ValueError(f'{words[0]!r} is not a time of day: write one such as "09:00"') from None


def read_weekday(name: str) -> int:
    """Return the weekday, Monday as 0, of `Mon` or `Monday`; raises ValueError for no weekday."""
    for number, day in enumerate(WEEKDAYS):
        if len(name) >= 3 and day.startswith(name.lower()):
            return number
    raise ValueError(f"{name[:20]!r} is not a weekday; one of Mon, Tue, … Sun")
