"""The rota as a calendar: lines for a terminal, a table for a page, iCalendar for telephones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

from stewardmon.domain.oncall import Person, Roster
from stewardmon.domain.rota import Span, spans

NOBODY: Final = "nobody"
LOOK_BACK: Final = timedelta(days=92)
LINE_AT_MOST: Final = 74  # octets of an iCalendar line before it is folded (RFC 5545, 3.1)


def calendar(
    roster: Roster, *, start: datetime, end: datetime, rotation: str = ""
) -> tuple[Span, ...]:
    """Return the shifts between two instants, by rotation and time; of all where none is named.

    A shift that has begun already is shown from its beginning, at most `LOOK_BACK` ago, so that it
    stays the same event however often a telephone asks.
    """
    names = [rotation] if rotation else list(roster.rotations)
    return tuple(
        one
        for name in names
        for one in spans(roster, name, start=start - LOOK_BACK, end=end)
        if one.end > start
    )


def as_text(found: Iterable[Span], roster: Roster) -> str:
    """Return a line a span, in the rotation's own time."""
    lines = []
    shown = ""
    for one in found:
        zone = roster.rotations[one.rotation].timezone
        if one.rotation != shown:
            shown = one.rotation
            lines.append(f"{shown} ({zone.key})")
        mark = "  stands in" if one.override else ""
        start, end = one.start.astimezone(zone), one.end.astimezone(zone)
        when = f"{start:%a %Y-%m-%d %H:%M} – {end:%a %Y-%m-%d %H:%M}"
        lines.append(f"  {when}  {_name(one, roster.people)}{mark}")
    return "\n".join(lines)


def as_html(found: Iterable[Span], roster: Roster) -> str:
    """Return a page with a table of the spans."""
    rows = []
    for one in found:
        zone = roster.rotations[one.rotation].timezone
        start, end = one.start.astimezone(zone), one.end.astimezone(zone)
        cells = (
            one.rotation,
            f"{start:%a %Y-%m-%d %H:%M}",
            f"{end:%a %Y-%m-%d %H:%M}",
            zone.key,
            _name(one, roster.people) + (" (stands in)" if one.override else ""),
        )
        rows.append("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{word}</th>" for word in ("Rotation", "From", "To", "Zone", "On call"))
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>On call</title>\n'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(rows) + "\n</tbody></table>"
        "</html>"
    )


def as_ics(found: Iterable[Span], roster: Roster, *, now: datetime) -> str:
    """Return an iCalendar file (RFC 5545): one event a span; a span of nobody is an event too."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//stewardmon//on call//EN"]
    for one in found:
        name = _name(one, roster.people)
        lines += [
            "BEGIN:VEVENT",
            f"UID:{one.rotation}-{_stamp(one.start)}@stewardmon",
            f"DTSTAMP:{_stamp(now)}",
            f"DTSTART:{_stamp(one.start)}",
            f"DTEND:{_stamp(one.end)}",
            f"SUMMARY:{_escaped(f'{one.rotation}: {name}')}",
            *([f"DESCRIPTION:{_escaped(f'{name} stands in')}"] if one.override else []),
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
        ]
    lines.append("END:VCALENDAR")
    return "".join(f"{folded}\r\n" for line in lines for folded in _folded(line))


def _name(span: Span, people: Mapping[str, Person]) -> str:
    person = people.get(span.person)
    return person.name if person else span.person or NOBODY


def _stamp(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _escaped(text: str) -> str:
    for sign in ("\\", ";", ","):
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", "\\n")


def _folded(line: str) -> Iterable[str]:
    """Yield the line in pieces of at most LINE_AT_MOST octets, the later ones after a space."""
    piece = ""
    for sign in line:
        if len((piece + sign).encode()) > LINE_AT_MOST:
            yield piece
            piece = " "
        piece += sign
    yield piece
