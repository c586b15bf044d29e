"""A Change as SQL: a handful of statements, however many rows it has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident, differ_in_alerts_only, only_joined
from stewardmon.stores import outbox, rows
from stewardmon.stores.bulk import Insert, drop, marks, slices, upsert
from stewardmon.stores.codec import encode, encode_record
from stewardmon.stores.dialect import Connection

_NONE: Final[Mapping[str, Alert]] = {}

_put_alerts: Final = upsert("alert", rows.ALERT)
_put_incidents: Final = upsert("incident", rows.INCIDENT)
_put_members: Final = upsert("member", rows.MEMBER, keys=2)
_put_events: Final = Insert("event", rows.EVENT)
_put_records: Final = upsert("record", rows.RECORD, keys=2)


class Writes:
    """Writes changes, and remembers the incidents as they are written already."""

    def __init__(self) -> None:
        self._written: dict[str, Incident] = {}

    def remember(self, incidents: Iterable[Incident]) -> None:
        """Note what the database holds of these incidents and their alerts."""
        for incident in incidents:
            if incident.alerts:
                self._written[incident.id] = incident
            else:
                self._written.pop(incident.id, None)

    def apply(self, connection: Connection, change: Change) -> None:
        """Write the whole change within the running transaction."""
        _forget(connection, change.forgotten)
        alerts = {alert.fingerprint: alert for alert in change.alerts}
        _put_alerts.run(connection, [rows.alert_row(alert) for alert in alerts.values()])
        newest = {incident.id: incident for incident in change.incidents}.values()
        moved = [one for one in newest if not self._is_written(one)]
        _put_incidents.run(connection, [rows.incident_row(one) for one in moved])
        self._write_members(connection, newest, alerts)
        _put_events.run(connection, [rows.event_row(event) for event in change.events])
        outbox.cancel(connection, change.cancels or {})
        outbox.enqueue(connection, change.deliveries, change.replaces)
        _write_records(connection, change.records or {})

    def _is_written(self, incident: Incident) -> bool:
        """Say whether the incident's row says all of it: its alerts stand in rows of their own."""
        before = self._written.get(incident.id)
        return before is not None and differ_in_alerts_only(before, incident)

    def _write_members(
        self,
        connection: Connection,
        incidents: Iterable[Incident],
        written: Mapping[str, Alert],
    ) -> None:
        """Write which alerts belong to which incident; what stands in its own row only by name."""
        fresh: list[rows.Row] = []
        for incident in incidents:
            known, now = self._written.get(incident.id), incident.alerts
            before = _NONE if known is None else known.alerts
            if before is now:
                continue
            ident = rows.plain(incident.id)
            if known is None:
                drop(connection, "member", "incident", [ident])
            changed = only_joined(before, now)
            if changed is None:
                gone = before.keys() - now.keys()
                drop(connection, "member", "fingerprint", gone, incident=ident)
                changed = [mark for mark in now if before.get(mark) is not now[mark]]
            for mark in changed:
                alert = now[mark]
                fresh.append([ident, mark, "" if written.get(mark) is alert else encode(alert)])
        _put_members.run(connection, fresh)


def _forget(connection: Connection, fingerprints: Sequence[str]) -> None:
    """Delete alerts; an incident that one belongs to keeps it as it was last known."""
    for part in slices(fingerprints):
        connection.execute(
            f"""UPDATE member SET body = (
                SELECT body FROM alert WHERE alert.fingerprint = member.fingerprint)
            WHERE body = '' AND EXISTS (
                SELECT 1 FROM alert WHERE alert.fingerprint = member.fingerprint)
            AND fingerprint IN {marks(len(part))}""",
            part,
        )
    drop(connection, "alert", "fingerprint", fingerprints)


def _write_records(connection: Connection, records: Mapping[tuple[str, str], Any]) -> None:
    fresh: list[rows.Row] = []
    for (kind, ident), body in records.items():
        place = [rows.plain(kind), rows.plain(ident)]
        if body is None:
            drop(connection, "record", "id", place[1:], kind=place[0])
        else:
            fresh.append([*place, encode_record(body)])
    _put_records.run(connection, rows.last_by_key(fresh, keys=2))
