"""People, rotations and overrides of oncall.yml."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import Field

from stewardmon.config.binding import bind, entries_of, mapping
from stewardmon.config.names import misnamed
from stewardmon.config.nodes import Entries, Items, Node, Scalar, find
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Entry, TimeOfDay, Zone
from stewardmon.domain.oncall import Contact, Person, QuietHours

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY: Final = timedelta(days=1)
_UTC: Final = ZoneInfo("UTC")
# A Monday, from which rotations count that name no start.
_FIRST_MONDAY: Final = date(2024, 1, 1)


class ContactEntry(Entry):
    """One way to reach a person."""

    channel: str
    to: str = ""


class QuietEntry(Entry):
    """Local hours without warnings."""

    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")


class PersonEntry(Entry):
    """Somebody who can be paged."""

    name: str = ""
    timezone: Zone = _UTC
    contacts: tuple[ContactEntry, ...] = ()
    quiet_hours: QuietEntry | None = None


def read_people(root: Entries, source: Source, *, channels: frozenset[str]) -> dict[str, Person]:
    """Return the people by id; a contact over a channel that is not there is a mistake."""
    people = {}
    entries = entries_of(root, "people", source, wanted="a person's id, and name and contacts")
    for ident, node in entries.nodes.items() if entries else ():
        place = entries.keys[ident] if entries else root.place
        wrong = misnamed(ident, "person")
        if wrong:
            source.add(place, wrong)
        entry = bind(PersonEntry, mapping(node, place), source, what=f"person {ident}")
        if entry is None:
            continue
        _check_channels(ident, entry, node, source, channels)
        if not entry.contacts:
            source.warn(place, f"{ident} has no contacts and cannot be paged: add contacts")
        people[ident] = _person(ident, entry)
    return people


def _person(ident: str, entry: PersonEntry) -> Person:
    quiet = entry.quiet_hours
    return Person(
        id=ident,
        name=entry.name or ident,
        timezone=entry.timezone,
        contacts=tuple(Contact(contact.channel, contact.to) for contact in entry.contacts),
        quiet_hours=QuietHours(start=quiet.start, end=quiet.end) if quiet else None,
    )


def _check_channels(
    ident: str, entry: PersonEntry, node: Node, source: Source, channels: frozenset[str]
) -> None:
    for index, contact in enumerate(entry.contacts):
        if contact.channel not in channels:
            source.add(
                find(node, ("contacts", index, "channel")).place,
                f"{ident} has a contact over the unknown channel {contact.channel!r}"
                f"{suggestion(contact.channel, channels)}",
            )


def known_person(ident: str, who: str, found: Any, people: Iterable[str], source: Source) -> None:
    if ident in people:
        return
    place = found.place
    for one in found.node.nodes if isinstance(found.node, Items) else ():
        if isinstance(one, Scalar) and one.text == ident:
            place = one.place
    source.add(place, f"{who} names the unknown person {ident!r}{suggestion(ident, people)}")
