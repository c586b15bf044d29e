"""Channels `sms` and `voice`: short messages and calls through Twilio.

Sources: twilio.com/docs, "Message resource", "Call resource", "TwiML <Gather>".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlsplit
from xml.sax.saxutils import escape, quoteattr

from stewardmon.channels import render
from stewardmon.channels.http_client import Answer, HttpSender, Request
from stewardmon.channels.settings import HttpSettings, HttpUrl, join_url
from stewardmon.channels.view import view
from stewardmon.domain.notification import Notification, Receipt
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context, Kind
from stewardmon.settings import AfterValidator, Field, Secret

_FAILED: Final = frozenset({"failed", "undelivered", "canceled"})
KEY: Final = "4"  # not one that a cheek presses


def _telephone(value: str) -> str:
    digits = value.removeprefix("+")
    if not (value.startswith("+") and digits.isascii() and digits.isdigit() and len(digits) <= 15):
        raise ValueError("a telephone number is written +491701234567 (E.164)")
    return value


def _sender(value: str) -> str:
    # Besides numbers Twilio takes names of up to eleven letters and messaging services.
    named = value.isascii() and value.replace(" ", "").isalnum() and len(value) <= 34
    return value if named else _telephone(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSettings(HttpSettings):
    """The account, and `from`, the number or name that messages come from.

    `status_url` is where Twilio reports what became of each message, if anywhere; `api` is
    Twilio's own address.
    """

    account: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")
    token: Secret
    sender: Annotated[str, AfterValidator(_sender)] = Field(alias="from")
    status_url: HttpUrl | None = None
    api: HttpUrl = Secret("https://api.twilio.com")


class SmsChannel:
    """Sends one short message of at most 160 places."""

    def __init__(self, settings: TwilioSettings, context: Context) -> None:
        self._twilio = _Twilio(settings, context)
        self._clock = context.clock

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Queue the message at Twilio, or raise DeliveryError."""
        words = render.sms(notification, now=self._clock.now())
        return await self._twilio.create("Messages", to, {"Body": words})

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""


class VoiceChannel:
    """Calls, reads the page out, and takes a key as the acknowledgement."""

    def __init__(self, settings: TwilioSettings, context: Context) -> None:
        self._twilio = _Twilio(settings, context)
        self._clock = context.clock

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Queue the call at Twilio, or raise DeliveryError."""
        now = self._clock.now()
        words = render.voice(notification, now=now)
        script = twiml(words, ack_url=view(notification, now=now).ack_url)
        return await self._twilio.create("Calls", to, {"Twiml": script})

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""


def twiml(words: str, *, ack_url: str) -> str:
    """Return the call's script: the words twice, and a key that posts to the acknowledgement.

    Twilio posts `Digits=4` to `ack_url` with `via=voice` added, and reads the answer as TwiML: see
    `heard`.
    """
    said = escape(words)
    if not ack_url:
        return f'<Response><Say loop="2">{said}</Say></Response>'
    action = f"{ack_url}{'&' if urlsplit(ack_url).query else '?'}via=voice"
    asked = escape(f"{words} Press {KEY} to acknowledge.")
    return (
        f'<Response><Gather numDigits="1" timeout="10" method="POST" action={quoteattr(action)}>'
        f'<Say loop="2">{asked}</Say></Gather>'
        "<Say>No key was pressed. The escalation goes on.</Say></Response>"
    )


def heard(words: str) -> str:
    """Return what a call says once a key was pressed; then it ends."""
    return f"<Response><Say>{escape(words)}</Say></Response>"


class _Twilio:
    """The part of Twilio's REST API that both channels use."""

    def __init__(self, settings: TwilioSettings, context: Context) -> None:
        self._settings = settings
        self._token = settings.token.get_secret_value()
        self._http = HttpSender(settings, context, secrets=(self._token,))

    async def create(self, resource: str, to: str, form: dict[str, str]) -> Receipt:
        """Create a message or call, and return its id and state; raises DeliveryError."""
        try:
            number = _telephone(to)
        except ValueError as error:
            raise DeliveryError(f"the contact's `to`: {error}", temporary=False) from None
        account = self._settings.account
        url = join_url(self._settings.api, f"2010-04-01/Accounts/{account}/{resource}.json")
        fields = {"To": number, "From": self._settings.sender, **form}
        if self._settings.status_url is not None:
            fields["StatusCallback"] = self._settings.status_url.get_secret_value()
        answer = await self._http.post(
            Request(url=url, form=fields, user=(account, self._token)), words=_words
        )
        return self._receipt(answer, url)

    def _receipt(self, answer: Answer, url: str) -> Receipt:
        said = answer.json()
        state, ident = str(said.get("status", "")), str(said.get("sid", ""))
        if state in _FAILED:
            words = f"{state} {said.get('error_code') or ''} {said.get('error_message') or ''}"
            raise self._http.fail(words, temporary=False, url=url)
        if not ident:
            raise self._http.fail("an answer that is not Twilio's", temporary=True, url=url)
        return Receipt(text=self._http.safe(f"Twilio {ident} {state}"))


def _words(answer: Answer) -> str:
    said = answer.json()
    return " ".join(str(said[key]) for key in ("code", "message") if said.get(key))


SMS: Final = Kind(settings=TwilioSettings, make=SmsChannel)
VOICE: Final = Kind(settings=TwilioSettings, make=VoiceChannel)
