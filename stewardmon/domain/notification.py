"""What is said to one person over one channel, before any channel's own form is given to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from stewardmon.domain.labels import Labels


class NotificationEvent(StrEnum):
    """Why something is said: the webhook's `stewardmon.event`."""

    PAGE = "page"
    REMINDER = "reminder"
    ESCALATED = "escalated"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    DRILL = "drill"
    REPORT = "report"


COURSE: Final = timedelta(minutes=15)
"""How far back a message shows the course of what fired."""

# What asks somebody to act, and so stops at an acknowledgement.
PAGES: Final = frozenset(
    {NotificationEvent.PAGE, NotificationEvent.REMINDER, NotificationEvent.ESCALATED}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertView:
    """One alert as messages show it.

    `value_text` and `threshold_text` are ready to read ("7.3 %", "> 5 %"); `ends_at` is None while
    it fires.
    """

    status: str
    labels: Labels
    annotations: Labels
    starts_at: datetime
    ends_at: datetime | None
    generator_url: str
    fingerprint: str
    value_text: str = ""
    threshold_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """Everything that a message may say; each channel's template chooses from it.

    `since` is when the incident opened; `at` is when the decision fell, so that a late delivery
    can say how late it is. `sparkline` is the recent course of the first alert's subject,
    `course` the same as numbers (oldest first, even steps over COURSE, None where there is none),
    to be drawn with the line at `threshold`.
    `runbook` is a few lines of what to check, `runbook_url` a link; `evidence` holds lines that
    were gathered for this page. `ack_url` is empty where nothing can be acknowledged.
    """

    event: NotificationEvent
    incident: str
    title: str
    severity: str
    level: int
    role: str
    person: str
    person_name: str
    timezone: str
    to: str
    dedup_key: str
    at: datetime
    since: datetime
    attempt: int = 1
    summary: str = ""
    description: str = ""
    value_text: str = ""
    threshold_text: str = ""
    sparkline: str = ""
    course: tuple[float | None, ...] = ()
    threshold: float | None = None
    runbook: tuple[str, ...] = ()
    runbook_url: str = ""
    evidence: tuple[str, ...] = ()
    actor: str = ""
    reason: str = ""
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    next_step: str = ""
    alerts: tuple[AlertView, ...] = ()
    truncated_alerts: int = 0
    receiver: str = ""
    group_key: str = ""
    group_labels: Labels = Labels()
    common_labels: Labels = Labels()
    common_annotations: Labels = Labels()
    external_url: str = ""
    ack_url: str = ""
    incident_url: str = ""

    def addressed(self, *, attempt: int, ack_url: str, incident_url: str) -> Notification:
        """Return the notification as it leaves: with its links and the number of the attempt."""
        return replace(self, attempt=attempt, ack_url=ack_url, incident_url=incident_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a channel got for a delivery: the receiver's own id or words, for the timeline."""

    text: str = ""


class DeliveryState(StrEnum):
    """Where one row of the outbox stands."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One row of the outbox: one person × one channel × one message.

    `contact` is the index of the person's contact in use; `order` counts up within the store, and
    rows of one incident to one address leave in that order. `lease_until` is set while a sender
    holds the row.
    """

    dedup_key: str
    incident: str
    event: NotificationEvent
    level: int
    person: str
    contact: int
    channel: str
    to: str
    notification: Notification
    due_at: datetime
    created_at: datetime
    order: int = 0
    attempts: int = 0
    lease_until: datetime | None = None
    state: DeliveryState = DeliveryState.PENDING
    settled_at: datetime | None = None
    receipt: str = ""
    error: str = ""

    @property
    def pages(self) -> bool:
        """Say whether the row asks somebody to act (and so stops at an acknowledgement)."""
        return self.event in PAGES
