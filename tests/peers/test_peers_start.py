"""The real peers start, answer and end: what every other test in this folder builds on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
from playwright.async_api import Page

from stewardmon.demo.postgres import PostgresServer
from tests.support.peers import Start, amtool, needs_peer, promtool
from tests.support.plain import NO_TLS
from tests.support.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

RULES = """
groups:
  - name: always
    rules: [{alert: Always, expr: vector(1) == 1, labels: {severity: critical}}]
"""


@needs_peer("prometheus", "amtool")
def test_a_rule_in_prometheus_reaches_alertmanager(
    start_prometheus: Start, start_alertmanager: Start
) -> None:
    alertmanager = start_alertmanager({"route": {"receiver": "r"}, "receivers": [{"name": "r"}]})
    start_prometheus(
        {
            "global": {"evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "alerting": {
                "alertmanagers": [
                    {"static_configs": [{"targets": [alertmanager.url.removeprefix("http://")]}]}
                ]
            },
        },
        files={"rules.yml": RULES},
        # It forgets what it sends before it has found its Alertmanager, five seconds after start.
        flags=["--rules.alert.resend-delay=1s"],
    )
    until(
        lambda: "Always" in amtool("alert", "query", url=alertmanager.url).stdout,
        what="amtool shows the alert",
        within=60,
    )


def test_blackbox_exporter_probes_its_own_page(start_blackbox_exporter: Start) -> None:
    exporter = start_blackbox_exporter({"modules": {"http": {"prober": "http"}}})
    answer = httpx.get(
        f"{exporter.url}/probe",
        params={"module": "http", "target": f"{exporter.url}/-/healthy"},
        verify=NO_TLS,
        trust_env=False,
    )
    assert "\nprobe_success 1\n" in answer.text


def test_postgres_exporter_sees_our_server(
    start_postgres_exporter: Start, postgres: PostgresServer
) -> None:
    exporter = start_postgres_exporter(f"{postgres.url}?sslmode=disable")
    assert (
        "\npg_up 1\n" in httpx.get(f"{exporter.url}/metrics", verify=NO_TLS, trust_env=False).text
    )


def test_vmalert_loads_a_rule_file(start_vmalert: Start) -> None:
    vmalert = start_vmalert(
        RULES, flags=["-datasource.url=http://127.0.0.1:1", "-notifier.url=http://127.0.0.1:1"]
    )
    assert "Always" in httpx.get(f"{vmalert.url}/api/v1/rules", verify=NO_TLS, trust_env=False).text


@needs_peer("promtool")
def test_promtool_tells_good_metrics_from_bad() -> None:
    assert (
        promtool("check", "metrics", stdin="# HELP up Up.\n# TYPE up gauge\nup 1\n").returncode == 0
    )
    assert promtool("check", "metrics", stdin="up{ 1\n").returncode != 0


@needs_peer("chromium")
async def test_a_page_fits_a_phone(phone: Page, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<!doctype html><title>Fits</title><p>fits")
    await phone.goto(page.as_uri())
    assert await phone.title() == "Fits"
    assert await phone.evaluate("document.documentElement.scrollWidth") <= 390
