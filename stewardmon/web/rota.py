"""Who is on call when, as spans and as weeks of days: what the on-call page draws."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from stewardmon.domain.oncall import Roster

_LOOK_EVERY: Final = timedelta(hours=1)
_EXACT: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A span in which one person has a rotation; `person` is empty where nobody has it."""

    rotation: str
    person: str
    name: str
    start: datetime
    end: datetime
    override: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who has a rotation now, until when, and who is next; None beyond the time looked at."""

    rotation: str
    now: Shift | None
    next: Shift | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day of a rotation: its shifts, and how far the clocks are moved on it."""

    day: date
    shifts: tuple[tuple[str, Shift], ...]
    today: bool
    clocks: str = ""


def duties(roster: Roster, *, now: datetime, ahead: timedelta = timedelta(days=28)) -> list[Duty]:
    """Return every rotation's present and next shift."""
    found = []
    for name in roster.rotations:
        spans = shifts(roster, name, start=now, end=now + ahead)
        current = next(spans, None)
        following = next(spans, None)
        found.append(
            Duty(
                rotation=name,
                now=current if current is not None and current.person else None,
                next=following,
            )
        )
    return found


def shifts(roster: Roster, rotation: str, *, start: datetime, end: datetime) -> Iterator[Shift]:
    """Yield the spans of a rotation in order, to the minute, from `start` to `end`.

    Asked of the roster hour by hour, so that whatever decides there (turns, layers, overrides,
    changes of clocks) is what is shown.
    """
    begun, holder = start, roster.on_call(rotation, start)
    at = start
    while at < end:
        ahead = min(at + _LOOK_EVERY, end)
        for edge in _edges(roster, rotation, at, ahead):
            whose = roster.on_call(rotation, edge)
            if whose != holder:
                yield _shift(roster, rotation, holder, begun, edge)
                begun, holder = edge, whose
        at = ahead
    yield _shift(roster, rotation, holder, begun, end)


def weeks(
    roster: Roster, rotation: str, *, now: datetime, zone: ZoneInfo, count: int = 4
) -> list[list[Day]]:
    """Return the weeks from the present one on, Monday to Sunday by the rotation's own clock."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    first = _midnight(monday, zone)
    last = _midnight(monday + timedelta(weeks=count), zone)
    spans = list(shifts(roster, rotation, start=first, end=last))
    days = [
        _day(monday + timedelta(days=place), spans, zone=zone, today=today)
        for place in range(7 * count)
    ]
    return [days[place : place + 7] for place in range(0, len(days), 7)]


def _edges(roster: Roster, rotation: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the instants within a span at which the rotation changes hands."""
    while start < end and roster.on_call(rotation, start) != roster.on_call(rotation, end):
        same, other = start, end
        holder = roster.on_call(rotation, start)
        while other - same > _EXACT:
            middle = same + (other - same) / 2
            if roster.on_call(rotation, middle) == holder:
                same = middle
            else:
                other = middle
        edge = other.replace(second=0, microsecond=0)
        yield edge
        start = max(edge, same + _EXACT)


def _shift(
    roster: Roster, rotation: str, holder: str | None, start: datetime, end: datetime
) -> Shift:
    person = roster.people.get(holder or "")
    over = any(
        one.rotation == rotation and one.start <= start < one.end for one in roster.overrides
    )
    return Shift(
        rotation=rotation,
        person=holder or "",
        name=person.name if person else holder or "nobody",
        start=start,
        end=end,
        override=over,
    )


def _day(day: date, spans: list[Shift], *, zone: ZoneInfo, today: date) -> Day:
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    inside = [one for one in spans if one.start < end and one.end > start]
    shown = tuple(
        ("" if one.start <= start else f"{one.start.astimezone(zone):%H:%M}", one) for one in inside
    )
    return Day(day=day, shifts=shown, today=day == today, clocks=_clocks(end - start))


def _clocks(length: timedelta) -> str:
    moved = timedelta(days=1) - length
    if not moved:
        return ""
    minutes = abs(int(moved.total_seconds())) // 60
    amount = f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"
    return f"clocks go {'forward' if moved > timedelta(0) else 'back'} {amount}"


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)
