"""What can be asked of the state: each function one question, within the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, func, or_, select

from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import Event, Incident, IncidentState
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.ports import Saved
from stewardmon.stores import rows
from stewardmon.stores.codec import decode, decode_record
from stewardmon.stores.memory import RECENTLY
from stewardmon.stores.schema import alert, event, incident, member, outbox, record

_OPEN = incident.c.state != IncidentState.RESOLVED.value
_PENDING = outbox.c.state == DeliveryState.PENDING.value


def load(connection: Connection) -> Saved:
    """Return alerts, incidents that are open or resolved of late, and records."""
    newest = connection.execute(select(func.max(incident.c.resolved_at))).scalar()
    recent = (newest or 0) - RECENTLY.total_seconds() * 1_000_000
    held = select(incident).where(or_(_OPEN, incident.c.resolved_at >= int(recent)))
    alerts = connection.execute(select(alert.c.body)).scalars()
    return Saved(
        alerts=tuple(decode(Alert, body) for body in alerts),
        incidents=tuple(_incidents(connection, held.order_by(incident.c.opened_at))),
        records={
            (row.kind, row.id): decode_record(row.body)
            for row in connection.execute(select(record))
        },
    )


def one_incident(connection: Connection, ident: str) -> Incident | None:
    """Return one incident, None where there is none."""
    wanted = select(incident).where(incident.c.id == rows.plain(ident))
    return next(iter(_incidents(connection, wanted)), None)


def incidents(
    connection: Connection, *, limit: int, before: datetime | None, only_open: bool
) -> Sequence[Incident]:
    """Return incidents opened before `before`, newest first."""
    wanted = select(incident).order_by(incident.c.opened_at.desc(), incident.c.id.desc())
    if before is not None:
        wanted = wanted.where(incident.c.opened_at < rows.micros(before))
    if only_open:
        wanted = wanted.where(_OPEN)
    return _incidents(connection, wanted.limit(limit))


def deliveries(connection: Connection, ident: str) -> Sequence[Delivery]:
    """Return the outbox rows of one incident, oldest first."""
    return _deliveries(connection, outbox.c.incident == rows.plain(ident))


def unsettled(connection: Connection) -> Sequence[Delivery]:
    """Return every row that is still to be sent, oldest first."""
    return _deliveries(connection, _PENDING)


def events(connection: Connection, ident: str) -> Sequence[Event]:
    """Return one incident's timeline in the order in which it was written."""
    wanted = select(event).where(event.c.incident == rows.plain(ident)).order_by(event.c.number)
    return [rows.event_of(row) for row in connection.execute(wanted)]


def events_between(connection: Connection, start: datetime, end: datetime) -> Sequence[Event]:
    """Return all timeline lines with start ≤ at < end, in order."""
    wanted = (
        select(event)
        .where(event.c.at >= rows.micros(start), event.c.at < rows.micros(end))
        .order_by(event.c.at, event.c.number)
    )
    return [rows.event_of(row) for row in connection.execute(wanted)]


def prune(connection: Connection, before: datetime) -> None:
    """Delete incidents resolved before an instant, and what belongs to no incident any more."""
    gone = rows.micros(before)
    connection.execute(delete(incident).where(incident.c.resolved_at < gone, ~_OPEN))
    kept = select(incident.c.id)
    connection.execute(delete(member).where(member.c.incident.not_in(kept)))
    connection.execute(delete(event).where(event.c.at < gone, event.c.incident.not_in(kept)))
    connection.execute(
        delete(outbox).where(~_PENDING, outbox.c.due_at < gone, outbox.c.incident.not_in(kept))
    )


def _deliveries(connection: Connection, which: ColumnElement[bool]) -> Sequence[Delivery]:
    wanted = select(outbox).where(which).order_by(outbox.c.number)
    return [rows.delivery_of(row) for row in connection.execute(wanted)]


def _incidents(connection: Connection, wanted: Any) -> list[Incident]:
    found = connection.execute(wanted).all()
    alerts = _members(connection, (row.id for row in found))
    return [rows.incident_of(row.body, alerts[row.id]) for row in found]


def _members(connection: Connection, idents: Iterable[str]) -> dict[str, dict[str, Alert]]:
    alerts: dict[str, dict[str, Alert]] = defaultdict(dict)
    wanted = select(member).where(member.c.incident.in_(list(idents)))
    for row in connection.execute(wanted):
        alerts[row.incident][row.fingerprint] = decode(Alert, row.body)
    return alerts
