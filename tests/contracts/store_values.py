"""Values for the tests of stores: the smallest incident, alert and delivery, changed by keyword."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.incident import Event, EventKind, Incident, IncidentState
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import Delivery, Notification, NotificationEvent
from stewardmon.domain.policy import Level, Policy

T0 = datetime(2026, 11, 22, 23, 0, 0, 123456, tzinfo=UTC)


def at(**since: float) -> datetime:
    """Return the instant that lies `since` after the tests' first."""
    return T0 + timedelta(**since)


POLICY = Policy(
    name="matrix",
    levels=(
        Level(number=1, role="On-call developer", after=timedelta(0), page=("primary",)),
        Level(number=2, role="Senior", after=timedelta(minutes=30), page=("senior", "lead")),
    ),
    repeat_last=timedelta(minutes=30),
)


def alert(name: str = "HighErrorRate", **changed: Any) -> Alert:
    """Return a firing alert."""
    labels = changed.pop("labels", Labels({"alertname": name, "job": "app"}))
    values: dict[str, Any] = {
        "rule": f"guide/{name}/0",
        "labels": labels,
        "origin": Labels({"job": "app"}),
        "annotations": Labels({"summary": "Überall — ☂"}),
        "state": AlertState.FIRING,
        "value": 0.073,
        "active_at": at(minutes=-5),
        "fired_at": T0,
    }
    return Alert(**{**values, **changed})


def incident(ident: str = "i1", **changed: Any) -> Incident:
    """Return an open incident with one alert."""
    one = alert()
    values: dict[str, Any] = {
        "group_key": 'route/{alertname="HighErrorRate"}',
        "group": Labels({"alertname": "HighErrorRate"}),
        "title": "High Error Rate",
        "severity": "critical",
        "state": IncidentState.OPEN,
        "opened_at": T0,
        "base_at": T0,
        "policy": POLICY,
        "alerts": {one.fingerprint: one},
        "next_step_at": at(minutes=30),
    }
    return Incident(id=ident, **{**values, **changed})


def event(ident: str = "i1", **changed: Any) -> Event:
    """Return a line of a timeline."""
    values: dict[str, Any] = {"at": T0, "kind": EventKind.OPENED, "detail": "because"}
    return Event(incident=ident, **{**values, **changed})


def delivery(key: str = "k1", **changed: Any) -> Delivery:
    """Return a page that is due now."""
    ident = changed.get("incident", "i1")
    kind = changed.get("event", NotificationEvent.PAGE)
    values: dict[str, Any] = {
        "incident": ident,
        "event": kind,
        "level": 1,
        "person": "dev-a",
        "contact": 0,
        "channel": "pager",
        "to": "dev-a",
        "notification": notification(key, incident=ident, event=kind),
        "due_at": T0,
        "created_at": T0,
    }
    return Delivery(dedup_key=key, **{**values, **changed})


def notification(key: str = "k1", **changed: Any) -> Notification:
    """Return a message."""
    values: dict[str, Any] = {
        "event": NotificationEvent.PAGE,
        "incident": "i1",
        "title": "High Error Rate",
        "severity": "critical",
        "level": 1,
        "role": "On-call developer",
        "person": "dev-a",
        "person_name": "Developer A",
        "timezone": "Europe/Berlin",
        "to": "dev-a",
        "at": T0,
        "since": T0,
        "runbook": ("look", "think"),
        "common_labels": Labels({"job": "app"}),
    }
    return Notification(dedup_key=key, **{**values, **changed})
