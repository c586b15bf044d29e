"""Channel `ntfy`: a push notification to the topic named by `to`, acknowledged by one tap.

Source: docs.ntfy.sh/publish, "Publish as JSON", "Action buttons".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from stewardmon.channels import render
from stewardmon.channels.http_client import Answer, HttpSender, Request, dump
from stewardmon.channels.settings import HttpSettings, HttpUrl
from stewardmon.channels.text import shorten
from stewardmon.channels.view import View, view
from stewardmon.domain.notification import Notification, NotificationEvent, Receipt
from stewardmon.ports import Context, Kind
from stewardmon.settings import Secret

# Beyond 4096 bytes a message becomes an attached file; no character takes more than four.
_LONGEST_TEXT: Final = 1000
_URGENT, _HIGH, _DEFAULT = 5, 4, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class NtfySettings(HttpSettings):
    """The server, and an access `token` where its topics are protected."""

    url: HttpUrl = Secret("https://ntfy.sh")
    token: Secret | None = None


class NtfyChannel:
    """Publishes JSON to the server's root, as ntfy wants it for messages with actions."""

    def __init__(self, settings: NtfySettings, context: Context) -> None:
        self._url = settings.url.get_secret_value()
        self._token = settings.token.get_secret_value() if settings.token else ""
        self._clock = context.clock
        self._http = HttpSender(settings, context, secrets=(self._token,))

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Publish the message, or raise DeliveryError."""
        now = self._clock.now()
        shown = view(notification, now=now)
        _, _, rest = render.text(notification, now=now).partition("\n")
        message: dict[str, Any] = {
            "topic": to,
            "title": shorten(shown.headline, 200),
            "message": shorten(rest.strip(), _LONGEST_TEXT),
            "priority": _priority(notification),
            "actions": _actions(shown),
        }
        if shown.incident_url:
            message["click"] = shown.incident_url
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        request = Request(url=self._url, content=dump(message), headers=headers)
        answer = await self._http.post(request, words=_words)
        return Receipt(text=self._http.safe(f"ntfy {answer.json().get('id', 'accepted it')}"))

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""


def _priority(notification: Notification) -> int:
    if notification.event in (
        NotificationEvent.ACKNOWLEDGED,
        NotificationEvent.RESOLVED,
        NotificationEvent.REPORT,
    ):
        return _DEFAULT
    return _URGENT if notification.severity == "critical" else _HIGH


def _actions(shown: View) -> list[dict[str, Any]]:
    actions: list[dict[str, Any]] = []
    if shown.ack_url:
        actions.append(
            {
                "action": "http",
                "label": "Acknowledge",
                "url": shown.ack_url,
                "method": "POST",
                "clear": True,
            }
        )
    if shown.incident_url:
        actions.append({"action": "view", "label": "Incident", "url": shown.incident_url})
    return actions


def _words(answer: Answer) -> str:
    return str(answer.json().get("error", ""))


KIND: Final = Kind(settings=NtfySettings, make=NtfyChannel)
