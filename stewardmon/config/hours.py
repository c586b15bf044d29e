"""`Mon-Fri 09:00-17:00`, `Sat,Sun` and `22:00-06:00`: the hours that a layer covers."""

from __future__ import annotations

from datetime import time
from typing import Any, Final

from stewardmon.config.handover import WEEKDAYS, read_weekday
from stewardmon.config.types import read_time
from stewardmon.domain.oncall import Hours

_EVERY_DAY: Final = frozenset(range(len(WEEKDAYS)))
_ALL_DAY: Final = (time(0), time(0))


def read_hours(value: Any) -> Any:
    """Return the hours of one text or a list; raises ValueError with what would be right."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list | tuple):
        raise ValueError(  # noqa: TRY004 - pydantic makes sentences of ValueErrors
            'hours are texts such as "Mon-Fri 09:00-17:00"'
        )
    return tuple(one if isinstance(one, Hours) else _one(str(one)) for one in texts)


def _one(text: str) -> Hours:
    words = text.split()
    if len(words) not in {1, 2} or (len(words) == 2 and ":" not in words[1]):
        raise ValueError(f'{text[:40]!r} are no hours: write some such as "Mon-Fri 09:00-17:00"')
    has_times = ":" in words[-1]
    days = frozenset(_days(words[0])) if len(words) == 2 or not has_times else _EVERY_DAY
    start, end = _times(words[-1]) if has_times else _ALL_DAY
    return Hours(days=days, start=start, end=end)


def _days(text: str) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        start = read_weekday(first)
        end = read_weekday(last) if dash else start
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return found


def _times(text: str) -> tuple[time, time]:
    start, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text[:40]!r} needs an end: write hours such as 09:00-17:00")
    return read_time(start), time(0) if end == "24:00" else read_time(end)
