"""What the responder remembers: incidents, the alerts that fire, and which are in which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.incident import Incident, only_joined

REMEMBERED: Final = timedelta(hours=24)  # resolved incidents kept in memory, for reopening


class Caseload:
    """Incidents by id, firing alerts by fingerprint, and where each alert is at home.

    `last` holds the alerts that left an incident last: what its resolve tells of.
    """

    def __init__(self) -> None:
        self.incidents: dict[str, Incident] = {}
        self.firing: dict[str, Alert] = {}
        self.last: dict[str, tuple[Alert, ...]] = {}
        self._newest: dict[str, str] = {}
        self._home: dict[str, str] = {}

    def restore(self, incidents: Iterable[Incident], alerts: Iterable[Alert]) -> None:
        """Remember what a former process knew."""
        for incident in sorted(incidents, key=lambda one: one.opened_at):
            self.take(incident)
        self.note(alerts)

    def note(self, alerts: Iterable[Alert], gone: Sequence[str] = ()) -> None:
        """Note alerts in their new states, and the fingerprints of those that are no more."""
        for alert in alerts:
            if alert.state is AlertState.FIRING:
                self.firing[alert.fingerprint] = alert
            else:
                self.firing.pop(alert.fingerprint, None)
        for mark in gone:
            self.firing.pop(mark, None)

    def take(self, incident: Incident) -> None:
        """Remember an incident as it now stands."""
        before = self.incidents.get(incident.id)
        held = {} if before is None else before.alerts
        if held is not incident.alerts:
            joined = only_joined(held, incident.alerts)
            if joined is None:
                for mark in held.keys() - incident.alerts.keys():
                    if self._home.get(mark) == incident.id:
                        del self._home[mark]
                joined = incident.alerts.keys() - held.keys()
            for mark in joined:
                self._home[mark] = incident.id
        self.incidents[incident.id] = incident
        newest = self.incidents.get(self.newest(incident.group_key))
        if newest is None or newest.opened_at <= incident.opened_at:
            self._newest[incident.group_key] = incident.id
        if incident.alerts:
            self.last.pop(incident.id, None)

    def newest(self, group_key: str) -> str:
        """Return the id of the group's newest incident, empty where it has none."""
        return self._newest.get(group_key, "")

    def home(self, alert: Alert) -> str | None:
        """Return the id of the incident that the alert is in."""
        return self._home.get(alert.fingerprint)

    def homeless(self) -> list[Alert]:
        """Return the firing alerts that are in no incident."""
        home = self._home
        return [alert for mark, alert in self.firing.items() if mark not in home]

    def is_homeless(self, alert: Alert) -> bool:
        """Say whether the alert fires and is in no incident."""
        return alert.state is AlertState.FIRING and alert.fingerprint not in self._home

    def forget_old(self, now: datetime) -> None:
        """Forget incidents that have been over for long."""
        for incident in tuple(self.incidents.values()):
            ended = incident.resolved_at
            if ended is not None and not incident.alerts and now - ended > REMEMBERED:
                del self.incidents[incident.id]
                self.last.pop(incident.id, None)
                if self.newest(incident.group_key) == incident.id:
                    del self._newest[incident.group_key]
