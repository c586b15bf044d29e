"""Channel `apprise`: whatever else Apprise can reach (extra `apprise`), text only.

Apprise reads files and fetches URLs that are attached: nothing is ever attached.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Annotated, Any, Final
from urllib.parse import quote

from stewardmon.channels import render
from stewardmon.channels.settings import ChannelSettings
from stewardmon.domain.notification import Notification, NotificationEvent, Receipt
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context, Kind
from stewardmon.settings import AfterValidator, Secret


def _url(value: Secret) -> Secret:
    if "://" not in value.get_secret_value():
        raise ValueError("an Apprise URL is written service://…")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseSettings(ChannelSettings):
    """One of Apprise's URLs; `{to}` in it is replaced by the contact's `to`."""

    url: Annotated[Secret, AfterValidator(_url)]

    def __post_init__(self) -> None:
        if find_spec("apprise") is None:
            raise ValueError("kind apprise needs the extra: pip install 'stewardmon[apprise]'")


class AppriseChannel:
    """Hands title and text to Apprise in a thread, for it blocks."""

    def __init__(self, settings: AppriseSettings, context: Context) -> None:
        # Loading its plugins takes a second: now, not when the first page is due.
        _sender("json://localhost")
        self._settings = settings
        self._clock = context.clock

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Deliver the message, or raise DeliveryError; Apprise does not say why it failed."""
        now = self._clock.now()
        url = self._settings.url.get_secret_value().replace("{to}", quote(to, safe=""))
        title = render.subject(notification, now=now)
        _, _, body = render.text(notification, now=now).partition("\n")
        seconds = self._settings.timeout.total_seconds()
        try:
            # The thread cannot be cut off: it ends by Apprise's own time limits.
            async with asyncio.timeout(seconds):
                sent = await asyncio.to_thread(_notify, url, title, body, _kind(notification))
        except TimeoutError:
            raise DeliveryError(
                f"the service behind Apprise did not answer within {seconds:g}s", temporary=True
            ) from None
        if not sent:
            raise DeliveryError("the service behind Apprise did not take it", temporary=True)
        return Receipt(text="Apprise delivered it")

    async def close(self) -> None:
        """Nothing is kept open."""


def _kind(notification: Notification) -> str:
    if notification.event is NotificationEvent.RESOLVED:
        return "success"
    if notification.event in (
        NotificationEvent.ACKNOWLEDGED,
        NotificationEvent.DRILL,
        NotificationEvent.REPORT,
    ):
        return "info"
    return "failure" if notification.severity == "critical" else "warning"


def _sender(url: str) -> Any:
    import apprise  # noqa: PLC0415 - an extra, and heavy

    # Their log lines hold URLs, and what services answer: either may hold our secrets.
    for name in ("apprise", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    asset = apprise.AppriseAsset(async_mode=False, secure_logging=True, plugin_paths=[])
    sender = apprise.Apprise(asset=asset)
    if not sender.add(url):
        raise DeliveryError("Apprise does not know the channel's URL", temporary=False)
    return sender


def _notify(url: str, title: str, body: str, kind: str) -> bool:
    return bool(
        _sender(url).notify(
            body=body,
            title=title,
            notify_type=kind,
            body_format="text",
            interpret_escapes=False,
        )
    )


KIND: Final = Kind(settings=AppriseSettings, make=AppriseChannel)
