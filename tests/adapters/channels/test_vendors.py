"""What each vendor's API is asked for, and what its answers mean."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from stewardmon.channels import KINDS
from stewardmon.domain.notification import Notification, NotificationEvent, Receipt
from stewardmon.errors import DeliveryError
from tests.support.http_receiver import Behaviour, HttpReceiver, Received, answers
from tests.support.notifications import ACK_URL, ALERT, INCIDENT_URL, PAGE, context, notification

TWILIO = {"account": "AC1", "token": "tok-1234567", "from": "+15005550006"}


async def exchange(
    kind: str,
    keys: Mapping[str, Any],
    message: Notification = PAGE,
    *,
    to: str = "dev-a",
    behaviour: Behaviour,
) -> tuple[Receipt | DeliveryError, list[Received]]:
    """Send one message to a receiver whose address goes where `keys` hold `URL`."""
    async with HttpReceiver() as receiver:
        receiver.behaviour = behaviour
        filled = {
            name: value.replace("URL", receiver.url) if isinstance(value, str) else value
            for name, value in keys.items()
        }
        channel = KINDS[kind].make(KINDS[kind].settings.model_validate(filled), context())
        try:
            said: Receipt | DeliveryError = await channel.send(message, to=to)
        except DeliveryError as error:
            said = error
        await channel.close()
        return said, receiver.received


def ok(**body: Any) -> Behaviour:
    return answers(200, json.dumps(body).encode())


# Slack

BOT = {"token": "xoxb-12345", "api": "URL/api"}


async def test_a_slack_bot_posts_into_the_channel_it_is_told() -> None:
    said, (received,) = await exchange("slack", BOT, to="#ops", behaviour=ok(ok=True, ts="1.5"))
    assert said == Receipt(text="Slack message 1.5")
    assert received.path == "/api/chat.postMessage"
    assert received.headers["authorization"] == "Bearer xoxb-12345"
    body = json.loads(received.body)
    assert body["channel"] == "#ops"
    assert body["text"].startswith("CRITICAL: High Error Rate")
    (actions,) = [one for one in body["blocks"] if one["type"] == "actions"]
    assert [one["url"] for one in actions["elements"]] == [
        ACK_URL, INCIDENT_URL, "https://wiki.example.org/errors",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("error", "temporary"),
    [("channel_not_found", False), ("invalid_auth", False), ("ratelimited", True),
     ("internal_error", True)],
)  # fmt: skip
async def test_slack_refuses_inside_a_200(error: str, temporary: bool) -> None:
    said, _ = await exchange("slack", BOT, behaviour=ok(ok=False, error=error))
    assert isinstance(said, DeliveryError)
    assert said.temporary is temporary
    assert str(said) == f"127.0.0.1 refused: {error}"


async def test_slacks_words_of_a_refusal_are_shown() -> None:
    keys = {"url": "URL/services/T0/B0/secret-part"}
    said, _ = await exchange("slack", keys, behaviour=answers(404, b"no_service"))
    assert isinstance(said, DeliveryError)
    assert not said.temporary
    assert str(said) == "127.0.0.1 answered 404 Not Found: no_service"


@pytest.mark.parametrize("keys", [{}, {"url": "http://h/x", "token": "t"}])
def test_slack_wants_either_a_webhook_or_a_bot(keys: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="either a url"):
        KINDS["slack"].settings.model_validate(keys)


# PagerDuty

PAGER = {"key": "r0uting-key", "api": "URL"}


@pytest.mark.parametrize(
    ("event", "action"),
    [
        (NotificationEvent.PAGE, "trigger"),
        (NotificationEvent.ESCALATED, "trigger"),
        (NotificationEvent.REMINDER, "trigger"),
        (NotificationEvent.ACKNOWLEDGED, "acknowledge"),
        (NotificationEvent.RESOLVED, "resolve"),
        (NotificationEvent.DRILL, "trigger"),
    ],
)
async def test_pagerduty_keeps_one_incident_for_each_of_ours(
    event: NotificationEvent, action: str
) -> None:
    _, (received,) = await exchange(
        "pagerduty", PAGER, notification(event), behaviour=answers(202, b"{}")
    )
    body = json.loads(received.body)
    drill = event is NotificationEvent.DRILL
    assert received.path == "/v2/enqueue"
    assert body["routing_key"] == "r0uting-key"
    assert body["event_action"] == action
    assert body["dedup_key"] == ("drill-inc-7" if drill else "inc-7")
    assert body["payload"]["severity"] == ("info" if drill else "critical")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("critical", "critical"), ("warning", "warning"), ("INFO", "info"), ("error", "error"),
     ("p1-made-up", "critical")],
)  # fmt: skip
async def test_severities_map_to_pagerdutys_four(ours: str, theirs: str) -> None:
    _, (received,) = await exchange(
        "pagerduty", PAGER, replace(PAGE, severity=ours), behaviour=answers(202, b"{}")
    )
    assert json.loads(received.body)["payload"]["severity"] == theirs


async def test_pagerduty_explains_a_bad_event_and_limits_a_fast_one() -> None:
    words = {"message": "Event object is invalid", "errors": ["'routing_key' r0uting-key bad"]}
    said, _ = await exchange("pagerduty", PAGER, behaviour=answers(400, json.dumps(words).encode()))
    assert isinstance(said, DeliveryError)
    assert str(said).endswith("400 Bad Request: Event object is invalid; 'routing_key' … bad")
    busy, _ = await exchange("pagerduty", PAGER, behaviour=answers(429))
    assert isinstance(busy, DeliveryError)
    assert busy.temporary


# Twilio


async def test_a_short_message_goes_out_through_twilio() -> None:
    keys = {**TWILIO, "api": "URL", "status_url": "https://mon.example.org/twilio"}
    said, (received,) = await exchange(
        "sms", keys, to="+491701234567", behaviour=answers(201, b'{"sid":"SM9","status":"queued"}')
    )
    form = parse_qs(received.body.decode())
    assert said == Receipt(text="Twilio SM9 queued")
    assert received.path == "/2010-04-01/Accounts/AC1/Messages.json"
    login = base64.b64encode(b"AC1:tok-1234567").decode()
    assert received.headers["authorization"] == f"Basic {login}"
    assert form["To"] == ["+491701234567"]
    assert form["From"] == ["+15005550006"]
    assert form["StatusCallback"] == ["https://mon.example.org/twilio"]
    assert form["Body"][0].startswith("CRITICAL: High Error Rate, since 03:12 CET")


async def test_a_call_reads_the_page_and_takes_a_key() -> None:
    _, (received,) = await exchange(
        "voice",
        {**TWILIO, "api": "URL"},
        to="+491701234567",
        behaviour=answers(201, b'{"sid":"CA9","status":"queued"}'),
    )
    form = parse_qs(received.body.decode())
    assert received.path == "/2010-04-01/Accounts/AC1/Calls.json"
    assert f'action="{ACK_URL}?via=voice"' in form["Twiml"][0]
    assert "critical: high error rate" in form["Twiml"][0]


async def test_a_message_that_twilio_took_but_failed_is_permanent() -> None:
    failed = {"sid": "SM9", "status": "failed", "error_code": 30006, "error_message": "Landline"}
    said, _ = await exchange(
        "sms", {**TWILIO, "api": "URL"}, to="+491701234567", behaviour=ok(**failed)
    )
    assert isinstance(said, DeliveryError)
    assert not said.temporary
    assert str(said) == "127.0.0.1 refused: failed 30006 Landline"


@pytest.mark.parametrize("to", ["", "dev-a", "0170123", "+49 170", "+", "+" + "1" * 16, "+١٢٣"])
@pytest.mark.parametrize("kind", ["sms", "voice"])
async def test_a_contact_that_is_no_number_is_never_sent(kind: str, to: str) -> None:
    said, received = await exchange(kind, {**TWILIO, "api": "URL"}, to=to, behaviour=ok())
    assert isinstance(said, DeliveryError)
    assert not said.temporary
    assert "+491701234567 (E.164)" in str(said)
    assert received == []


# Telegram


async def test_telegram_gets_plain_text_and_buttons() -> None:
    keys = {"token": "123:abcdefgh", "api": "URL"}
    said, (received,) = await exchange(
        "telegram", keys, to="-100", behaviour=ok(ok=True, result={"message_id": 8})
    )
    body = json.loads(received.body)
    assert said == Receipt(text="Telegram message 8")
    assert received.path == "/bot123:abcdefgh/sendMessage"
    assert body["chat_id"] == "-100"
    assert "parse_mode" not in body
    assert body["disable_notification"] is False
    assert body["reply_markup"]["inline_keyboard"][0][0] == {"text": "Acknowledge", "url": ACK_URL}


async def test_telegram_is_silent_about_what_asks_for_nothing() -> None:
    keys = {"token": "123:abcdefgh", "api": "URL"}
    message = notification(NotificationEvent.RESOLVED, incident_url="http://localhost:9797/i/1")
    _, (received,) = await exchange("telegram", keys, message, behaviour=ok(ok=True))
    body = json.loads(received.body)
    assert body["disable_notification"] is True
    assert "reply_markup" not in body  # Telegram refuses a button that leads to localhost
    assert "http://localhost:9797/i/1" in body["text"]


async def test_telegram_says_in_the_body_how_long_to_wait() -> None:
    busy = {"ok": False, "description": "Too Many Requests", "parameters": {"retry_after": 31}}
    said, _ = await exchange(
        "telegram",
        {"token": "123:abcdefgh", "api": "URL"},
        behaviour=answers(429, json.dumps(busy).encode()),
    )
    assert isinstance(said, DeliveryError)
    assert said.temporary
    assert said.retry_after == 31.0


# ntfy


@pytest.mark.parametrize(
    ("event", "severity", "priority"),
    [
        (NotificationEvent.PAGE, "critical", 5),
        (NotificationEvent.PAGE, "warning", 4),
        (NotificationEvent.RESOLVED, "critical", 3),
    ],
)
async def test_ntfy_gets_a_priority_and_one_tap_to_acknowledge(
    event: NotificationEvent, severity: str, priority: int
) -> None:
    _, (received,) = await exchange(
        "ntfy",
        {"url": "URL", "token": "tk_12345"},
        notification(event, severity=severity),
        to="on-call",
        behaviour=ok(id="m1"),
    )
    body = json.loads(received.body)
    assert received.headers["authorization"] == "Bearer tk_12345"
    assert (body["topic"], body["priority"]) == ("on-call", priority)
    taps = [(one["action"], one["url"]) for one in body["actions"]]
    asks = [("http", ACK_URL)] if event is NotificationEvent.PAGE else []
    assert taps == [*asks, ("view", INCIDENT_URL)]
    assert len(body["message"].encode()) <= 4096


# Alertmanager

MANAGER = {"url": "URL/am", "lasts": "2h"}


async def test_alertmanager_gets_alerts_that_last() -> None:
    said, (received,) = await exchange("alertmanager", MANAGER, behaviour=answers(200))
    (alert,) = json.loads(received.body)
    assert isinstance(said, Receipt)
    assert received.path == "/am/api/v2/alerts"
    assert alert["labels"] == dict(ALERT.labels)
    assert alert["startsAt"] == "2026-11-22T02:12:00.000Z"
    assert alert["endsAt"] == "2026-11-22T04:24:00.000Z"
    assert alert["annotations"]["stewardmon_ack_url"] == ACK_URL


async def test_alertmanager_is_told_the_end() -> None:
    over = notification(NotificationEvent.RESOLVED)
    _, (received,) = await exchange("alertmanager", MANAGER, over, behaviour=answers(200))
    (alert,) = json.loads(received.body)
    assert alert["endsAt"] == "2026-11-22T02:24:00.000Z"


async def test_a_drill_without_alerts_still_reaches_alertmanager() -> None:
    drill = notification(NotificationEvent.DRILL, alerts=(), title="Drill of level 1")
    _, (received,) = await exchange("alertmanager", MANAGER, drill, behaviour=answers(200))
    (alert,) = json.loads(received.body)
    assert alert["labels"] == {
        "alertname": "Drill of level 1", "severity": "critical", "drill": "true",
    }  # fmt: skip
