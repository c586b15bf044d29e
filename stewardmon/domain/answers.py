"""What people do to an incident: acknowledge, take back, snooze, escalate, resolve, note."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from stewardmon.domain import escalation
from stewardmon.domain.incident import Event, EventKind, Incident, IncidentState
from stewardmon.domain.notification import NotificationEvent
from stewardmon.domain.oncall import Roster
from stewardmon.domain.step import Call, Step, still, tell
from stewardmon.errors import StewardmonError


class AnswerError(StewardmonError):
    """The answer does not fit the incident's state, as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who answers, when, and in their words why."""

    who: str
    at: datetime
    reason: str = ""


def acknowledge(incident: Incident, by: By) -> Step:
    """Stop the escalation: `by` has it. A second acknowledgement changes nothing.

    Raises AnswerError for a resolved incident.
    """
    _must_be_open(incident, "acknowledged")
    if incident.state is IncidentState.ACKNOWLEDGED:
        return still(incident)
    taken = replace(
        incident,
        state=IncidentState.ACKNOWLEDGED,
        acknowledged_at=by.at,
        acknowledged_by=by.who,
        snoozed_until=None,
    )
    moved = Step(
        incident=taken,
        events=(_event(incident, by, EventKind.ACKNOWLEDGED),),
        calls=_told(taken, NotificationEvent.ACKNOWLEDGED, by),
        cancels=f"acknowledged by {by.who}",
    )
    return escalation.settled(moved)


def unacknowledge(incident: Incident, by: By, *, roster: Roster) -> Step:
    """Give the incident back: the matrix begins anew, level 1 is paged at once."""
    _must_be_open(incident, "given back")
    if incident.state is not IncidentState.ACKNOWLEDGED:
        raise AnswerError(f"incident {incident.id} is not acknowledged")
    again = Step(
        incident=escalation.begin_again(incident, now=by.at),
        events=(_event(incident, by, EventKind.UNACKNOWLEDGED),),
    )
    return again.then(lambda one: escalation.step(one, roster=roster, now=by.at))


def snooze(incident: Incident, by: By, *, until: datetime) -> Step:
    """Let the escalation rest until `until`; if alerts still fire then, the matrix begins anew."""
    _must_be_open(incident, "snoozed")
    if until <= by.at:
        raise AnswerError("a snooze must end in the future")
    detail = f"until {until:%Y-%m-%d %H:%M:%S} UTC{_because(by)}"
    event = Event(incident=incident.id, at=by.at, kind=EventKind.SNOOZED, who=by.who, detail=detail)
    moved = Step(
        incident=replace(incident, snoozed_until=until),
        events=(event,),
        cancels=f"snoozed by {by.who}",
    )
    return escalation.settled(moved)


def escalate(incident: Incident, by: By, *, roster: Roster) -> Step:
    """Page the next level now, whether or not somebody has acknowledged."""
    _must_be_open(incident, "escalated")
    said = Step(incident=incident, events=(_event(incident, by, EventKind.ESCALATED),))
    return said.then(
        lambda one: escalation.pull_next(
            one, roster=roster, now=by.at, actor=by.who, reason=by.reason
        )
    )


def resolve(incident: Incident, by: By, *, told: bool = True) -> Step:
    """Close the incident and tell everybody who was paged.

    Closed by hand while alerts fire, it keeps them, so that they open nothing until they have
    resolved and fire anew.
    """
    _must_be_open(incident, "resolved")
    closed = replace(
        incident,
        state=IncidentState.RESOLVED,
        resolved_at=by.at,
        resolved_by=by.who,
        snoozed_until=None,
        muted_by="",
    )
    moved = Step(
        incident=closed,
        events=(_event(incident, by, EventKind.RESOLVED),),
        calls=_told(closed, NotificationEvent.RESOLVED, by) if told else (),
        cancels="resolved",
    )
    return escalation.settled(moved)


def note(incident: Incident, by: By) -> Step:
    """Write a line of somebody's own into the timeline."""
    if not by.reason.strip():
        raise AnswerError("a note needs some text")
    return Step(incident=incident, events=(_event(incident, by, EventKind.NOTE),))


def _told(incident: Incident, event: NotificationEvent, by: By) -> tuple[Call, ...]:
    return tell(incident, event, actor=by.who, reason=by.reason)


def _event(incident: Incident, by: By, kind: EventKind) -> Event:
    return Event(incident=incident.id, at=by.at, kind=kind, who=by.who, detail=by.reason)


def _because(by: By) -> str:
    return f": {by.reason}" if by.reason else ""


def _must_be_open(incident: Incident, done: str) -> None:
    if not incident.open:
        raise AnswerError(
            f"incident {incident.id} was resolved by {incident.resolved_by}; "
            f"it cannot be {done} any more"
        )
