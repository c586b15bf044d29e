"""reports: of oncall.yml: when reports are made, and who gets them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema

from stewardmon.config.binding import bind, entries_of
from stewardmon.config.handover import Handover, read_handover
from stewardmon.config.nodes import Entries, find
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Entry, Zone, read_time
from stewardmon.domain.oncall import Contact
from stewardmon.domain.report import ReportKind
from stewardmon.engine.office import Office
from stewardmon.ports import ChannelSpec
from stewardmon.schedule import CalendarTime

NEVER: Final = "never"
WAKING: Final = frozenset({"pagerduty", "sms", "voice", "alertmanager"})
"""Kinds of channel whose messages are pages to whoever gets them: no report goes there."""


def _daily(value: Any) -> Any:
    return None if value == NEVER else read_time(value)


def _weekly(value: Any) -> Any:
    found = None if value == NEVER else read_handover(value)
    if isinstance(found, Handover) and found.weekday is None:
        raise ValueError('write a weekday and a time, such as "Mon 08:00"')
    return found


class MonthDay(Entry):
    """A day of the month and a time."""

    day: int
    at: time


def _monthly(value: Any) -> Any:
    if value == NEVER or isinstance(value, MonthDay):
        return None if value == NEVER else value
    day, _, at = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if not day.isdecimal() or not 1 <= int(day) <= 28:
        raise ValueError('write a day from 1 to 28 and a time, such as "1 08:00"')
    return MonthDay(day=int(day), at=read_time(at))


_TEXT: Final = WithJsonSchema({"type": "string"})


class ReceiverEntry(Entry):
    """One address that reports go to."""

    channel: str
    to: str = Field(min_length=1)


class ReportsEntry(Entry):
    """The hours of the reports by a zone's clock, `never` for none, and who gets them."""

    timezone: Zone = ZoneInfo("UTC")
    daily: Annotated[time | None, BeforeValidator(_daily), _TEXT] = Field(
        default_factory=lambda: time(7)
    )
    weekly: Annotated[Handover | None, BeforeValidator(_weekly), _TEXT] = Field(
        default_factory=lambda: Handover(time(8), 0)
    )
    monthly: Annotated[MonthDay | None, BeforeValidator(_monthly), _TEXT] = Field(
        default_factory=lambda: MonthDay(day=1, at=time(8))
    )
    to: tuple[ReceiverEntry, ...] = ()


def read_reports(
    root: Entries, source: Source, *, channels: tuple[ChannelSpec, ...], known: frozenset[str]
) -> Office:
    """Return when reports are made; `known` are all channels that the file names."""
    entries = entries_of(root, "reports", source, wanted="timezone, daily, weekly, monthly, to")
    entry = bind(ReportsEntry, entries, source, what="reports") if entries else None
    if entry is None or entries is None:
        return Office()
    kinds = {channel.name: channel.kind for channel in channels}
    for place, one in enumerate(entry.to):
        at = find(entries, ("to", place, "channel")).place
        if one.channel not in known:
            hint = suggestion(one.channel, known)
            source.add(at, f"reports go to the unknown channel {one.channel!r}{hint}")
        elif kinds.get(one.channel) in WAKING:
            source.add(
                at,
                f"reports cannot go to {one.channel!r}: a message over kind "
                f"{kinds[one.channel]} is a page; name a channel such as email or slack",
            )
    return Office(
        zone=entry.timezone,
        times=_times(entry),
        to=tuple(Contact(channel=one.channel, to=one.to) for one in entry.to),
    )


def _times(entry: ReportsEntry) -> Mapping[ReportKind, CalendarTime]:
    times: dict[ReportKind, CalendarTime] = {}
    zone = entry.timezone
    if entry.daily is not None:
        times[ReportKind.DAILY] = CalendarTime(at=entry.daily, zone=zone)
    if entry.weekly is not None:
        weekly = entry.weekly
        times[ReportKind.WEEKLY] = CalendarTime(at=weekly.at, zone=zone, weekday=weekly.weekday)
    if entry.monthly is not None:
        times[ReportKind.MONTHLY] = CalendarTime(
            at=entry.monthly.at, zone=zone, day=entry.monthly.day
        )
    return times
