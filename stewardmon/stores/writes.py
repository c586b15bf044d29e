"""A Change as SQL: a handful of statements, however many rows it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from operator import is_
from typing import Any, Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident
from stewardmon.stores import outbox, rows
from stewardmon.stores.bulk import Insert, drop, upsert
from stewardmon.stores.codec import encode, encode_record
from stewardmon.stores.dialect import Connection

_NONE: Final[Mapping[str, Alert]] = {}

_put_alerts: Final = upsert("alert", rows.ALERT)
_put_incidents: Final = upsert("incident", rows.INCIDENT)
_put_members: Final = upsert("member", rows.MEMBER, keys=2)
_put_events: Final = Insert("event", rows.EVENT)
_put_records: Final = upsert("record", rows.RECORD, keys=2)


class Writes:
    """Writes changes, and remembers which alerts of an incident are written already."""

    def __init__(self) -> None:
        self._members: dict[str, Mapping[str, Alert]] = {}

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
        drop(connection, "alert", "fingerprint", change.forgotten)
        alerts = [rows.alert_row(alert, text(alert)) for alert in change.alerts]
        _put_alerts.run(connection, rows.last_by_key(alerts))
        newest = {incident.id: incident for incident in change.incidents}.values()
        _put_incidents.run(connection, [rows.incident_row(one) for one in newest])
        self._write_members(connection, newest, text)
        _put_events.run(connection, [rows.event_row(event) for event in change.events])
        outbox.cancel(connection, change.cancels or {})
        outbox.enqueue(connection, change.deliveries, change.replaces)
        _write_records(connection, change.records or {})

    def _write_members(
        self, connection: Connection, incidents: Iterable[Incident], text: Callable[[Alert], str]
    ) -> None:
        fresh: list[rows.Row] = []
        for incident in incidents:
            before = self._members.get(incident.id)
            if before is incident.alerts:
                continue
            ident = rows.plain(incident.id)
            if before is None:
                drop(connection, "member", "incident", [ident])
                before = _NONE
            gone = before.keys() - incident.alerts.keys()
            if gone:
                drop(connection, "member", "fingerprint", gone, incident=ident)
            fresh += [[ident, mark, text(alert)] for mark, alert in _changed(before, incident)]
        _put_members.run(connection, fresh)


def _changed(before: Mapping[str, Alert], incident: Incident) -> Iterable[tuple[str, Alert]]:
    """Return the alerts of an incident that are not written as they are.

    Most often alerts have only joined, at the end: that is seen without a look at each of them,
    which in a storm would be a look at every alert for every batch.
    """
    after = incident.alerts
    if all(map(is_, before.values(), after.values())) and len(before) <= len(after):
        return islice(after.items(), len(before), None)
    return ((mark, alert) for mark, alert in after.items() if before.get(mark) is not alert)


def _write_records(connection: Connection, records: Mapping[tuple[str, str], Any]) -> None:
    fresh: list[rows.Row] = []
    for (kind, ident), body in records.items():
        place = [rows.plain(kind), rows.plain(ident)]
        if body is None:
            drop(connection, "record", "id", place[1:], kind=place[0])
        else:
            fresh.append([*place, encode_record(body)])
    _put_records.run(connection, rows.last_by_key(fresh, keys=2))


def _once() -> Callable[[Alert], str]:
    """Return an encoder that writes each alert once, for its own row and its incident's."""
    known: dict[int, str] = {}

    def text(alert: Alert) -> str:
        body = known.get(id(alert))
        if body is None:
            body = known[id(alert)] = encode(alert)
        return body

    return text
