"""Channel `pagerduty`: Events API v2, one PagerDuty incident for each of ours.

Source: developer.pagerduty.com, "Send an Event" (Events API v2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stewardmon.channels.http_client import Answer, HttpSender, Request, dump
from stewardmon.channels.settings import HttpSettings, HttpUrl, join_url
from stewardmon.channels.text import line, shorten
from stewardmon.channels.view import View, view
from stewardmon.channels.webhook_body import rfc3339
from stewardmon.domain.notification import Notification, NotificationEvent, Receipt
from stewardmon.ports import Context, Kind
from stewardmon.settings import Secret

_SEVERITIES: Final = {
    "critical": "critical",
    "page": "critical",
    "error": "error",
    "high": "error",
    "warning": "warning",
    "info": "info",
    "low": "info",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PagerDutySettings(HttpSettings):
    """`key` is the integration (routing) key of a service; `api` is PagerDuty's own address."""

    key: Secret
    api: HttpUrl = Secret("https://events.pagerduty.com")


class PagerDutyChannel:
    """Triggers, acknowledges and resolves; pages of one incident share its dedup key."""

    def __init__(self, settings: PagerDutySettings, context: Context) -> None:
        self._url = join_url(settings.api, "v2/enqueue")
        self._key = settings.key.get_secret_value()
        self._clock = context.clock
        self._http = HttpSender(settings, context, secrets=(self._key,))

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Send the event, or raise DeliveryError; `to` names the person in its details."""
        event = pagerduty_event(notification, to=to, now=self._clock.now())
        content = dump({"routing_key": self._key, **event})
        headers = {"Content-Type": "application/json"}
        answer = await self._http.post(
            Request(url=self._url, content=content, headers=headers), words=_words
        )
        said = answer.json()
        return Receipt(text=f"PagerDuty: {self._http.safe(str(said.get('message', 'accepted')))}")

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""


def pagerduty_event(notification: Notification, *, to: str, now: datetime) -> dict[str, Any]:
    """Return the event without its key. A drill is an incident of its own, marked as one."""
    shown = view(notification, now=now)
    drill = notification.event is NotificationEvent.DRILL
    links = ((shown.ack_url, "Acknowledge"), (shown.incident_url, "Incident"))
    return {
        "event_action": _action(notification.event),
        "dedup_key": shorten(("drill-" if drill else "") + line(notification.incident, 240), 255),
        "client": "stewardmon",
        "client_url": shown.incident_url,
        "links": [{"href": url, "text": text} for url, text in links if url],
        "payload": {
            "summary": shorten(shown.headline, 1024),
            "source": _source(notification),
            "severity": "info" if drill else _severity(notification.severity),
            "timestamp": rfc3339(notification.since),
            "group": line(notification.group_labels.value("job"), 200),
            "class": line(notification.common_labels.value("alertname"), 200),
            "custom_details": _details(shown, to),
        },
    }


def _action(event: NotificationEvent) -> str:
    if event is NotificationEvent.ACKNOWLEDGED:
        return "acknowledge"
    return "resolve" if event is NotificationEvent.RESOLVED else "trigger"


def _severity(severity: str) -> str:
    return _SEVERITIES.get(severity.lower(), "critical")


def _source(notification: Notification) -> str:
    labels = notification.common_labels
    return line(labels.value("instance") or labels.value("job"), 200) or "stewardmon"


def _details(shown: View, to: str) -> dict[str, Any]:
    found = {
        "summary": shown.summary,
        "description": shown.description,
        "value": shown.what,
        "since": shown.since,
        "course": shown.sparkline,
        "level": shown.level,
        "paged": line(to, 200),
        "next": shown.next_step,
        "notice": shown.notice,
        "late": shown.late,
        "check": list(shown.runbook),
        "evidence": list(shown.evidence),
        "alerts": list(shown.alerts),
    }
    return {name: value for name, value in found.items() if value}


def _words(answer: Answer) -> str:
    said = answer.json()
    errors = said.get("errors")
    listed = [str(one) for one in errors] if isinstance(errors, list) else []
    return "; ".join(filter(None, (str(said.get("message", "")), *listed)))


KIND: Final = Kind(settings=PagerDutySettings, make=PagerDutyChannel)
