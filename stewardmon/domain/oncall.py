"""People, rotations and overrides: who is on call at an instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to reach a person: a channel's name and the address within it."""

    channel: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """Local hours in which a person gets no warnings; critical pages always come through."""

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who can be paged; contacts are tried in order."""

    id: str
    name: str
    timezone: ZoneInfo
    contacts: tuple[Contact, ...] = ()
    quiet_hours: QuietHours | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """People who take turns: each for `every` days, handing over at a local time of `timezone`.

    `start` is the local date of the first hand-over: on it the first person's turn begins.
    """

    name: str
    people: tuple[str, ...]
    timezone: ZoneInfo
    handover: time
    every_days: int
    start: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A span (UTC, end not included) in which one person stands in for a rotation's own."""

    rotation: str
    person: str
    start: datetime
    end: datetime
    id: str = ""


def turn(rotation: Rotation, at: datetime) -> str | None:
    """Return whose turn it is at `at` by the rotation alone, None where it has nobody.

    Turns change at the local hand-over time: counting happens on local dates, so that a turn over
    a change of clocks is an hour longer or shorter and the next still begins on the local hour.
    """
    if not rotation.people:
        return None
    local = at.astimezone(rotation.timezone)
    days = (local.date() - rotation.start).days
    if at < _handover(rotation, local.date()):
        days -= 1
    return rotation.people[(days // rotation.every_days) % len(rotation.people)]


def _handover(rotation: Rotation, day: date) -> datetime:
    local = datetime.combine(day, rotation.handover, tzinfo=rotation.timezone)
    return local.astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """Everybody and everything that a level's `page` can name, and the channels that exist."""

    people: Mapping[str, Person] = field(default_factory=dict)
    rotations: Mapping[str, Rotation] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    channels: frozenset[str] = frozenset()

    def on_call(self, rotation: str, at: datetime) -> str | None:
        """Return the id of who has the rotation at `at`; the override written last wins."""
        for override in reversed(self.overrides):
            if override.rotation == rotation and override.start <= at < override.end:
                return override.person
        known = self.rotations.get(rotation)
        return None if known is None else turn(known, at)

    def find(self, target: str, at: datetime) -> Person | None:
        """Return the person whom a level's target means at `at`, None where there is nobody."""
        ident = self.on_call(target, at) if target in self.rotations else target
        return None if ident is None else self.people.get(ident)

    def contacts(self, person: Person) -> tuple[tuple[int, Contact], ...]:
        """Return the person's contacts whose channel exists, with their place in the list."""
        return tuple(
            (place, contact)
            for place, contact in enumerate(person.contacts)
            if contact.channel in self.channels
        )


