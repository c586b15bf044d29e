"""One decision as the store keeps it: everything in it becomes durable together, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stewardmon.domain.alert import Alert
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.notification import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transaction: new states, timeline lines, messages to send, messages to take back.

    `alerts` are inserted or replaced by fingerprint, `forgotten` fingerprints are deleted;
    `deliveries` whose dedup_key is known already replace the row only when `replaces` names them,
    else they are left as they are: an enqueue is idempotent. `cancels` withdraws what nobody has
    sent yet: incident ids mapped to the reason. `records` replaces small keyed values (silences,
    overrides, heartbeats, maintenance windows) by (kind, id); None deletes.
    """

    alerts: tuple[Alert, ...] = ()
    forgotten: tuple[str, ...] = ()
    incidents: tuple[Incident, ...] = ()
    events: tuple[Event, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    replaces: frozenset[str] = frozenset()
    cancels: Mapping[str, str] | None = None
    records: Mapping[tuple[str, str], Mapping[str, object] | None] | None = None

    def __bool__(self) -> bool:
        return any(
            (
                self.alerts,
                self.forgotten,
                self.incidents,
                self.events,
                self.deliveries,
                self.cancels,
                self.records,
            )
        )
