"""The webhook's body and headers, as other programs rely on them."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from typing import Any

import pytest

from stewardmon.channels.webhook import WebhookChannel, WebhookSettings
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import Notification, NotificationEvent
from tests.support.http_receiver import HttpReceiver, Received
from tests.support.notifications import ACK_URL, ALERT, INCIDENT_URL, PAGE, context, notification


async def delivered(message: Notification, *, to: str = "dev-a", **keys: Any) -> Received:
    async with HttpReceiver() as receiver:
        url = f"{receiver.url}/hook?team=ops"
        channel = WebhookChannel(WebhookSettings.model_validate({"url": url, **keys}), context())
        await channel.send(message, to=to)
        await channel.close()
        (received,) = receiver.received
    return received


async def test_the_body_is_alertmanagers_with_ours_beside_it() -> None:
    received = await delivered(PAGE)
    body = json.loads(received.body)
    own = body.pop("stewardmon")
    assert received.line == "POST /hook?team=ops HTTP/1.1"
    assert received.headers["content-type"] == "application/json"
    assert body == {
        "version": "4",
        "groupKey": '{job="app"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "matrix",
        "groupLabels": {"job": "app"},
        "commonLabels": {"alertname": "High Error Rate", "job": "app", "severity": "critical"},
        "commonAnnotations": {"summary": "7.3 % of requests fail"},
        "externalURL": "https://mon.example.org",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": "High Error Rate", "job": "app", "severity": "critical"},
                "annotations": {"summary": "7.3 % of requests fail"},
                "startsAt": "2026-11-22T02:12:00.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://mon.example.org/rules",
                "fingerprint": "00ff00ff00ff00ff",
            }
        ],
    }
    required = {
        "event": "page",
        "incident": "inc-7",
        "severity": "critical",
        "level": 1,
        "role": "On-call developer",
        "person": "dev-a",
        "to": "dev-a",
        "attempt": 1,
        "dedup_key": "inc-7:r1:page:1:dev-a.0.pager",
        "ack_url": ACK_URL,
        "incident_url": INCIDENT_URL,
    }
    assert required.items() <= own.items()
    assert own["text"].startswith("CRITICAL: High Error Rate\n")


async def test_a_resolve_names_the_end() -> None:
    body = json.loads((await delivered(notification(NotificationEvent.RESOLVED))).body)
    assert body["status"] == "resolved"
    assert body["alerts"][0]["status"] == "resolved"
    assert body["alerts"][0]["endsAt"] == "2026-11-22T02:24:00.000Z"


@pytest.mark.parametrize("event", set(NotificationEvent) - {NotificationEvent.RESOLVED})
async def test_everything_else_is_firing(event: NotificationEvent) -> None:
    body = json.loads((await delivered(notification(event))).body)
    assert body["status"] == "firing"
    assert body["stewardmon"]["event"] == event.value


async def test_the_dedup_key_is_the_idempotency_key() -> None:
    received = await delivered(PAGE)
    assert received.headers["idempotency-key"] == PAGE.dedup_key


async def test_a_dedup_key_outside_ascii_becomes_a_header_all_the_same() -> None:
    received = await delivered(replace(PAGE, dedup_key="jürgen\r\nX: 1"))
    assert received.headers["idempotency-key"] == "j%C3%BCrgen%0D%0AX:%201"
    assert "x" not in received.headers
    assert json.loads(received.body)["stewardmon"]["dedup_key"] == "jürgen\r\nX: 1"


async def test_the_signature_is_over_the_raw_body() -> None:
    received = await delivered(PAGE, secret="s3cret-key")
    expected = hmac.new(b"s3cret-key", received.body, hashlib.sha256).hexdigest()
    assert received.headers["x-stewardmon-signature"] == f"sha256={expected}"


async def test_without_a_secret_there_is_no_signature() -> None:
    assert "x-stewardmon-signature" not in (await delivered(PAGE)).headers


async def test_configured_headers_are_sent_but_never_replace_ours() -> None:
    headers = {"Authorization": "Bearer abc", "Idempotency-Key": "mine"}
    received = await delivered(PAGE, headers=headers)
    assert received.headers["authorization"] == "Bearer abc"
    assert received.headers["idempotency-key"] == PAGE.dedup_key


async def test_alerts_and_annotations_are_bounded_and_counted() -> None:
    long = replace(ALERT, annotations=Labels({"a": "x" * 100_000}))
    page = replace(PAGE, alerts=(long,) * 300, truncated_alerts=5)
    body = json.loads((await delivered(page)).body)
    assert len(body["alerts"]) == 200
    assert body["truncatedAlerts"] == 105
    assert len(body["alerts"][0]["annotations"]["a"]) == 4096


async def test_labels_arrive_whole_and_odd_characters_as_json_allows() -> None:
    odd = Labels({"path": "C:\\x\n\x01\u202e", "bad": "a\ud800b", "long": "y" * 5000})
    body = json.loads((await delivered(replace(PAGE, alerts=(replace(ALERT, labels=odd),)))).body)
    labels = body["alerts"][0]["labels"]
    assert labels == {"path": "C:\\x\n\x01\u202e", "bad": "a?b", "long": "y" * 5000}
