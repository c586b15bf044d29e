"""Channel `telegram`: a bot's message to the chat named by `to`, with a button to acknowledge.

Source: core.telegram.org/bots/api, "sendMessage", "Making requests".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from stewardmon.channels import render
from stewardmon.channels.http_client import Answer, HttpSender, Request, dump
from stewardmon.channels.settings import HttpSettings, HttpUrl, join_url
from stewardmon.channels.text import shorten
from stewardmon.channels.view import View, view
from stewardmon.domain.notification import Notification, Receipt
from stewardmon.ports import Context, Kind
from stewardmon.settings import Secret

# The limit is 4096 after parsing, counted in UTF-16; no sign takes more than two units.
_LONGEST_TEXT: Final = 2040


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramSettings(HttpSettings):
    """`token` is the bot's; `api` is Telegram's own address."""

    token: Secret
    api: HttpUrl = Secret("https://api.telegram.org")


class TelegramChannel:
    """Sends plain text (nothing in it is markup), silently unless it asks somebody to act."""

    def __init__(self, settings: TelegramSettings, context: Context) -> None:
        token = settings.token.get_secret_value()
        self._url = join_url(settings.api, f"bot{token}/sendMessage")
        self._clock = context.clock
        self._http = HttpSender(settings, context, secrets=(token,))

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Send the message, or raise DeliveryError."""
        now = self._clock.now()
        shown = view(notification, now=now)
        message: dict[str, Any] = {
            "chat_id": to,
            "text": shorten(render.text(notification, now=now), _LONGEST_TEXT),
            # A preview would fetch the acknowledgement link from Telegram's servers.
            "link_preview_options": {"is_disabled": True},
            "disable_notification": not (shown.asks or shown.event == "drill"),
        }
        buttons = _buttons(shown)
        if buttons:
            message["reply_markup"] = {"inline_keyboard": [buttons]}
        answer = await self._http.post(
            Request(
                url=self._url, content=dump(message), headers={"Content-Type": "application/json"}
            ),
            words=_words,
            wish=_wish,
        )
        return self._receipt(answer)

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""

    def _receipt(self, answer: Answer) -> Receipt:
        said = answer.json()
        if said.get("ok") is not True:
            words = _words(answer) or "an answer that is not Telegram's"
            raise self._http.fail(words, temporary=not said, url=self._url)
        result = said.get("result")
        ident = result.get("message_id", "") if isinstance(result, dict) else ""
        return Receipt(text=self._http.safe(f"Telegram message {ident}"))


def _buttons(shown: View) -> list[dict[str, str]]:
    links = (("Acknowledge", shown.ack_url), ("Incident", shown.incident_url))
    return [{"text": text, "url": url} for text, url in links if url and _clickable(url)]


def _clickable(url: str) -> bool:
    """Say whether Telegram takes the URL on a button: it refuses hosts such as `localhost`."""
    return "." in (urlsplit(url).hostname or "")


def _words(answer: Answer) -> str:
    return str(answer.json().get("description", ""))


def _wish(answer: Answer) -> str | None:
    parameters = answer.json().get("parameters")
    wish = parameters.get("retry_after") if isinstance(parameters, dict) else None
    return None if wish is None else str(wish)


KIND: Final = Kind(settings=TelegramSettings, make=TelegramChannel)
