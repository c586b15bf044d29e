"""People, rotations and overrides: who is on call at an instant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from stewardmon.domain.localtime import first_instant

_DAY: Final = timedelta(days=1)


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
class Hours:
    """Local hours on some weekdays (Monday is 0); an end at or before the start is next day's."""

    days: frozenset[int]
    start: time
    end: time

    def span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """Return the instants (UTC) between which the hours of a local day lie."""
        ends_on = day if self.end > self.start else day + _DAY
        return (
            first_instant(datetime.combine(day, self.start), zone),
            first_instant(datetime.combine(ends_on, self.end), zone),
        )

    def hold(self, at: datetime, zone: ZoneInfo) -> bool:
        """Say whether `at` lies within them."""
        today = at.astimezone(zone).date()
        for day in (today, today - _DAY):
            if day.weekday() in self.days:
                start, end = self.span(day, zone)
                if start <= at < end:
                    return True
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """People who take turns: each for `every_days`, handing over at a local time of `timezone`.

    `start` is the local date of the first hand-over: on it the first person's turn begins. With
    `hours` the layer covers only these, and hands over all the same at `handover`.
    """

    people: tuple[str, ...]
    timezone: ZoneInfo
    handover: time
    every_days: int
    start: date
    hours: tuple[Hours, ...] = ()

    def covers(self, at: datetime) -> bool:
        """Say whether somebody of the layer is on call at `at`."""
        if not self.people:
            return False
        return not self.hours or any(one.hold(at, self.timezone) for one in self.hours)

    def turn(self, at: datetime) -> str | None:
        """Return whose turn it is at `at`, whatever the hours; None where the layer has nobody.

        Turns change at the local hand-over time: counting happens on local dates, so that a turn
        over a change of clocks is an hour longer or shorter and the next still begins on the local
        hour. A hand-over that the clocks skip happens at the first instant after the gap; one that
        they show twice happens the first time.
        """
        if not self.people:
            return None
        today = at.astimezone(self.timezone).date()
        days = (today - self.start).days
        if at < self.handover_on(today):
            days -= 1
        return self.people[(days // self.every_days) % len(self.people)]

    def handover_on(self, day: date) -> datetime:
        """Return the instant (UTC) at which a local day's hand-over happens, if it is one's day."""
        return first_instant(datetime.combine(day, self.handover), self.timezone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation(Layer):
    """A layer with a name, and layers over it: of those that cover an instant the last wins."""

    name: str
    layers: tuple[Layer, ...] = ()
    calendar: str = field(default="", repr=False)  # an address that is a secret, or empty

    def on_call(self, at: datetime) -> str | None:
        """Return who has it at `at` by the rotation alone, None where no layer covers that."""
        for layer in (*reversed(self.layers), self):
            if layer.covers(at):
                return layer.turn(at)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A span (UTC, end not included) in which one person stands in for a rotation's own."""

    rotation: str
    person: str
    start: datetime
    end: datetime
    id: str = ""


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
        return None if known is None else known.on_call(at)

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
