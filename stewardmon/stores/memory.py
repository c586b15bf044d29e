"""The same contract with nothing behind it: for tests, and for `--state memory://`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.labels import Labels, Matcher
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.ports import Points, Saved
from stewardmon.stores.codec import decode_record, encode_record

RECENTLY: Final = timedelta(hours=24)
"""How long before the newest resolve an incident is loaded, so that it can open again."""

KEPT_FOR: Final = timedelta(days=400)
"""How long after its resolve an incident is kept, with its timeline and messages."""


class MemoryStore:
    """Keeps the state in dictionaries; a new instance starts empty."""

    def __init__(self) -> None:
        self._alerts: dict[str, Alert] = {}
        self._incidents: dict[str, Incident] = {}
        self._events: list[Event] = []
        self._outbox: dict[str, Delivery] = {}
        self._withdrawn: dict[str, str] = {}
        self._records: dict[tuple[str, str], Mapping[str, object]] = {}
        self._last_order = 0

    async def open(self) -> None:
        """Return at once: there is nothing to connect to."""

    async def close(self) -> None:
        """Return at once: there is nothing to flush."""

    async def load(self) -> Saved:
        """Return everything that is held."""
        resolves = [one.resolved_at for one in self._incidents.values() if one.resolved_at]
        since = max(resolves) - RECENTLY if resolves else None
        return Saved(
            alerts=tuple(self._alerts.values()),
            incidents=tuple(
                one
                for one in sorted(self._incidents.values(), key=lambda one: one.opened_at)
                if one.open or (since and one.resolved_at and one.resolved_at >= since)
            ),
            records=dict(self._records),
        )

    async def commit(self, change: Change) -> None:
        """Take the whole change over at once."""
        records = {
            key: None if body is None else decode_record(encode_record(body))
            for key, body in (change.records or {}).items()
        }
        for fingerprint in change.forgotten:
            self._alerts.pop(fingerprint, None)
        self._alerts.update((alert.fingerprint, alert) for alert in change.alerts)
        self._incidents.update((one.id, one) for one in change.incidents)
        self._events.extend(change.events)
        for incident, reason in (change.cancels or {}).items():
            self._cancel(incident, reason)
        for delivery in change.deliveries:
            self._put(delivery, replaces=delivery.dedup_key in change.replaces)
        for key, body in records.items():
            if body is None:
                self._records.pop(key, None)
            else:
                self._records[key] = body

    async def claim(
        self, *, now: datetime, lease: timedelta, limit: int, busy: frozenset[str] = frozenset()
    ) -> Sequence[Delivery]:
        """Lease the rows that are due, as ports.Store says."""
        self._drop_withdrawn(now)
        seen: set[tuple[str, str, str]] = set()
        due = []
        for row in self._pending():
            place = (row.incident, row.channel, row.to)
            free = row.lease_until is None or row.lease_until <= now
            if place not in seen and free and row.due_at <= now and row.channel not in busy:
                due.append(replace(row, lease_until=now + lease))
            seen.add(place)
        due = sorted(due, key=lambda row: (row.due_at, row.order))[:limit]
        self._outbox.update((row.dedup_key, row) for row in due)
        return due

    async def release(self) -> None:
        """Let every lease go."""
        self._outbox = {row.dedup_key: replace(row, lease_until=None) for row in self._rows()}
        for key, reason in self._withdrawn.items():
            self._settle_cancelled(key, reason)
        self._withdrawn.clear()

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        """Return one incident's outbox rows, oldest first."""
        return [row for row in self._rows() if row.incident == incident]

    async def unsettled(self) -> Sequence[Delivery]:
        """Return every row that is still to be sent, oldest first."""
        return self._pending()

    async def incident(self, ident: str) -> Incident | None:
        """Return one incident, None where there is none."""
        return self._incidents.get(ident)

    async def incidents(
        self, *, limit: int, before: datetime | None = None, only_open: bool = False
    ) -> Sequence[Incident]:
        """Return incidents opened before `before`, newest first."""
        found = [
            one
            for one in self._incidents.values()
            if (before is None or one.opened_at < before) and (one.open or not only_open)
        ]
        return sorted(found, key=lambda one: (one.opened_at, one.id), reverse=True)[:limit]

    async def events(self, incident: str) -> Sequence[Event]:
        """Return one incident's timeline in order."""
        return [event for event in self._events if event.incident == incident]

    async def events_between(self, start: datetime, end: datetime) -> Sequence[Event]:
        """Return all timeline lines with start ≤ at < end, in order."""
        found = [event for event in self._events if start <= event.at < end]
        return sorted(found, key=lambda event: event.at)

    async def prune(self, *, now: datetime) -> None:
        """Forget incidents that were resolved too long ago, with their timelines and messages."""
        before = now - KEPT_FOR
        self._incidents = {
            one.id: one
            for one in self._incidents.values()
            if one.open or one.resolved_at is None or one.resolved_at >= before
        }
        self._events = [
            one for one in self._events if one.at >= before or one.incident in self._incidents
        ]
        self._outbox = {
            row.dedup_key: row
            for row in self._rows()
            if row.state is DeliveryState.PENDING
            or row.due_at >= before
            or row.incident in self._incidents
        }

    def _rows(self) -> list[Delivery]:
        return sorted(self._outbox.values(), key=lambda row: row.order)

    def _pending(self) -> list[Delivery]:
        return [row for row in self._rows() if row.state is DeliveryState.PENDING]

    def _put(self, delivery: Delivery, *, replaces: bool) -> None:
        before = self._outbox.get(delivery.dedup_key)
        if before is None:
            self._last_order += 1
            self._outbox[delivery.dedup_key] = replace(delivery, order=self._last_order)
        elif replaces:
            self._outbox[delivery.dedup_key] = replace(delivery, order=before.order)
            reason = self._withdrawn.pop(delivery.dedup_key, None)
            if reason is not None and delivery.state is DeliveryState.PENDING:
                self._settle_cancelled(delivery.dedup_key, reason)

    def _cancel(self, incident: str, reason: str) -> None:
        for row in self._pending():
            if row.incident != incident or not row.pages:
                continue
            if row.lease_until is None:
                self._settle_cancelled(row.dedup_key, reason)
            else:
                self._withdrawn[row.dedup_key] = reason

    def _drop_withdrawn(self, now: datetime) -> None:
        for key, reason in tuple(self._withdrawn.items()):
            lease_until = self._outbox[key].lease_until
            if lease_until is None or lease_until <= now:
                del self._withdrawn[key]
                self._settle_cancelled(key, reason)

    def _settle_cancelled(self, key: str, reason: str) -> None:
        self._outbox[key] = replace(
            self._outbox[key], state=DeliveryState.CANCELLED, error=reason, lease_until=None
        )


class MemoryHistory:
    """Keeps samples in dictionaries: what was written is there until it is older than `keep`."""

    def __init__(self, *, keep: timedelta = timedelta(days=30)) -> None:
        self._series: dict[Labels, dict[int, float]] = {}
        self._keep = keep

    async def open(self) -> None:
        """Return at once: there is nothing to connect to."""

    async def close(self) -> None:
        """Return at once: there is nothing to flush."""

    async def write(self, batch: Sequence[tuple[Labels, Points]]) -> None:
        """Append samples; of two at one instant the later written stays."""
        for labels, points in batch:
            self._series.setdefault(labels, {}).update(points)

    async def read(
        self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int
    ) -> Sequence[tuple[Labels, Points]]:
        """Return samples with start ≤ t ≤ end by series, in time order."""
        found = []
        for labels, points in self._series.items():
            if not all(matcher.matches(labels) for matcher in matchers):
                continue
            inside = sorted((at, value) for at, value in points.items() if start_ms <= at <= end_ms)
            if inside:
                found.append((labels, inside))
        return found

    async def prune(self, *, now: datetime) -> None:
        """Forget what is older than `keep`."""
        oldest = round((now - self._keep).timestamp() * 1000)
        for labels, points in tuple(self._series.items()):
            self._series[labels] = {at: v for at, v in points.items() if at >= oldest}
            if not self._series[labels]:
                del self._series[labels]
