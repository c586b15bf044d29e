"""Small values for tests: an incident, a roster, an alert, each with only what the test says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.labels import Labels
from stewardmon.domain.oncall import Contact, Person, Roster
from stewardmon.domain.policy import Level, Policy
from stewardmon.domain.route import Route
from stewardmon.domain.triage import Book

START = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def at(**after: float) -> datetime:
    """Return the time that long after the test's start."""
    return START + timedelta(**after)


def person(ident: str, *channels: str, **extra: Any) -> Person:
    """Return somebody who is reached over `channels`, `pager` where none is named."""
    contacts = tuple(Contact(channel, ident) for channel in channels or ("pager",))
    return Person(id=ident, name=ident.title(), timezone=BERLIN, contacts=contacts, **extra)


def roster(*people: Person, channels: tuple[str, ...] = ("pager", "mail")) -> Roster:
    """Return a roster without rotations."""
    return Roster(people={one.id: one for one in people}, channels=frozenset(channels))


MATRIX = Policy(
    name="matrix",
    levels=(
        Level(number=1, role="On-call developer", after=timedelta(0), page=("dev",)),
        Level(number=2, role="Senior developer", after=timedelta(minutes=30), page=("senior",)),
        Level(number=3, role="Engineering lead", after=timedelta(hours=1), page=("lead",)),
        Level(number=4, role="CTO", after=timedelta(hours=2), page=("cto",)),
    ),
    repeat_last=timedelta(minutes=30),
    ack_timeout=timedelta(hours=1),
)
EVERYBODY = roster(person("dev", "pager", "mail"), person("senior"), person("lead"), person("cto"))
ROUTE = Route(name="all", policy="matrix")
BOOK = Book(routes=(ROUTE,), policies={"matrix": MATRIX}, roster=EVERYBODY)


def firing(name: str = "Database Issues", **labels: str) -> Alert:
    """Return an alert that fires since the test's start."""
    own = Labels({"alertname": name, "severity": "critical", **labels})
    return Alert(
        rule=f"alerts/{name}",
        labels=own,
        origin=own.without("alertname", "severity"),
        annotations=Labels(),
        state=AlertState.FIRING,
        value=1.0,
        active_at=START,
        fired_at=START,
    )
