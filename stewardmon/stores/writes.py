"""A Change as SQL: a handful of statements, however many rows it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, TextClause

from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident
from stewardmon.stores import rows, schema
from stewardmon.stores.codec import dumps, encode, encode_record
from stewardmon.stores.dialect import Dialect, delete, insert, upsert
from stewardmon.stores.outbox import Outbox

_NONE: Final[Mapping[str, Alert]] = {}


class Writes:
    """Writes changes, and remembers which alerts of an incident are written already."""

    def __init__(self, dialect: Dialect, outbox: Outbox) -> None:
        self._outbox = outbox
        self._members: dict[str, Mapping[str, Alert]] = {}
        self._put_alerts = upsert(dialect, schema.alert)
        self._put_incidents = upsert(dialect, schema.incident)
        self._put_members = upsert(dialect, schema.member)
        self._put_events = insert(dialect, schema.event, skip=("number",))
        self._put_records = upsert(dialect, schema.record)
        self._drop_alerts = delete(dialect, schema.alert, "fingerprint")
        self._drop_all_members = delete(dialect, schema.member, "incident")
        self._drop_members = delete(
            dialect, schema.member, "fingerprint", also="AND incident = :incident"
        )
        self._drop_records = delete(dialect, schema.record, "id", also="AND kind = :kind")

    def remember(self, incidents: Iterable[Incident]) -> None:
        """Note what the database holds of these incidents' alerts."""
        for incident in incidents:
            if incident.alerts:
                self._members[incident.id] = incident.alerts
            else:
                self._members.pop(incident.id, None)

    def apply(self, connection: Connection, change: Change) -> None:
        """Write the whole change within the running transaction."""
        text = _once()
        drop(connection, self._drop_alerts, change.forgotten)
        put(
            connection,
            self._put_alerts,
            rows.last_by_key(rows.alert_row(alert, text(alert)) for alert in change.alerts),
        )
        put(
            connection,
            self._put_incidents,
            rows.last_by_key(rows.incident_row(one) for one in change.incidents),
        )
        newest = {incident.id: incident for incident in change.incidents}
        self._write_members(connection, newest.values(), text)
        put(connection, self._put_events, [rows.event_row(event) for event in change.events])
        self._outbox.cancel(connection, change.cancels or {})
        self._outbox.enqueue(connection, change.deliveries, change.replaces)
        self._write_records(connection, change.records or {})

    def _write_members(
        self, connection: Connection, incidents: Iterable[Incident], text: Callable[[Alert], str]
    ) -> None:
        unknown, fresh = [], []
        for incident in incidents:
            before = self._members.get(incident.id)
            if before is None:
                unknown.append(rows.plain(incident.id))
                before = _NONE
            if before is incident.alerts:
                continue
            gone = [mark for mark in before if mark not in incident.alerts]
            drop(connection, self._drop_members, gone, incident=rows.plain(incident.id))
            fresh += [
                [rows.plain(incident.id), mark, text(alert)]
                for mark, alert in incident.alerts.items()
                if before.get(mark) is not alert
            ]
        drop(connection, self._drop_all_members, unknown)
        put(connection, self._put_members, fresh)

    def _write_records(
        self, connection: Connection, records: Mapping[tuple[str, str], Any]
    ) -> None:
        for kind in {kind for kind, _ in records}:
            gone = [
                rows.plain(ident)
                for (of, ident), body in records.items()
                if of == kind and body is None
            ]
            drop(connection, self._drop_records, gone, kind=rows.plain(kind))
        put(
            connection,
            self._put_records,
            [
                [rows.plain(kind), rows.plain(ident), encode_record(body)]
                for (kind, ident), body in records.items()
                if body is not None
            ],
        )


def put(connection: Connection, statement: TextClause, found: list[rows.Row]) -> None:
    """Run a statement over rows, if there are any."""
    if found:
        connection.execute(statement, {"rows": dumps(found)})


def drop(
    connection: Connection, statement: TextClause, keys: Iterable[str], **also: object
) -> None:
    """Run a statement over keys, if there are any."""
    if wanted := list(keys):
        connection.execute(statement, {"keys": dumps(wanted), **also})


def _once() -> Callable[[Alert], str]:
    """Return an encoder that writes each alert once, for its own row and its incident's."""
    known: dict[int, str] = {}

    def text(alert: Alert) -> str:
        body = known.get(id(alert))
        if body is None:
            body = known[id(alert)] = encode(alert)
        return body

    return text
