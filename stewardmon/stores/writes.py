"""A Change as SQL: a handful of statements, however many rows it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident, only_joined
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
        drop(connection, "alert", "fingerprint", change.forgotten)
        alerts = {alert.fingerprint: alert for alert in change.alerts}
        _put_alerts.run(connection, [rows.alert_row(alert) for alert in alerts.values()])
        newest = {incident.id: incident for incident in change.incidents}.values()
        _put_incidents.run(connection, [rows.incident_row(one) for one in newest])
        self._write_members(connection, newest, alerts)
        _put_events.run(connection, [rows.event_row(event) for event in change.events])
        outbox.cancel(connection, change.cancels or {})
        outbox.enqueue(connection, change.deliveries, change.replaces)
        _write_records(connection, change.records or {})

    def _write_members(
        self,
        connection: Connection,
        incidents: Iterable[Incident],
        written: Mapping[str, Alert],
    ) -> None:
        """Write which alerts belong to which incident; what stands in its own row only by name."""
        fresh: list[rows.Row] = []
        for incident in incidents:
            before, now = self._members.get(incident.id), incident.alerts
            if before is now:
                continue
            ident = rows.plain(incident.id)
            if before is None:
                drop(connection, "member", "incident", [ident])
                before = _NONE
            gone = before.keys() - now.keys() if only_joined(before, now) is None else ()
            if gone:
                drop(connection, "member", "fingerprint", gone, incident=ident)
            for mark in _changed(before, now):
                alert = now[mark]
                fresh.append([ident, mark, "" if written.get(mark) is alert else encode(alert)])
        _put_members.run(connection, fresh)


def _changed(before: Mapping[str, Alert], after: Mapping[str, Alert]) -> Iterable[str]:
    """Return the fingerprints of an incident's alerts that are not written as they are."""
    joined = only_joined(before, after)
    if joined is not None:
        return joined
    return (mark for mark, alert in after.items() if before.get(mark) is not alert)


def _write_records(connection: Connection, records: Mapping[tuple[str, str], Any]) -> None:
    fresh: list[rows.Row] = []
    for (kind, ident), body in records.items():
        place = [rows.plain(kind), rows.plain(ident)]
        if body is None:
            drop(connection, "record", "id", place[1:], kind=place[0])
        else:
            fresh.append([*place, encode_record(body)])
    _put_records.run(connection, rows.last_by_key(fresh, keys=2))
