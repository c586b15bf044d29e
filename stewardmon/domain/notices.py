"""From a decision to the outbox: each call becomes one delivery with everything it may say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import (
    AlertView,
    Delivery,
    Notification,
    NotificationEvent,
)
from stewardmon.domain.oncall import Roster
from stewardmon.domain.step import Call, Step

SHOWN_AT_MOST: Final = 50  # alerts in one message; the rest is a number


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the rules and series know of an alert, ready to read."""

    value_text: str = ""
    threshold_text: str = ""
    sparkline: str = ""
    course: tuple[float | None, ...] = ()
    threshold: float | None = None
    runbook: tuple[str, ...] = ()


class FindFacts(Protocol):
    """Finds what a page says of an alert; `drawn` with the course, which costs a range query."""

    def __call__(self, alert: Alert, /, *, drawn: bool = True) -> Facts:
        """Return the facts of one alert."""
        ...


def no_facts(_alert: Alert, *, drawn: bool = True) -> Facts:
    """Return the facts of an alert of which nothing more is known."""
    del drawn
    return Facts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What writing needs besides the decision: who people are, what alerts mean, our own address.

    `seen` holds the alerts that a resolved incident consisted of, so that its last message can
    still name them.
    """

    roster: Roster
    facts: FindFacts = no_facts
    evidence: Callable[[Incident], tuple[str, ...]] = lambda _: ()
    external_url: str = ""
    seen: Mapping[str, Sequence[Alert]] | None = None


def change(
    steps: Iterable[Step], *, desk: Desk, now: datetime, alerts: tuple[Alert, ...] = (),
    forgotten: tuple[str, ...] = (),
) -> Change:  # fmt: skip
    """Return the one transaction that makes these steps, and their alerts, durable."""
    moved = tuple(steps)
    newest = {step.incident.id: step.incident for step in moved}
    return Change(
        alerts=alerts,
        forgotten=forgotten,
        incidents=tuple(newest.values()),
        events=tuple(event for step in moved for event in step.events),
        deliveries=tuple(
            delivery(call, step.incident, desk=desk, now=now)
            for step in moved
            for call in step.calls
        ),
        cancels={step.incident.id: step.cancels for step in moved if step.cancels},
    )


def delivery(call: Call, incident: Incident, *, desk: Desk, now: datetime) -> Delivery:
    """Return the outbox row of one call."""
    key = call.dedup_key(incident.id)
    return Delivery(
        dedup_key=key,
        incident=incident.id,
        event=call.event,
        level=call.level,
        person=call.address.person,
        contact=call.contact,
        channel=call.address.channel,
        to=call.address.to,
        notification=notification(call, incident, desk=desk, now=now),
        due_at=now,
        created_at=now,
    )


def notification(call: Call, incident: Incident, *, desk: Desk, now: datetime) -> Notification:
    """Return what is said: the incident as it stands, its alerts, and what happens next."""
    alerts = tuple(incident.alerts.values()) or tuple((desk.seen or {}).get(incident.id, ()))
    first = alerts[0] if alerts else None
    facts = desk.facts(first) if first is not None else Facts()
    annotations = first.annotations if first is not None else Labels()
    person = desk.roster.people.get(call.address.person)
    shown = alerts[:SHOWN_AT_MOST]
    return Notification(
        event=call.event,
        incident=incident.id,
        title=incident.title,
        severity=incident.severity,
        level=call.level,
        role=call.role or _role(incident, call.level),
        person=call.address.person,
        person_name=person.name if person else call.address.person,
        timezone=person.timezone.key if person else "UTC",
        to=call.address.to,
        dedup_key=call.dedup_key(incident.id),
        at=now,
        since=incident.opened_at,
        summary=annotations.value("summary"),
        description=annotations.value("description"),
        value_text=facts.value_text,
        threshold_text=facts.threshold_text,
        sparkline=facts.sparkline,
        course=facts.course,
        threshold=facts.threshold,
        runbook=facts.runbook,
        runbook_url=annotations.value("runbook_url"),
        evidence=(
            *(f"also affected: {line}" for line in incident.symptoms),
            *desk.evidence(incident),
        ),
        actor=call.actor,
        reason=call.reason,
        acknowledged_by=incident.acknowledged_by,
        resolved_at=incident.resolved_at,
        next_step=_next_step(call, incident),
        alerts=tuple(_view(alert, incident, desk) for alert in shown),
        truncated_alerts=len(alerts) - len(shown),
        receiver=incident.policy.name,
        group_key=incident.group_key,
        group_labels=incident.group,
        common_labels=common(alert.labels for alert in alerts),
        common_annotations=common(alert.annotations for alert in alerts),
        external_url=desk.external_url,
    )


def common(sets: Iterable[Labels]) -> Labels:
    """Return the labels on which all sets agree."""
    shared: set[tuple[str, str]] | None = None
    for labels in sets:
        shared = set(labels.pairs) if shared is None else shared & set(labels.pairs)
    return Labels(shared or ())


def _view(alert: Alert, incident: Incident, desk: Desk) -> AlertView:
    facts = desk.facts(alert, drawn=False)
    firing = incident.open and alert.state is not AlertState.RESOLVED
    return AlertView(
        status="firing" if firing else "resolved",
        labels=alert.labels,
        annotations=alert.annotations,
        starts_at=alert.fired_at or alert.active_at,
        ends_at=None if firing else alert.resolved_at or incident.resolved_at,
        generator_url=alert.generator_url,
        fingerprint=alert.fingerprint,
        value_text=facts.value_text,
        threshold_text=facts.threshold_text,
    )


def _role(incident: Incident, number: int) -> str:
    return next((one.role for one in incident.policy.levels if one.number == number), "")


def _next_step(call: Call, incident: Incident) -> str:
    """Say what happens if nobody answers, as one sentence; empty where nothing would."""
    if call.event not in (
        NotificationEvent.PAGE,
        NotificationEvent.ESCALATED,
        NotificationEvent.REMINDER,
    ):
        return ""
    at = incident.next_step_at
    if at is None:
        return ""
    above = [level for level in incident.policy.levels if level.number > incident.reached]
    who = f"level {above[0].number} ({above[0].role})" if above else "this level, again,"
    return f"Without an acknowledgement {who} is paged at {at:%H:%M:%S} UTC."
