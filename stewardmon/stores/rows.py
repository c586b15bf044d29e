"""A Change as rows, and rows as the domain's values again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.stores.codec import decode, encode

Row = list[Any]
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


def alert_row(alert: Alert, body: str) -> Row:
    """Return the alert's columns in the table's order; `body` is its JSON, made once for all."""
    return [
        alert.fingerprint,
        plain(alert.rule),
        plain(alert.name),
        alert.state.value,
        micros(alert.active_at),
        micros(alert.fired_at),
        micros(alert.resolved_at),
        body,
    ]


def incident_row(incident: Incident) -> Row:
    """Return the incident's columns in the table's order; its alerts are rows of their own."""
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
    """Return the event's columns in the table's order, less the number."""
    return [
        plain(event.incident),
        micros(event.at),
        event.kind.value,
        plain(event.who),
        plain(event.detail),
    ]


def event_of(row: Any) -> Event:
    """Return the event that a row holds."""
    return Event(
        incident=row.incident,
        at=_EPOCH + timedelta(microseconds=row.at),
        kind=EventKind(row.kind),
        who=row.who,
        detail=row.detail,
    )


def delivery_row(delivery: Delivery) -> Row:
    """Return the delivery's columns in the table's order, less number and withdrawn."""
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


def delivery_of(row: Any) -> Delivery:
    """Return the delivery that a row holds: what the store itself decided comes from columns."""
    return replace(
        decode(Delivery, row.payload),
        order=row.number,
        state=DeliveryState(row.state),
        lease_until=moment(row.lease_until),
        error=row.error,
    )


def last_by_key(rows: Iterable[Row], keys: int = 1) -> list[Row]:
    """Return the rows less those that a later one of the same key (first columns) replaces."""
    return list({tuple(row[:keys]): row for row in rows}.values())
