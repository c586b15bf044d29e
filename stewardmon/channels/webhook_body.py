"""The webhook's body: Alertmanager's version 4, and a `stewardmon` object beside it.

Source: prometheus.io/docs/alerting/latest/configuration/#webhook_config, and DESIGN.md,
"The webhook channel".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from stewardmon.channels import render
from stewardmon.channels.text import encodable, line, shorten
from stewardmon.channels.view import view
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import AlertView, Notification, NotificationEvent

# What Alertmanager writes for the end of an alert that fires: Go's zero time.
NEVER: Final = "0001-01-01T00:00:00Z"
_LONGEST_ANNOTATION: Final = 4096
_MOST_ALERTS: Final = 200


def body(notification: Notification, *, to: str, now: datetime) -> dict[str, Any]:
    """Return the body as plain JSON values."""
    shown = notification.alerts[:_MOST_ALERTS]
    hidden = len(notification.alerts) - len(shown)
    return {
        "version": "4",
        "groupKey": encodable(notification.group_key),
        "truncatedAlerts": notification.truncated_alerts + hidden,
        "status": status(notification),
        "receiver": encodable(notification.receiver),
        "groupLabels": label_values(notification.group_labels),
        "commonLabels": label_values(notification.common_labels),
        "commonAnnotations": annotation_values(notification.common_annotations),
        "externalURL": encodable(notification.external_url),
        "alerts": [alert(one) for one in shown],
        "stewardmon": _own(notification, to=to, now=now),
    }


def status(notification: Notification) -> str:
    """Return Alertmanager's word for the whole group."""
    return "resolved" if notification.event is NotificationEvent.RESOLVED else "firing"


def alert(one: AlertView) -> dict[str, Any]:
    """Return one alert as Alertmanager shows it."""
    return {
        "status": one.status,
        "labels": label_values(one.labels),
        "annotations": annotation_values(one.annotations),
        "startsAt": rfc3339(one.starts_at),
        "endsAt": NEVER if one.ends_at is None else rfc3339(one.ends_at),
        "generatorURL": encodable(one.generator_url),
        "fingerprint": one.fingerprint,
    }


def label_values(found: Labels) -> Mapping[str, str]:
    """Return labels whole: receivers match on them."""
    return {encodable(name): encodable(value) for name, value in found.pairs}


def annotation_values(found: Labels) -> Mapping[str, str]:
    """Return annotations, each cut to 4096 characters."""
    return {
        encodable(name): encodable(shorten(value, _LONGEST_ANNOTATION))
        for name, value in found.pairs
    }


def rfc3339(at: datetime) -> str:
    """Return a time as RFC 3339 in UTC with milliseconds."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _own(notification: Notification, *, to: str, now: datetime) -> dict[str, Any]:
    shown = view(notification, now=now)
    return {
        "event": notification.event.value,
        "incident": notification.incident,
        "severity": encodable(notification.severity),
        "level": notification.level,
        "role": line(notification.role, 200),
        "person": encodable(notification.person),
        "to": encodable(to),
        "attempt": notification.attempt,
        "dedup_key": encodable(notification.dedup_key),
        "ack_url": shown.ack_url,
        "incident_url": notification.incident_url,
        "title": shown.title,
        "headline": shown.headline,
        "value": shown.what,
        "evidence": list(shown.evidence),
        "since": rfc3339(notification.since),
        "actor": encodable(notification.actor),
        "reason": encodable(shorten(notification.reason, _LONGEST_ANNOTATION)),
        "text": render.text(notification, now=now),
    }
