"""Channel `webhook`: Alertmanager's JSON with ours in it, signed where a secret is set."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from stewardmon.channels.http_client import HttpSender, Request, dump
from stewardmon.channels.settings import Headers, HttpSettings, HttpUrl, host_of
from stewardmon.channels.webhook_body import body
from stewardmon.domain.notification import Notification, Receipt
from stewardmon.ports import Context, Kind
from stewardmon.settings import Field, Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings(HttpSettings):
    """Where to POST; `secret` signs the body, `headers` are sent along."""

    url: HttpUrl
    secret: Secret | None = None
    headers: Headers = Field(default_factory=dict)


class WebhookChannel:
    """POSTs one JSON object a message; any 2xx is a receipt."""

    def __init__(self, settings: WebhookSettings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        secret = settings.secret.get_secret_value() if settings.secret else ""
        fixed = {name: value.get_secret_value() for name, value in settings.headers.items()}
        self._secret = secret
        self._fixed = fixed
        self._http = HttpSender(settings, context, secrets=(secret, *fixed.values()))

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Deliver the message, or raise DeliveryError."""
        content = dump(body(notification, to=to, now=self._clock.now()))
        headers = {
            "Content-Type": "application/json",
            **self._fixed,
            "Idempotency-Key": header_safe(notification.dedup_key),
        }
        if self._secret:
            headers["X-Stewardmon-Signature"] = signature(content, self._secret)
        url = self._settings.url.get_secret_value()
        answer = await self._http.post(Request(url=url, content=content, headers=headers))
        return Receipt(text=f"{host_of(self._settings.url)} answered {answer.status}")

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""


def signature(content: bytes, secret: str) -> str:
    """Return `sha256=` and the HMAC-SHA256 of the raw body in hexadecimal."""
    return "sha256=" + hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def header_safe(text: str) -> str:
    """Return the text as a header may hold it: printable ASCII as it is, the rest percent-coded."""
    printable = "".join(chr(code) for code in range(0x21, 0x7F))
    return quote(text, safe=printable, errors="replace")


KIND: Final = Kind(settings=WebhookSettings, make=WebhookChannel)
