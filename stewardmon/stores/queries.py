"""What can be asked of the state: each function one question, within the caller's transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.notification import Delivery
from stewardmon.ports import Saved
from stewardmon.stores import rows
from stewardmon.stores.bulk import marks, slices
from stewardmon.stores.codec import decode, decode_record
from stewardmon.stores.dialect import Connection
from stewardmon.stores.memory import RECENTLY

_INCIDENTS: Final = "SELECT id, body FROM incident"
_EVENTS: Final = f"SELECT {rows.EVENT} FROM event"
_DELIVERIES: Final = f"SELECT {rows.READ_DELIVERY} FROM outbox"


def load(connection: Connection) -> Saved:
    """Return alerts, incidents that are open or resolved of late, and records."""
    ((newest,),) = connection.execute("SELECT max(resolved_at) FROM incident")
    recent = int((newest or 0) - RECENTLY.total_seconds() * 1_000_000)
    held = f"{_INCIDENTS} WHERE state <> 'resolved' OR resolved_at >= ? ORDER BY opened_at"
    return Saved(
        alerts=tuple(
            decode(Alert, body) for (body,) in connection.execute("SELECT body FROM alert")
        ),
        incidents=tuple(_incidents(connection, held, recent)),
        records=records(connection),
    )


def records(connection: Connection) -> Mapping[tuple[str, str], Mapping[str, object]]:
    """Return what people set at run time and what jobs reported, by kind and id."""
    found = connection.execute(f"SELECT {rows.RECORD} FROM record")
    return {(kind, ident): decode_record(body) for kind, ident, body in found}


def one_incident(connection: Connection, ident: str) -> Incident | None:
    """Return one incident, None where there is none."""
    found = _incidents(connection, f"{_INCIDENTS} WHERE id = ?", rows.plain(ident))
    return next(iter(found), None)


def incidents(
    connection: Connection, *, limit: int, before: datetime | None, only_open: bool
) -> Sequence[Incident]:
    """Return incidents opened before `before`, newest first."""
    which: list[str] = []
    values: list[Any] = []
    if before is not None:
        which.append("opened_at < ?")
        values.append(rows.micros(before))
    if only_open:
        which.append("state <> 'resolved'")
    where = f" WHERE {' AND '.join(which)}" if which else ""
    newest = f"{_INCIDENTS}{where} ORDER BY opened_at DESC, id DESC LIMIT ?"
    return _incidents(connection, newest, *values, limit)


def deliveries(connection: Connection, ident: str) -> Sequence[Delivery]:
    """Return the outbox rows of one incident, oldest first."""
    wanted = f"{_DELIVERIES} WHERE incident = ? ORDER BY number"
    return [rows.delivery_of(row) for row in connection.execute(wanted, (rows.plain(ident),))]


def unsettled(connection: Connection) -> Sequence[Delivery]:
    """Return every row that is still to be sent, oldest first."""
    wanted = f"{_DELIVERIES} WHERE state = 'pending' ORDER BY number"
    return [rows.delivery_of(row) for row in connection.execute(wanted)]


def events(connection: Connection, ident: str) -> Sequence[Event]:
    """Return one incident's timeline in the order in which it was written."""
    wanted = f"{_EVENTS} WHERE incident = ? ORDER BY number"
    return [rows.event_of(row) for row in connection.execute(wanted, (rows.plain(ident),))]


def events_between(connection: Connection, start: datetime, end: datetime) -> Sequence[Event]:
    """Return all timeline lines with start ≤ at < end, in order."""
    wanted = f"{_EVENTS} WHERE at >= ? AND at < ? ORDER BY at, number"
    found = connection.execute(wanted, (rows.micros(start), rows.micros(end)))
    return [rows.event_of(row) for row in found]


def prune(connection: Connection, before: datetime) -> None:
    """Delete incidents resolved before an instant, and what belongs to no incident any more."""
    gone = (rows.micros(before),)
    orphan = "incident NOT IN (SELECT id FROM incident)"
    connection.execute("DELETE FROM incident WHERE state = 'resolved' AND resolved_at < ?", gone)
    connection.execute(f"DELETE FROM member WHERE {orphan}")
    connection.execute(f"DELETE FROM event WHERE at < ? AND {orphan}", gone)
    connection.execute(
        f"DELETE FROM outbox WHERE state <> 'pending' AND due_at < ? AND {orphan}", gone
    )


def _incidents(connection: Connection, wanted: str, *values: Any) -> list[Incident]:
    found = connection.execute(wanted, values)
    alerts = _members(connection, [ident for ident, _ in found])
    return [rows.incident_of(body, alerts[ident]) for ident, body in found]


def _members(connection: Connection, idents: Sequence[str]) -> dict[str, dict[str, Alert]]:
    alerts: dict[str, dict[str, Alert]] = defaultdict(dict)
    for part in slices(idents):
        # One without a body is as its own row says.
        found = connection.execute(
            f"""SELECT incident, member.fingerprint, COALESCE(NULLIF(member.body, ''), alert.body)
            FROM member LEFT JOIN alert ON alert.fingerprint = member.fingerprint
            WHERE incident IN {marks(len(part))}""",
            part,
        )
        for incident, fingerprint, body in found:
            if body is not None:
                alerts[incident][fingerprint] = decode(Alert, body)
    return alerts
