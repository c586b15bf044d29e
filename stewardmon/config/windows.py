"""Maintenance windows of oncall.yml."""

from __future__ import annotations

from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field

from stewardmon.config.binding import bind, items_of
from stewardmon.config.handover import WEEKDAYS, read_weekday
from stewardmon.config.localtime import noted_instant
from stewardmon.config.nodes import Entries
from stewardmon.config.routes import read_row_matchers
from stewardmon.config.source import Source
from stewardmon.config.types import Entry, Names, Zone, read_time
from stewardmon.domain.maintenance import Maintenance, Once, Weekly

_WANTED: Final = "name, from and to, and days where it comes every week"


def _days(value: Any) -> Any:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise ValueError("days must be weekdays, such as [Mon, Thu]")  # noqa: TRY004 - pydantic's
    return frozenset(read_weekday(str(name)) for name in names)


class WindowEntry(Entry):
    """A span from one time to another; with times of day it comes on each of `days`."""

    name: str = Field(min_length=1)
    start: str = Field(alias="from")
    end: str = Field(alias="to")
    days: Annotated[frozenset[int], BeforeValidator(_days)] = frozenset(range(len(WEEKDAYS)))
    timezone: Zone = ZoneInfo("UTC")
    match: dict[str, str | list[str]] = Field(default_factory=dict)
    matchers: Names = ()


def read_windows(root: Entries, source: Source) -> tuple[Maintenance, ...]:
    """Return the maintenance windows; whatever is wrong is noted and left out."""
    windows: list[Maintenance] = []
    for row in items_of(root, "maintenance", source, wanted=_WANTED):
        entry = bind(WindowEntry, row, source, what="a maintenance window")
        if entry is None:
            continue
        if any(window.name == entry.name for window in windows):
            source.add(row.keys["name"], f"two maintenance windows are called {entry.name!r}")
        matchers = read_row_matchers(row, source, match=entry.match, written=entry.matchers)
        span = _weekly(entry, row, source) if ":" in entry.start[:3] else _once(entry, row, source)
        if span is not None:
            windows.append(
                Maintenance(
                    id=f"{source.file}/{entry.name}",
                    name=entry.name,
                    matchers=matchers,
                    span=span,
                    created_by=source.file,
                )
            )
    return tuple(windows)


def _once(entry: WindowEntry, row: Entries, source: Source) -> Once | None:
    if "days" in row.nodes:
        source.add(row.keys["days"], 'days wants times of day in from and to, such as "18:00"')
    start = noted_instant(entry.start, "from", row, entry.timezone, source)
    end = noted_instant(entry.end, "to", row, entry.timezone, source)
    if start is None or end is None:
        return None
    if end.at <= start.at:
        source.add(row.keys["to"], f"the window ends {entry.end} before it begins {entry.start}")
        return None
    return Once(start.at, end.at)


def _weekly(entry: WindowEntry, row: Entries, source: Source) -> Weekly | None:
    times = []
    for key, text in (("from", entry.start), ("to", entry.end)):
        try:
            times.append(read_time(text))
        except ValueError as error:
            source.add(row.keys[key], f"{key}: {error}")
    if len(times) < 2:
        return None
    return Weekly(days=entry.days, start=times[0], end=times[1], timezone=entry.timezone)
