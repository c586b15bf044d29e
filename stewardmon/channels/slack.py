"""Channel `slack`: an incoming webhook, or a bot that posts into the channel named by `to`.

Sources: docs.slack.dev, "Sending messages using incoming webhooks", "chat.postMessage", "Blocks".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stewardmon.channels.http_client import Answer, HttpSender, Request, dump
from stewardmon.channels.settings import HttpSettings, HttpUrl, join_url
from stewardmon.channels.text import shorten
from stewardmon.channels.view import View, view
from stewardmon.domain.notification import Notification, Receipt
from stewardmon.ports import Context, Kind
from stewardmon.settings import Secret

_TEMPORARY: Final = frozenset(
    {"ratelimited", "rate_limited", "service_unavailable", "internal_error", "fatal_error",
     "request_timeout", "team_added_to_org", "message_limit_exceeded"}
)  # fmt: skip
_LONGEST_SECTION: Final = 2900  # Slack's limit is 3000, escapes included


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackSettings(HttpSettings):
    """Either `url`, an incoming webhook, or `token`, a bot's; `api` is Slack's own address."""

    url: HttpUrl | None = None
    token: Secret | None = None
    api: HttpUrl = Secret("https://slack.com/api")

    def __post_init__(self) -> None:
        if (self.url is None) == (self.token is None):
            raise ValueError("a slack channel has either a url (incoming webhook) or a token (bot)")


class SlackChannel:
    """Posts blocks, with plain text beside them for what cannot show blocks."""

    def __init__(self, settings: SlackSettings, context: Context) -> None:
        self._settings = settings
        self._clock = context.clock
        self._token = settings.token.get_secret_value() if settings.token else ""
        self._http = HttpSender(settings, context, secrets=(self._token,))

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Post the message, or raise DeliveryError."""
        message = render_slack(notification, now=self._clock.now())
        if self._settings.url is None:
            return await self._post_as_bot(message, to)
        url = self._settings.url.get_secret_value()
        await self._http.post(_request(url, message), words=_plain)
        return Receipt(text="Slack accepted it")

    async def close(self) -> None:
        """Return at once: no connection outlives its message."""

    async def _post_as_bot(self, message: dict[str, Any], to: str) -> Receipt:
        url = join_url(self._settings.api, "chat.postMessage")
        request = _request(url, {"channel": to, **message}, token=self._token)
        answer = await self._http.post(request, words=_plain)
        said = answer.json()
        if said.get("ok") is True:
            return Receipt(text=f"Slack message {self._http.safe(str(said.get('ts', '')))}")
        error = str(said.get("error") or "an answer that is not Slack's")
        temporary = error in _TEMPORARY or not said
        raise self._http.fail(error, temporary=temporary, url=url)


def render_slack(notification: Notification, *, now: datetime) -> dict[str, Any]:
    """Return the message as Slack's `text` and `blocks`."""
    shown = view(notification, now=now)
    return {"text": escape(_fallback(shown)), "blocks": _blocks(shown), "unfurl_links": False}


def escape(text: str) -> str:
    """Return the text so that nothing in it is a link, a mention or a command to Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _request(url: str, message: dict[str, Any], *, token: str = "") -> Request:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Request(url=url, content=dump(message), headers=headers)


def _plain(answer: Answer) -> str:
    said = answer.json().get("error")
    return str(said) if said else answer.body.decode("utf-8", "replace")


def _fallback(shown: View) -> str:
    return " · ".join(filter(None, (shown.headline, shown.what, shown.told)))


def _blocks(shown: View) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": shorten(shown.headline, 150)}}
    ]
    said = (shown.notice, shown.late, shown.told, shown.summary, shown.description)
    blocks += _sections("\n".join(filter(None, said)))
    blocks += _sections("\n".join(_facts(shown)), bold=True)
    blocks += _list("What to check", shown.runbook)
    blocks += _list("Evidence", shown.evidence)
    more = (f"… and {shown.more_alerts} more",) if shown.more_alerts else ()
    blocks += _list("Alerts", (*shown.alerts, *more))
    buttons = _buttons(shown)
    return [*blocks, {"type": "actions", "elements": buttons}] if buttons else blocks


def _facts(shown: View) -> list[str]:
    facts = (
        ("Value", shown.what),
        ("Course", shown.sparkline),
        ("Since", shown.since),
        ("Level", shown.level),
        ("Paged", shown.reader),
        ("Next", shown.next_step),
    )
    return [f"{name}: {value}" for name, value in facts if value]


def _sections(text: str, *, bold: bool = False) -> list[dict[str, Any]]:
    """Return one section, cut so that its escapes fit as well; names before a colon are bold."""
    if not text:
        return []
    lines = escape(text).splitlines()
    if bold:
        lines = [f"*{name}:*{rest}" for name, _, rest in (one.partition(":") for one in lines)]
    body = shorten("\n".join(lines), _LONGEST_SECTION)
    return [{"type": "section", "text": {"type": "mrkdwn", "text": body, "verbatim": True}}]


def _list(heading: str, lines: tuple[str, ...]) -> list[dict[str, Any]]:
    if not lines:
        return []
    body = shorten(
        "\n".join([f"*{heading}*", *(f"• {escape(one)}" for one in lines)]), _LONGEST_SECTION
    )
    return [{"type": "section", "text": {"type": "mrkdwn", "text": body, "verbatim": True}}]


def _buttons(shown: View) -> list[dict[str, Any]]:
    wanted = (
        ("Acknowledge", shown.ack_url, "primary"),
        ("Open incident", shown.incident_url, ""),
        ("Runbook", shown.runbook_url, ""),
    )
    return [
        {
            "type": "button",
            "text": {"type": "plain_text", "text": name},
            "url": url,
            **({"style": style} if style else {}),
        }
        for name, url, style in wanted
        if url
    ]


KIND: Final = Kind(settings=SlackSettings, make=SlackChannel)
