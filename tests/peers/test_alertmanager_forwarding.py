"""A real Alertmanager takes what the `alertmanager` channel forwards."""

from __future__ import annotations

import json
from typing import Any

import httpx

from stewardmon.channels.alertmanager import AlertmanagerChannel, AlertmanagerSettings
from stewardmon.clock import SystemClock
from stewardmon.domain.notification import NotificationEvent
from stewardmon.ports import Context
from tests.support.notifications import ACK_URL, notification
from tests.support.peers import Start, needs_peer
from tests.support.plain import NO_TLS

pytestmark = needs_peer("prometheus-alertmanager")

CONFIG = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


async def test_an_incident_fires_and_ends_in_a_real_alertmanager(
    start_alertmanager: Start,
) -> None:
    url = start_alertmanager(CONFIG).url
    channel = AlertmanagerChannel(
        AlertmanagerSettings.model_validate({"url": url}), Context(clock=SystemClock())
    )
    now = SystemClock().now()
    alive: dict[str, Any] = {"since": now, "at": now, "alerts": ()}
    await channel.send(notification(NotificationEvent.PAGE, **alive), to="dev-a")
    (alert,) = _alerts(url)
    assert alert["labels"] == {"alertname": "High Error Rate", "severity": "critical"}
    assert alert["annotations"]["stewardmon_ack_url"] == ACK_URL
    assert alert["status"]["state"] == "active"

    over = {**alive, "resolved_at": SystemClock().now()}
    await channel.send(notification(NotificationEvent.RESOLVED, **over), to="dev-a")
    await channel.close()
    assert _alerts(url) == []


def _alerts(url: str) -> list[dict[str, Any]]:
    answer = httpx.get(
        f"{url}/api/v2/alerts", params={"active": "true"}, verify=NO_TLS, trust_env=False
    )
    found: list[dict[str, Any]] = json.loads(answer.content)
    return found
