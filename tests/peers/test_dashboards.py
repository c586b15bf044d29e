"""Real Prometheus scrapes the demo's daemon; promtool finds no fault; every panel has data."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.servers import free_port
from stewardmon.promql import plan
from tests.support.peers import Start, needs_peer, promtool
from tests.support.plain import NO_TLS
from tests.support.waiting import until_async

FOLDER = Path(__file__).parents[2] / "dashboards"
BOARDS = sorted(FOLDER.glob("*.json"))
LEGEND = re.compile(r"{{(\w+)}}")
# The SDK deprecates the version of the schema that Grafana's provisioning still reads.
deprecated = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def panels() -> dict[str, tuple[str, str]]:
    """Return each panel's query, and how it calls its series, by board and title."""
    return {
        f"{board.stem}: {panel['title']}": (asked(target["expr"]), target["legendFormat"])
        for board in BOARDS
        for panel in json.loads(board.read_text())["panels"]
        for target in panel.get("targets", ())
    }


def marks() -> dict[str, str]:
    """Return each annotation's query."""
    return {
        f"{board.stem}: {one['name']}": one["expr"]
        for board in BOARDS
        for one in json.loads(board.read_text())["annotations"]["list"]
    }


def asked(expr: str) -> str:
    """Return the query as Grafana asks it."""
    return expr.replace("$job", ".+").replace("$__range", "1h")


@asynccontextmanager
async def demo() -> AsyncIterator[str]:
    """Run `stewardmon demo` with an outage that leaves everything else as it is; its address."""
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stewardmon", "demo", "--speed", "60", "--for", "200",
        "--scenario", "logs-secret", "--listen", f"127.0.0.1:{port}",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=2) as client:
            try:
                return (await client.get(url + "/readyz")).is_success
            except httpx.HTTPError:
                return False

    try:
        await until_async(answers, what="the demo is ready", within=60)
        yield url
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


@pytest.mark.timeout(240)
@needs_peer("prometheus", "promtool")
async def test_every_panel_has_data_from_prometheus_and_from_us(start_prometheus: Start) -> None:
    async with demo() as url:
        job = {
            "job_name": "stewardmon",
            "scrape_interval": "1s",
            "honor_labels": True,
            "static_configs": [{"targets": [url.removeprefix("http://")]}],
        }
        prometheus = start_prometheus({"scrape_configs": [job]})
        for source in (prometheus.url, url):
            waiting = panels()

            async def all_seen(source: str = source, waiting: Any = waiting) -> bool:
                for title, (expr, legend) in list(waiting.items()):
                    found = await query(source, expr)
                    if any(set(LEGEND.findall(legend)) <= set(one["metric"]) for one in found):
                        del waiting[title]
                return not waiting

            try:
                await until_async(all_seen, what="data for every panel", within=80)
            except AssertionError:
                assert waiting == {}, source
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
            page = (await client.get(url + "/metrics")).text
        said = promtool("check", "metrics", stdin=page)
        assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


async def query(url: str, expr: str) -> list[Any]:
    headers = {"Authorization": "Bearer demo"}
    async with httpx.AsyncClient(
        verify=NO_TLS, trust_env=False, timeout=20, headers=headers
    ) as client:
        answer = await client.get(f"{url}/api/v1/query", params={"query": expr})
    body = answer.json()
    assert body["status"] == "success", (expr, body)
    found: list[Any] = body["data"]["result"]
    return found


@deprecated
def test_the_written_dashboards_are_what_the_script_writes() -> None:
    from dashboards.generate import texts

    written = {board.name: board.read_text() for board in BOARDS}
    assert written == texts()


@deprecated
@pytest.mark.parametrize("board", BOARDS, ids=lambda one: one.stem)
def test_the_sdk_reads_a_dashboard_back_whole(board: Path) -> None:
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    written = json.loads(board.read_text())
    again = Dashboard.from_json(written)
    assert json.loads(JSONEncoder(sort_keys=True).encode(again)) == written


def test_every_query_is_promql_that_we_read_too() -> None:
    assert len(panels()) > 60
    for title, expr in {
        **{name: one for name, (one, _) in panels().items()},
        **marks(),
    }.items():
        assert plan(expr).text == expr, title


def test_boards_do_not_share_a_uid_and_each_can_be_reached_from_the_others() -> None:
    boards = [json.loads(board.read_text()) for board in BOARDS]
    assert len({one["uid"] for one in boards}) == len(boards) == 6
    assert all(one["tags"] == ["stewardmon"] and one["links"] for one in boards)


def test_grafana_is_told_where_the_dashboards_and_the_data_are() -> None:
    import yaml

    (provider,) = yaml.safe_load((FOLDER / "provisioning/dashboards/stewardmon.yml").read_text())[
        "providers"
    ]
    assert provider["type"] == "file"
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/stewardmon.yml").read_text())[
        "datasources"
    ]
    assert {one["type"] for one in sources} == {"prometheus", "alertmanager"}
