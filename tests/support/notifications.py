"""A notification to send, and the frozen time at which it is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import AlertView, Notification, NotificationEvent
from stewardmon.ports import Context

NOW: Final = datetime(2026, 11, 22, 2, 24, 0, tzinfo=UTC)
ACK_URL: Final = "https://mon.example.org/ack/token-of-dev-a"
INCIDENT_URL: Final = "https://mon.example.org/incidents/inc-7"

ALERT: Final = AlertView(
    status="firing",
    labels=Labels({"alertname": "High Error Rate", "job": "app", "severity": "critical"}),
    annotations=Labels({"summary": "7.3 % of requests fail"}),
    starts_at=NOW - timedelta(minutes=12),
    ends_at=None,
    generator_url="https://mon.example.org/rules",
    fingerprint="00ff00ff00ff00ff",
    value_text="7.3 %",
    threshold_text="> 5 %",
)

PAGE: Final = Notification(
    event=NotificationEvent.PAGE,
    incident="inc-7",
    title="High Error Rate",
    severity="critical",
    level=1,
    role="On-call developer",
    person="dev-a",
    person_name="Developer A",
    timezone="Europe/Berlin",
    to="dev-a",
    dedup_key="inc-7:r1:page:1:dev-a.0.pager",
    at=NOW,
    since=NOW - timedelta(minutes=12),
    summary="7.3 % of requests fail",
    description="The app answers 503.",
    value_text="7.3 %",
    threshold_text="> 5 %",
    sparkline="▁▂▃▅▇",
    runbook=("Check: application logs", "Check: database connectivity"),
    runbook_url="https://wiki.example.org/errors",
    evidence=("also affected: checkout",),
    next_step="Without an acknowledgement level 2 (Senior developer) is paged at 02:54:00 UTC.",
    alerts=(ALERT,),
    receiver="matrix",
    group_key='{job="app"}',
    group_labels=Labels({"job": "app"}),
    common_labels=ALERT.labels,
    common_annotations=ALERT.annotations,
    external_url="https://mon.example.org",
    ack_url=ACK_URL,
    incident_url=INCIDENT_URL,
)


def notification(event: NotificationEvent, **more: Any) -> Notification:
    """Return the page's incident at another moment of its life."""
    said: dict[str, Any] = {}
    if event is NotificationEvent.ACKNOWLEDGED:
        said = {"actor": "Developer B", "reason": "looking at the pool"}
    if event is NotificationEvent.RESOLVED:
        ended = replace(ALERT, status="resolved", ends_at=NOW)
        said = {"acknowledged_by": "Developer B", "resolved_at": NOW, "alerts": (ended,)}
    return replace(PAGE, event=event, **{**said, **more})


class FrozenClock:
    """A clock that stands at `NOW`, and on which waiting takes no time."""

    speed = 1.0

    def now(self) -> datetime:
        return NOW

    def offset(self) -> timedelta:
        return timedelta(0)

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        return

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        return


def context() -> Context:
    """Return what channels share, on the frozen clock."""
    return Context(clock=FrozenClock(), user_agent="stewardmon/test")
