"""A real Prometheus whose `alerting:` points at us: its alert climbs, its resolve resolves."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx

from tests.support.http_receiver import HttpReceiver
from tests.support.live import listening
from tests.support.peers import Running, Start, needs_peer
from tests.support.plain import NO_TLS
from tests.support.waiting import until_async

FIRES = """
groups:
  - name: g
    rules: [{alert: Always, expr: vector(1) == 1, labels: {severity: critical, job: app}}]
"""


@needs_peer("prometheus")
async def test_an_alert_of_prometheus_climbs_the_matrix_and_resolves(
    tmp_path: Path, start_prometheus: Start
) -> None:
    async with HttpReceiver() as pager, listening(tmp_path, pager=pager.url) as running:

        async def said() -> list[tuple[str, str]]:
            bodies = (json.loads(one.body)["stewardmon"] for one in pager.received)
            return [(body["event"], body["to"]) for body in bodies]

        async def paged() -> bool:
            return ("escalated", "senior") in await said()

        async def resolved() -> bool:
            return {("resolved", "dev"), ("resolved", "senior")} <= set(await said())

        prometheus = await asyncio.to_thread(_start, start_prometheus, running.url)
        await until_async(paged, what="both levels are paged", within=40)
        assert await said() == [("page", "dev"), ("escalated", "senior")]
        [incident] = running.app.live.responder.open()
        assert incident.title == "Always (app)"

        # The rule is gone: Prometheus says that its alert is over.
        rules = prometheus.log.parent / "rules.yml"
        rules.write_text(FIRES.replace("== 1", "== 2"))
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
            await client.post(f"{prometheus.url}/-/reload")
        await until_async(resolved, what="both are told of the end", within=40)


def _start(start: Start, url: str) -> Running:
    alertmanager = {"static_configs": [{"targets": [url.removeprefix("http://")]}]}
    return start(
        {
            "global": {"evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [alertmanager]},
        },
        files={"rules.yml": FIRES},
        # It forgets what it sends before it has found its Alertmanager, five seconds after start.
        flags=["--rules.alert.resend-delay=1s"],
    )
