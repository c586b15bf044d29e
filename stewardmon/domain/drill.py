"""A drill: a level is paged for real, over every contact, and the answer is timed."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from stewardmon.domain import escalation
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.incident import Address, Event, EventKind, Incident, IncidentState
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import NotificationEvent
from stewardmon.domain.oncall import Roster
from stewardmon.domain.policy import Level, Policy
from stewardmon.domain.step import Call, Step, remember

SEVERITY: Final = "info"  # people's quiet hours hold: nobody is woken for practice
LASTS: Final = timedelta(minutes=30)
KEY: Final = "drill:"


def is_drill(incident: Incident) -> bool:
    """Say whether the incident is practice."""
    return incident.group_key.startswith(KEY)


def begin(policy: Policy, level: Level, by: By, *, roster: Roster) -> Step:
    """Page everybody of a level over each of their contacts.

    Raises AnswerError where nobody of the level can be reached now.
    """
    key = f"{KEY}{policy.name}:{level.number}"
    digest = blake2b(f"{key}@{by.at.isoformat()}".encode(), digest_size=5).hexdigest()
    incident = Incident(
        id=f"{by.at:%Y%m%d}-{digest}",
        group_key=f"{key}:{digest}",
        group=Labels({"alertname": "Drill", "policy": policy.name}),
        title=f"Drill of level {level.number} ({level.role})",
        severity=SEVERITY,
        state=IncidentState.OPEN,
        opened_at=by.at,
        base_at=by.at,
        policy=Policy(name=policy.name, levels=(level,)),
        reached=level.number,
    )
    calls = tuple(
        Call(
            event=NotificationEvent.DRILL,
            level=level.number,
            role=level.role,
            address=Address(person.id, contact.channel, contact.to),
            contact=place,
            turn="drill",
            actor=by.who,
            reason=by.reason,
        )
        for person in escalation.people(level, roster=roster, severity=SEVERITY, now=by.at)
        for place, contact in roster.contacts(person)
    )
    if not calls:
        what = f"level {level.number} ({level.role}) of {policy.name}"
        raise AnswerError(f"{what} has nobody who can be reached now")
    whom = ", ".join(f"{call.address.person} over {call.address.channel}" for call in calls)
    events = (
        Event(incident=incident.id, at=by.at, kind=EventKind.OPENED, who=by.who, detail="a drill"),
        Event(incident=incident.id, at=by.at, kind=EventKind.PAGED, who=by.who, detail=whom),
    )
    return Step(incident=remember(incident, calls), events=events, calls=calls)


def ends(incident: Incident, *, now: datetime) -> bool:
    """Say whether a drill is over: somebody has answered, or nobody will."""
    answered = incident.state is IncidentState.ACKNOWLEDGED
    return incident.open and (answered or now - incident.opened_at >= LASTS)
