"""A Change as rows, and rows as the domain's values again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.stores.codec import decode, encode

Row = list[Any]

ALERT: Final = "fingerprint, rule, name, state, active_at, fired_at, resolved_at, body"
INCIDENT: Final = (
    "id, title, severity, state, opened_at, acknowledged_at, resolved_at, reached, next_step_at, "
    "snoozed_until, body"
)
MEMBER: Final = "incident, fingerprint, body"
EVENT: Final = "incident, at, kind, who, detail"
DELIVERY: Final = (
    "dedup_key, incident, channel, address, pages, state, due_at, lease_until, attempts, receipt, "
    "error, payload"
)
READ_DELIVERY: Final = "number, state, lease_until, error, payload"
RECORD: Final = "kind, id, body"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_NO_ALERTS: Final[Mapping[str, Alert]] = {}


def micros(at: datetime | None) -> int | None:
    """Return microseconds since 1970 UTC, exactly."""
    return None if at is None else (at - _EPOCH) // _MICROSECOND


def moment(at_us: int | None) -> datetime | None:
    """Return the aware UTC time of `micros`."""
    return None if at_us is None else _EPOCH + timedelta(microseconds=at_us)


def plain(text: str) -> str:
    """Return text that every database takes: no NUL (PostgreSQL), no lone surrogate (UTF-8)."""
    if text.isascii() and "\0" not in text:
        return text
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def alert_row(alert: Alert) -> Row:
    """Return the columns ALERT."""
    return [
        alert.fingerprint,
        plain(alert.rule),
        plain(alert.name),
        alert.state.value,
        micros(alert.active_at),
        micros(alert.fired_at),
        micros(alert.resolved_at),
        encode(alert),
    ]


def incident_row(incident: Incident) -> Row:
    """Return the columns INCIDENT; its alerts are rows of their own."""
    return [
        plain(incident.id),
        plain(incident.title),
        plain(incident.severity),
        incident.state.value,
        micros(incident.opened_at),
        micros(incident.acknowledged_at),
        micros(incident.resolved_at),
        incident.reached,
        micros(incident.next_step_at),
        micros(incident.snoozed_until),
        encode(replace(incident, alerts=_NO_ALERTS)),
    ]


def incident_of(body: str, alerts: Mapping[str, Alert]) -> Incident:
    """Return the incident that a row and its members hold."""
    return replace(decode(Incident, body), alerts=alerts)


def event_row(event: Event) -> Row:
    """Return the columns EVENT."""
    return [
        plain(event.incident),
        micros(event.at),
        event.kind.value,
        plain(event.who),
        plain(event.detail),
    ]


def event_of(row: Sequence[Any]) -> Event:
    """Return the event of a row with the columns EVENT."""
    incident, at, kind, who, detail = row
    return Event(
        incident=incident,
        at=_EPOCH + timedelta(microseconds=at),
        kind=EventKind(kind),
        who=who,
        detail=detail,
    )


def delivery_row(delivery: Delivery) -> Row:
    """Return the columns DELIVERY."""
    return [
        plain(delivery.dedup_key),
        plain(delivery.incident),
        plain(delivery.channel),
        plain(delivery.to),
        delivery.pages,
        delivery.state.value,
        micros(delivery.due_at),
        micros(delivery.lease_until),
        delivery.attempts,
        plain(delivery.receipt),
        plain(delivery.error),
        encode(delivery),
    ]


def delivery_of(row: Sequence[Any]) -> Delivery:
    """Return the delivery of a row with the columns READ_DELIVERY.

    What the store itself decides comes from columns of its own.
    """
    number, state, lease_until, error, payload = row
    return replace(
        decode(Delivery, payload),
        order=number,
        state=DeliveryState(state),
        lease_until=moment(lease_until),
        error=error,
    )


def last_by_key(rows: Iterable[Row], keys: int = 1) -> list[Row]:
    """Return the rows less those that a later one of the same key (first columns) replaces."""
    return list({tuple(row[:keys]): row for row in rows}.values())
