"""Who is on call when, as pages show it: now and next, and weeks of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from stewardmon.domain.oncall import Roster
from stewardmon.domain.rota import Span, spans

AHEAD: Final = timedelta(days=28)
NOBODY: Final = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """Who has a rotation now (None: nobody), until when, and who is next within AHEAD."""

    rotation: str
    now: Span | None
    next: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One local day: the shifts on it with the local times at which they begin ("" at midnight).

    `clocks` says how far the clocks are moved on it, empty on most days.
    """

    day: date
    shifts: tuple[tuple[str, Span], ...]
    today: bool
    clocks: str = ""


def duties(roster: Roster, *, now: datetime) -> list[Duty]:
    """Return every rotation's present and next shift."""
    found = []
    for name in roster.rotations:
        coming = spans(roster, name, start=now, end=now + AHEAD)
        current, following = next(coming, None), next(coming, None)
        held = current is not None and current.person != ""
        found.append(Duty(rotation=name, now=current if held else None, next=following))
    return found


def name_of(roster: Roster, person: str) -> str:
    """Return a person's name, `nobody` for nobody."""
    known = roster.people.get(person)
    return known.name if known is not None else person or NOBODY


def weeks(
    roster: Roster, rotation: str, *, now: datetime, zone: ZoneInfo, count: int = 4
) -> list[list[Day]]:
    """Return the weeks from the present one on, Monday to Sunday by the rotation's own clock."""
    today = now.astimezone(zone).date()
    monday = today - timedelta(days=today.weekday())
    first = _midnight(monday, zone)
    last = _midnight(monday + timedelta(weeks=count), zone)
    held = list(spans(roster, rotation, start=first, end=last))
    days = [
        _day(monday + timedelta(days=place), held, zone=zone, today=today)
        for place in range(7 * count)
    ]
    return [days[place : place + 7] for place in range(0, len(days), 7)]


def _day(day: date, held: Sequence[Span], *, zone: ZoneInfo, today: date) -> Day:
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    inside = [one for one in held if one.start < end and one.end > start]
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
