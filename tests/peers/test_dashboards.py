"""Real Prometheus scrapes a real daemon; promtool finds no fault; every panel's query has data."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.servers import Receiver, Target
from tests.support.peers import Start, needs_peer, promtool
from tests.support.process import stewardmon
from tests.support.waiting import until_async

ROOT = Path(__file__).parents[2]
OVERVIEW = ROOT / "dashboards/overview.json"
PROBES = """
defaults: {{interval: 1s, timeout: 900ms}}
probes:
  - {{name: app, kind: http, job: app, url: "{app}"}}
  - {{name: sick, kind: http, job: app, url: "{sick}"}}
  - {{name: database, kind: postgres, job: database, url: "{database}"}}
  - {{name: openai, kind: openai, job: openai, url: "{app}v1", key: sk-test}}
"""
ALERTS = """
groups:
  - name: g
    rules: [{alert: Sick, expr: 'probe_success{probe="sick"} == 0', labels: {severity: critical}}]
"""
ONCALL = """
channels: {{pager: {{kind: webhook, url: "{url}"}}}}
people: {{dev: {{name: D, timezone: UTC, contacts: [{{channel: pager, to: dev}}]}}}}
policies:
  matrix: {{levels: [{{level: 1, role: developer, after: 0m, page: [dev]}}], repeat_last: 2s}}
routes: [{{policy: matrix}}]
"""


def _panels() -> list[tuple[str, str]]:
    board = json.loads(OVERVIEW.read_text())
    return [
        (panel["title"], target["expr"].replace("$job", ".+"))
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


@needs_peer("prometheus", "promtool")
async def test_prometheus_scrapes_us_and_every_panel_has_data(
    tmp_path: Path, database: str, start_prometheus: Start
) -> None:
    app, sick, receiver = Target(), Target(), Receiver()
    for server in (app, sick, receiver):
        await server.open()
    sick.down = True
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "probes.yml").write_text(PROBES.format(app=app.url, sick=sick.url, database=database))
    (rules / "alerts.yml").write_text(ALERTS)
    (rules / "oncall.yml").write_text(ONCALL.format(url=receiver.url))
    async with stewardmon(tmp_path, rules) as daemon:
        job = {
            "job_name": "stewardmon",
            "scrape_interval": "1s",
            "honor_labels": True,
            "static_configs": [{"targets": [daemon.url.removeprefix("http://")]}],
        }
        prometheus = start_prometheus({"scrape_configs": [job]})

        async def missing() -> list[str]:
            return [title for title, expr in _panels() if not await _ask(prometheus.url, expr)]

        async def complete() -> bool:
            return not await missing()

        try:
            await until_async(complete, what="data for every panel", within=40)
        except AssertionError:
            assert await missing() == []

        async with httpx.AsyncClient(trust_env=False) as client:
            page = (await client.get(daemon.url + "/metrics")).text
        said = promtool("check", "metrics", stdin=page)
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")
    for server in (app, sick, receiver):
        await server.close()


async def _ask(url: str, expr: str) -> list[Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        answer = await client.get(f"{url}/api/v1/query", params={"query": expr})
    body = answer.json()
    assert body["status"] == "success", (expr, body)
    found: list[Any] = body["data"]["result"]
    return found


# The SDK deprecates the version of the schema that Grafana's provisioning still reads.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_written_dashboard_is_what_the_script_writes() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "dashboards/generate.py")
    assert spec is not None
    assert spec.loader is not None
    generate = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["generate"] = generate
    spec.loader.exec_module(generate)
    for name, text in generate.texts().items():
        assert (ROOT / "dashboards" / name).read_text() == text


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_sdk_reads_the_dashboard_back_whole() -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    written = json.loads(OVERVIEW.read_text())
    again = Dashboard.from_json(written)
    assert json.loads(JSONEncoder(sort_keys=True).encode(again)) == written


@pytest.mark.parametrize(("title", "expr"), _panels())
def test_every_query_is_promql_that_we_read_too(title: str, expr: str) -> None:
    from stewardmon.promql import plan

    assert plan(expr).text == expr, title
    assert re.search(r"[a-z]", expr)
