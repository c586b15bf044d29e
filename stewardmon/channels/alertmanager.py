"""Channel `alertmanager`: forwards an incident's alerts to an Alertmanager's API.

Source: Alertmanager's OpenAPI description, `POST /api/v2/alerts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from stewardmon.channels.http_client import Answer, HttpSender, Request, dump
from stewardmon.channels.settings import Headers, HttpSettings, HttpUrl, host_of, join_url
from stewardmon.channels.text import encodable
from stewardmon.channels.view import view
from stewardmon.channels.webhook_body import annotation_values, label_values, rfc3339
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import AlertView, Notification, NotificationEvent, Receipt
from stewardmon.ports import Context, Kind
from stewardmon.settings import Duration, Field


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSettings(HttpSettings):
    """The Alertmanager's address.

    `lasts` is how long it keeps an alert firing without hearing of it again. Its own default is
    five minutes, for Prometheus repeats itself every minute; an incident's pages come far apart.
    """

    url: HttpUrl
    headers: Headers = Field(default_factory=dict)
    lasts: Duration = timedelta(hours=24)


class AlertmanagerChannel:
    """Posts the alerts, firing or ended; Alertmanager knows equal label sets as one alert."""

    def __init__(self, settings: AlertmanagerSettings, context: Context) -> None:
        self._settings = settings
        self._url = join_url(settings.url, "api/v2/alerts")
        self._clock = context.clock
        self._fixed = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._http = HttpSender(settings, context, secrets=self._fixed.values())

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Forward the alerts, or raise DeliveryError; `to` becomes an annotation."""
        alerts = forwarded(notification, to=to, now=self._clock.now(), lasts=self._settings.lasts)
        headers = {"Content-Type": "application/json", **self._fixed}
        request = Request(url=self._url, content=dump(alerts), headers=headers)
        await self._http.post(request, words=_words)
        return Receipt(text=f"{host_of(self._settings.url)} took {len(alerts)} alerts")

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""


def forwarded(
    notification: Notification, *, to: str, now: datetime, lasts: timedelta
) -> list[dict[str, Any]]:
    """Return the alerts as Alertmanager takes them; an incident without any stands for itself."""
    ours = _annotations(notification, to=to, now=now)
    alerts = notification.alerts or (_itself(notification),)
    return [_alert(one, notification, ours, now=now, lasts=lasts) for one in alerts]


def _alert(
    one: AlertView,
    notification: Notification,
    ours: Mapping[str, str],
    *,
    now: datetime,
    lasts: timedelta,
) -> dict[str, Any]:
    over = notification.event is NotificationEvent.RESOLVED
    ends_at = one.ends_at or (notification.resolved_at or now if over else now + lasts)
    return {
        "labels": label_values(one.labels),
        "annotations": {**annotation_values(one.annotations), **ours},
        "startsAt": rfc3339(one.starts_at),
        "endsAt": rfc3339(ends_at),
        "generatorURL": encodable(one.generator_url),
    }


def _itself(notification: Notification) -> AlertView:
    drill = {"drill": "true"} if notification.event is NotificationEvent.DRILL else {}
    return AlertView(
        status="firing",
        labels=Labels(
            {"alertname": notification.title, "severity": notification.severity, **drill}
        ),
        annotations=Labels(),
        starts_at=notification.since,
        ends_at=None,
        generator_url="",
        fingerprint="",
    )


def _annotations(notification: Notification, *, to: str, now: datetime) -> dict[str, str]:
    shown = view(notification, now=now)
    found = {
        "stewardmon_event": shown.event,
        "stewardmon_headline": shown.headline,
        "stewardmon_incident": encodable(notification.incident),
        "stewardmon_incident_url": shown.incident_url,
        "stewardmon_ack_url": shown.ack_url,
        "stewardmon_level": shown.level,
        "stewardmon_to": encodable(to),
        "stewardmon_notice": shown.notice,
        "stewardmon_told": shown.told,
    }
    return {name: value for name, value in found.items() if value}


def _words(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace")


KIND: Final = Kind(settings=AlertmanagerSettings, make=AlertmanagerChannel)
