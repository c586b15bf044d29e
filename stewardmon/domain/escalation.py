"""The escalation matrix at work: which levels are due, and what paging them does.

Pure decisions: `step` is handed the incident, the roster and the time, and answers with the
incident's next state and the calls to make. Whoever commits the result owns the rest.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from stewardmon.domain.incident import Address, Event, EventKind, Incident, IncidentState
from stewardmon.domain.notification import NotificationEvent
from stewardmon.domain.oncall import Person, Roster
from stewardmon.domain.policy import Level
from stewardmon.domain.step import Call, Step, remember, still, tell

ANEW_AFTER: Final = timedelta(minutes=5)  # until a matrix of which nobody was reached begins anew


def next_step_at(incident: Incident) -> datetime | None:
    """Return when the incident next moves by itself, None when only people or alerts move it."""
    match incident.state:
        case IncidentState.RESOLVED:
            return None  # but see `tell_later`
        case IncidentState.ACKNOWLEDGED:
            return incident.snoozed_until or _ack_expires_at(incident)
        case IncidentState.OPEN:
            return incident.snoozed_until or _next_page_at(incident)
    assert_never(incident.state)


def due(incident: Incident, *, now: datetime) -> tuple[Level, ...]:
    """Return the levels to page now: reached in time, not yet paged, nobody has acknowledged."""
    if incident.quiet(now):
        return ()
    return tuple(
        level
        for level in incident.policy.levels
        if level.number > incident.reached and incident.base_at + level.after <= now
    )


def step(incident: Incident, *, roster: Roster, now: datetime) -> Step:
    """Do whatever is due at `now`, each level once however late it is, and set the next deadline.

    Levels without anybody to reach are skipped at once: the next one does not wait for its time.
    With nobody to reach at all, the matrix begins anew every few minutes: it is never given up.
    """
    if incident.state is IncidentState.RESOLVED:
        return _end(incident, now=now)
    moved = still(incident).then(lambda one: _wake(one, now=now))
    moved = moved.then(lambda one: _page_due(one, roster=roster, now=now))
    moved = moved.then(lambda one: _remind(one, roster=roster, now=now))
    return settled(moved)


def tell_later(moved: Step, *, at: datetime) -> Step:
    """Return a resolve that is told at `at`, if the incident has not come back by then."""
    return replace(moved, incident=replace(moved.incident, next_step_at=at))


def settled(moved: Step) -> Step:
    """Return the step with its incident's next deadline written down."""
    incident = moved.incident
    return replace(moved, incident=replace(incident, next_step_at=next_step_at(incident)))


def begin_again(incident: Incident, *, now: datetime) -> Incident:
    """Return the incident with the matrix at its beginning: nobody has answered, level 1 is due."""
    return replace(
        incident,
        state=IncidentState.OPEN,
        base_at=now,
        reached=0,
        repeats=0,
        round=incident.round + 1,
        snoozed_until=None,
        acknowledged_at=None,
        acknowledged_by="",
    )


def pull_next(
    incident: Incident, *, roster: Roster, now: datetime, actor: str = "", reason: str = ""
) -> Step:
    """Page the next level at once, before its time; with none left, the last one again."""
    moved = _pull(incident, roster=roster, now=now, actor=actor, reason=reason)
    if not moved.calls:
        moved = moved.then(lambda one: _exhausted(one, roster=roster, now=now))
    return settled(moved)


def pass_on(incident: Incident, *, roster: Roster, now: datetime) -> Step:
    """Page the next level because the reached one does not answer over any of its contacts.

    With none left everything has failed: the matrix begins anew in some minutes. To page again at
    once what has just failed would only spin.
    """
    moved = _pull(incident, roster=roster, now=now)
    if not moved.calls:
        moved = moved.then(lambda one: _anew(one, now=now))
    return settled(moved)


def _pull(
    incident: Incident, *, roster: Roster, now: datetime, actor: str = "", reason: str = ""
) -> Step:
    waiting = [level for level in incident.policy.levels if level.number > incident.reached]
    moved = still(incident)
    for level in waiting:
        moved = moved.then(
            lambda one, level=level: _page(  # type: ignore[misc]
                one, level, roster=roster, now=now, actor=actor, reason=reason
            )
        )
        if moved.calls:
            break
    return moved


def people(level: Level, *, roster: Roster, severity: str, now: datetime) -> tuple[Person, ...]:
    """Return whom a level means at `now`, each once, less those who must not be woken now."""
    found = (roster.find(target, now) for target in level.page)
    awake = [person for person in found if person and not _sleeps(person, severity, now)]
    return tuple({person.id: person for person in awake}.values())


def _ack_expires_at(incident: Incident) -> datetime | None:
    if incident.policy.ack_timeout is None or incident.acknowledged_at is None:
        return None
    return incident.acknowledged_at + incident.policy.ack_timeout


def _next_page_at(incident: Incident) -> datetime | None:
    if incident.muted_by or not incident.policy.levels:
        return None
    for level in incident.policy.levels:
        if level.number > incident.reached:
            return incident.base_at + level.after
    return _next_reminder_at(incident)


def _next_reminder_at(incident: Incident) -> datetime | None:
    if incident.policy.repeat_last is None:
        return None
    last = incident.base_at + incident.policy.levels[-1].after
    return last + (incident.repeats + 1) * incident.policy.repeat_last


def _end(incident: Incident, *, now: datetime) -> Step:
    """Tell a resolve that was held back, once the incident has stayed away for long enough."""
    if incident.next_step_at is None or now < incident.next_step_at:
        return still(incident)
    calls = tell(
        incident,
        NotificationEvent.RESOLVED,
        actor=incident.resolved_by,
        reason="it has not come back",
    )
    return settled(Step(incident=incident, calls=calls))


def _wake(incident: Incident, *, now: datetime) -> Step:
    """End a snooze, or an acknowledgement that nobody followed up while alerts still fire."""
    if incident.snoozed_until is not None:
        if now < incident.snoozed_until:
            return still(incident)
        kind, detail = EventKind.WOKE, "the snooze ended and alerts still fire"
    else:
        expires = _ack_expires_at(incident)
        if incident.state is not IncidentState.ACKNOWLEDGED or expires is None or now < expires:
            return still(incident)
        kind = EventKind.ACK_TIMEOUT
        detail = f"acknowledged by {incident.acknowledged_by}, but alerts still fire"
    event = Event(incident=incident.id, at=now, kind=kind, detail=detail)
    return Step(incident=begin_again(incident, now=now), events=(event,))


def _page_due(incident: Incident, *, roster: Roster, now: datetime) -> Step:
    if incident.quiet(now):
        return still(incident)
    moved = still(incident)
    skipped = False
    for level in incident.policy.levels:
        late = incident.base_at + level.after <= now
        if level.number <= incident.reached or not (late or skipped):
            continue
        before = len(moved.calls)
        moved = moved.then(
            lambda one, level=level: _page(one, level, roster=roster, now=now)  # type: ignore[misc]
        )
        skipped = len(moved.calls) == before
    if skipped and not moved.calls:
        moved = moved.then(lambda one: _exhausted(one, roster=roster, now=now))
        if not moved.calls and _is_forlorn(incident):
            moved = replace(moved, events=())  # said when it began; each attempt need not be
    anew = moved.calls and incident.reached == 0
    return replace(moved, cancels=_former(incident)) if anew else moved


def _page(
    incident: Incident,
    level: Level,
    *,
    roster: Roster,
    now: datetime,
    actor: str = "",
    reason: str = "",
) -> Step:
    first = level.number == incident.policy.levels[0].number
    event = NotificationEvent.PAGE if first else NotificationEvent.ESCALATED
    calls = _calls(
        incident, level, event, roster=roster, now=now, turn=f"r{incident.round}",
        actor=actor, reason=reason,
    )  # fmt: skip
    reached = replace(incident, reached=level.number, repeats=0)
    if not calls:
        detail = f"level {level.number} ({level.role}) has nobody who can be reached now"
        return Step(
            incident=reached,
            events=(Event(incident=incident.id, at=now, kind=EventKind.SKIPPED, detail=detail),),
        )
    return Step(
        incident=remember(reached, calls),
        events=(_paged(incident, level, calls, EventKind.PAGED, now=now),),
        calls=calls,
    )


def _former(incident: Incident) -> str:
    """Return why what an earlier round has not sent by now is taken back; empty in the first."""
    return f"round {incident.round} of the matrix has begun" if incident.round > 1 else ""


def _remind(incident: Incident, *, roster: Roster, now: datetime) -> Step:
    every = incident.policy.repeat_last
    levels = incident.policy.levels
    if every is None or not levels or incident.quiet(now):
        return still(incident)
    at = _next_reminder_at(incident)
    if incident.reached < levels[-1].number or at is None or now < at:
        return still(incident)
    # After a long pause one reminder is enough: count the missed ones as said.
    elapsed = now - (incident.base_at + levels[-1].after)
    counted = replace(incident, repeats=elapsed // every)
    return _again(counted, roster=roster, now=now)


def _exhausted(incident: Incident, *, roster: Roster, now: datetime) -> Step:
    """Nobody is left above: say so, and try again from the top of what can be reached."""
    event = Event(
        incident=incident.id,
        at=now,
        kind=EventKind.EXHAUSTED,
        detail="no level is left that could be reached",
    )
    said = Step(incident=incident, events=(event,))
    counted = replace(incident, repeats=incident.repeats + 1)
    again = said.then(lambda _: _again(counted, roster=roster, now=now))
    return again if again.calls else said.then(lambda one: _anew(one, now=now, told=True))


def _anew(incident: Incident, *, now: datetime, told: bool = False) -> Step:
    """Nobody was reached: let the matrix begin again in some minutes."""
    if incident.state is not IncidentState.OPEN:
        return still(incident)
    detail = "no level is left that could be reached: the matrix begins anew"
    event = Event(incident=incident.id, at=now, kind=EventKind.EXHAUSTED, detail=detail)
    again = replace(begin_again(incident, now=now + ANEW_AFTER), repeats=1)
    return Step(incident=again, events=() if told else (event,))


def _is_forlorn(incident: Incident) -> bool:
    """Say whether the matrix began anew because nobody was reached: see `_anew`."""
    return incident.reached == 0 and incident.repeats > 0


def _again(incident: Incident, *, roster: Roster, now: datetime) -> Step:
    """Page the highest level in which anybody can be reached, once more."""
    turn = f"r{incident.round}.{incident.repeats}"
    for level in reversed(incident.policy.levels):
        calls = _calls(
            incident, level, NotificationEvent.REMINDER, roster=roster, now=now, turn=turn
        )
        if calls:
            return Step(
                incident=remember(incident, calls),
                events=(_paged(incident, level, calls, EventKind.REMINDED, now=now),),
                calls=calls,
            )
    return still(incident)


def _calls(
    incident: Incident,
    level: Level,
    event: NotificationEvent,
    *,
    roster: Roster,
    now: datetime,
    turn: str,
    actor: str = "",
    reason: str = "",
) -> tuple[Call, ...]:
    calls = []
    for person in people(level, roster=roster, severity=incident.severity, now=now):
        for place, contact in roster.contacts(person)[:1]:
            calls.append(
                Call(
                    event=event,
                    level=level.number,
                    role=level.role,
                    address=Address(person.id, contact.channel, contact.to),
                    contact=place,
                    turn=turn,
                    actor=actor,
                    reason=reason,
                )
            )
    return tuple(calls)


def _paged(
    incident: Incident, level: Level, calls: tuple[Call, ...], kind: EventKind, *, now: datetime
) -> Event:
    whom = ", ".join(f"{call.address.person} over {call.address.channel}" for call in calls)
    detail = f"level {level.number} ({level.role}): {whom}"
    return Event(incident=incident.id, at=now, kind=kind, detail=detail)


def _sleeps(person: Person, severity: str, now: datetime) -> bool:
    """Say whether the person's quiet hours keep this from them; never for a critical incident."""
    if severity == "critical" or person.quiet_hours is None:
        return False
    local = now.astimezone(person.timezone).time()
    start, end = person.quiet_hours.start, person.quiet_hours.end
    return start <= local < end if start <= end else local >= start or local < end
