"""Incidents: alerts grouped for people, with everything that a restart must not forget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from itertools import islice
from operator import attrgetter, is_
from typing import Final
from weakref import ref

from stewardmon.domain.alert import Alert
from stewardmon.domain.labels import Labels
from stewardmon.domain.policy import Policy


class IncidentState(StrEnum):
    """Where an incident stands with people."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class EventKind(StrEnum):
    """What can happen to an incident: the timeline's closed vocabulary."""

    OPENED = "opened"
    REOPENED = "reopened"
    JOINED = "alert_joined"
    RAISED = "severity_raised"
    LEFT = "alert_left"
    SYMPTOM = "symptom_joined"
    PAGED = "paged"
    REMINDED = "reminded"
    SKIPPED = "level_skipped"
    UNREACHABLE = "level_unreachable"
    EXHAUSTED = "nobody_reachable"
    SENT = "sent"
    FAILED = "delivery_failed"
    RETRYING = "delivery_retrying"
    CANCELLED = "delivery_cancelled"
    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    ACK_TIMEOUT = "acknowledgement_timed_out"
    SNOOZED = "snoozed"
    WOKE = "snooze_ended"
    ESCALATED = "escalated_by_hand"
    MUTED = "muted"
    UNMUTED = "unmuted"
    FLAPPING = "flapping"
    NOTE = "note"
    EVIDENCE = "evidence"
    DEPLOY = "deploy"
    OVERDUE = "step_overdue"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a timeline; `who` is a person's id, `stewardmon`, or a caller's own word."""

    incident: str
    at: datetime
    kind: EventKind
    who: str = "stewardmon"
    detail: str = ""


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Where somebody was paged: the people to whom an acknowledgement or resolve is told."""

    person: str
    channel: str
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Alerts that people handle as one, and how far their escalation has come.

    `policy` is the snapshot taken at opening. `base_at` is the instant from which the levels'
    `after` count: the opening (plus group_wait), or the last time that the matrix began anew.
    `reached` is the highest level that was paged since `base_at`, 0 for none; `repeats` counts the
    last level's reminders; `round` counts beginnings of the matrix and makes dedup keys unique.
    `muted_by` says why nobody is paged although alerts fire (a silence, a maintenance window, a
    cause elsewhere), empty where nothing mutes. `alerts` holds the firing members by fingerprint.
    """

    id: str
    group_key: str
    group: Labels
    title: str
    severity: str
    state: IncidentState
    opened_at: datetime
    base_at: datetime
    policy: Policy
    alerts: Mapping[str, Alert] = field(default_factory=dict)
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    reached: int = 0
    repeats: int = 0
    round: int = 1
    flips: int = 0
    next_step_at: datetime | None = None
    snoozed_until: datetime | None = None
    muted_by: str = ""
    told: tuple[Address, ...] = ()
    symptoms: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Say whether somebody still has to do something."""
        return self.state is not IncidentState.RESOLVED

    def quiet(self, now: datetime) -> bool:
        """Say whether escalation rests: acknowledged, resolved, snoozed or muted."""
        snoozed = self.snoozed_until is not None and now < self.snoozed_until
        return self.state is not IncidentState.OPEN or snoozed or self.muted_by != ""


_REST: Final = attrgetter(*(one.name for one in fields(Incident) if one.name != "alerts"))


def differ_in_alerts_only(one: Incident, other: Incident) -> bool:
    """Say whether all but the alerts is equal: in a storm that is what most steps come to."""
    return bool(_REST(one) == _REST(other))


class Members(dict[str, Alert]):
    """An incident's alerts by fingerprint, that know the set to which they were only added."""

    __slots__ = ("__weakref__", "_grown_from")

    def __init__(self, alerts: Mapping[str, Alert] | Iterable[tuple[str, Alert]] = ()) -> None:
        super().__init__(alerts)
        self._grown_from: ref[Members] | None = None

    @classmethod
    def grown(cls, before: Mapping[str, Alert], joined: Mapping[str, Alert]) -> Members:
        """Return a set with alerts that joined another one, behind those that were there."""
        after = cls(before)
        after.update(joined)
        if isinstance(before, Members) and len(after) == len(before) + len(joined):
            # Weak: whoever holds an incident holds no chain of all that it was.
            after._grown_from = ref(before)
        return after

    def grew_from(self, before: Mapping[str, Alert]) -> bool:
        """Say whether this is `before` with others behind it; not known of every set."""
        origin = self._grown_from
        return origin is not None and origin() is before


def only_joined(before: Mapping[str, Alert], after: Mapping[str, Alert]) -> Iterable[str] | None:
    """Return the fingerprints that joined an incident; None where others have left or changed too.

    Most often alerts have only joined, at the end: that is known, or seen without a look into
    each of them, which in a storm would be a look at every alert for every batch.
    """
    grew = isinstance(after, Members) and after.grew_from(before)
    if not grew and (
        len(before) > len(after) or not all(map(is_, before.values(), after.values()))
    ):
        return None
    return islice(after, len(before), None)
