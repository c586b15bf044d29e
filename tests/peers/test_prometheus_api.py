"""Prometheus' API over a daemon's series: its JSON, its errors, and the real promtool."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bench.servers import Target
from tests.support.peers import needs_peer, promtool
from tests.support.plain import NO_TLS
from tests.support.process import Process, stewardmon
from tests.support.waiting import until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROBES = "probes:\n  - {{name: app, kind: http, job: app, interval: 1s, url: '{url}'}}\n"
ALERTS = r"""
groups:
  - name: g
    interval: 1s
    rules:
      - {record: app:up, expr: 'probe_success{job="app"}'}
      - {alert: Up, expr: 'app:up == 1', for: 1h, labels: {severity: warning}}
      - alert: Odd
        expr: 'label_replace(app:up, "odd", "\xff☂", "", "")'
        labels: {severity: warning}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Process]:
    """A running daemon that has watched one target for a moment."""
    tmp_path = tmp_path_factory.mktemp("daemon")
    async with Target() as app:
        rules = tmp_path / "rules"
        rules.mkdir()
        (rules / "probes.yml").write_text(PROBES.format(url=app.url))
        (rules / "alerts.yml").write_text(ALERTS)
        async with stewardmon(tmp_path, rules) as running:
            await until_async(lambda: _rows(running, "app:up"), what="the recorded series")
            yield running


async def _ask(daemon: Process, path: str, **params: Any) -> httpx.Response:
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=20) as client:
        return await client.get(f"{daemon.url}/api/v1/{path}", params=params)


async def _data(daemon: Process, path: str, **params: Any) -> Any:
    answer = await _ask(daemon, path, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def _rows(daemon: Process, expr: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await _data(daemon, "query", query=expr))["result"]
    return found


async def test_results_have_prometheus_shapes(daemon: Process) -> None:
    (row,) = await _rows(daemon, 'probe_success{job="app"}')
    assert row["metric"]["__name__"] == "probe_success"
    assert row["value"][1] == "1"
    assert (await _data(daemon, "query", query="1/0"))["result"][1] == "+Inf"
    assert (await _data(daemon, "query", query='"x"'))["resultType"] == "string"
    now = (await _data(daemon, "query", query="time()"))["result"][0]
    ranged = await _data(
        daemon, "query_range", query="app:up", start=now - 10, end=now + 1, step="1s"
    )
    assert ranged["resultType"] == "matrix"
    assert {value for _, value in ranged["result"][0]["values"]} == {"1"}


@pytest.mark.parametrize(
    "path",
    ["/api/v1/alerts", "/api/v1/rules", "/api/v1/query?query=ALERTS", "/metrics", "/api/v2/alerts",
     "/api/v2/alerts/groups", "/api/v1/label/odd/values", "/api/incidents", "/rules", "/"],
)  # fmt: skip
async def test_a_label_that_is_no_utf8_is_shown_as_prometheus_shows_it(
    daemon: Process, path: str
) -> None:
    await until_async(lambda: _rows(daemon, 'ALERTS{alertname="Odd"}'), what="the alert")
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=20) as client:
        answer = await client.get(f"{daemon.url}{path}")
    assert answer.status_code == 200, answer.text
    if path not in {"/api/incidents", "/rules", "/"}:
        assert "\ufffd☂" in answer.text


async def test_a_query_is_printed_as_prometheus_prints_it(daemon: Process) -> None:
    printed = await _data(daemon, "format_query", query="sum by(job)(rate(m [300s]))>1")
    assert printed == "sum by (job) (rate(m[5m])) > 1"


async def test_statistics_come_where_they_are_asked_for(daemon: Process) -> None:
    assert "stats" not in await _data(daemon, "query", query="app:up")
    stats = (await _data(daemon, "query", query="app:up + app:up", stats="all"))["stats"]
    assert stats["samples"] == {"totalQueryableSamples": 2}
    timings = stats["timings"]
    assert set(timings) == {
        "evalTotalTime", "queryPreparationTime", "execQueueTime", "execTotalTime",
    }  # fmt: skip
    assert 0 < timings["evalTotalTime"] <= timings["execTotalTime"]
    ranged = await _data(
        daemon, "query_range", query="app:up", start=0, end=10, step=1, stats="true"
    )
    assert ranged["stats"]["samples"] == {"totalQueryableSamples": 0}


@pytest.mark.parametrize(
    ("path", "params", "status", "kind"),
    [
        ("query", {"query": "sum("}, 400, "bad_data"),
        ("query", {}, 400, "bad_data"),
        ("query", {"query": "up", "time": "yesterday"}, 400, "bad_data"),
        ("query_range", {"query": "up", "start": 0, "end": 9, "step": 0}, 400, "bad_data"),
        ("query_range", {"query": "up", "start": 9, "end": 0, "step": 1}, 400, "bad_data"),
        ("query_range", {"query": "up", "start": 0, "end": 1e9, "step": 1}, 400, "bad_data"),
        ("query", {"query": 'label_replace(app:up, "a b", "", "", "(")'}, 400, "bad_data"),
        ("query", {"query": "app:up + on() group_left() {__name__=~'.+'}"}, 422, "execution"),
        ("series", {}, 400, "bad_data"),
        ("series", {"match[]": "sum(app:up)"}, 400, "bad_data"),
        ("rules", {"type": "x"}, 400, "bad_data"),
        ("metadata", {"limit": "x"}, 400, "bad_data"),
        ("query_exemplars", {"query": "up["}, 400, "bad_data"),
        ("format_query", {"query": "up["}, 400, "bad_data"),
        ("format_query", {}, 400, "bad_data"),
    ],
)
async def test_errors_have_prometheus_words(
    daemon: Process, path: str, params: dict[str, Any], status: int, kind: str
) -> None:
    answer = await _ask(daemon, path, **params)
    assert (answer.status_code, answer.json()["errorType"]) == (status, kind), answer.text


async def test_names_values_series_and_metadata_are_listed(daemon: Process) -> None:
    assert "probe" in await _data(daemon, "labels")
    assert await _data(daemon, "label/probe/values", **{"match[]": "probe_success"}) == ["app"]
    (series,) = await _data(daemon, "series", **{"match[]": "app:up"})
    assert series["job"] == "app"
    assert "probe_success" in await _data(daemon, "metadata")
    assert (await _data(daemon, "status/buildinfo"))["version"]


async def test_lists_are_limited_and_say_so(daemon: Process) -> None:
    answer = (await _ask(daemon, "labels", limit=1)).json()
    assert len(answer["data"]) == 1
    assert answer["warnings"] == ["results truncated due to limit"]
    assert len(await _data(daemon, "metadata", limit=1)) == 1
    always = {"start": "-292273086-05-16T16:47:06Z", "end": "292277025-08-18T07:12:54.999999999Z"}
    assert await _data(daemon, "series", **{"match[]": "app:up", **always})


async def test_rules_are_chosen_by_name_and_by_group(daemon: Process) -> None:
    found = await _data(daemon, "rules", **{"rule_name[]": "Up"})
    assert [[rule["name"] for rule in one["rules"]] for one in found["groups"]] == [["Up"]]
    assert (await _data(daemon, "rules", **{"rule_group[]": "none"}))["groups"] == []


async def test_rules_alerts_and_targets_are_shown(daemon: Process) -> None:
    groups = {one["name"]: one for one in (await _data(daemon, "rules"))["groups"]}
    kinds = {rule["name"]: rule["type"] for rule in groups["g"]["rules"]}
    assert kinds == {"app:up": "recording", "Up": "alerting", "Odd": "alerting"}
    pending = await until_async(lambda: _pending(daemon), what="a pending alert")
    assert pending[0]["state"] == "pending"
    (target,) = (await _data(daemon, "targets"))["activeTargets"]
    assert target["health"] == "up"


async def _pending(daemon: Process) -> list[dict[str, Any]]:
    found = (await _data(daemon, "alerts"))["alerts"]
    return [one for one in found if one["labels"]["alertname"] == "Up"]


async def test_a_query_over_everything_for_years_is_an_answer_not_a_stall(daemon: Process) -> None:
    answer = await _ask(
        daemon,
        "query",
        query='max_over_time(count_over_time({__name__=~".+"}[5y])[5y:1s])',
        timeout="1s",
    )
    assert answer.status_code in {422, 503}
    assert await daemon.ready()


@needs_peer("promtool")
async def test_promtool_asks_it_as_it_asks_prometheus(daemon: Process) -> None:
    said = promtool("query", "instant", daemon.url, "app:up")
    assert said.returncode == 0, said.stderr
    assert "app:up{" in said.stdout
    said = promtool("query", "labels", daemon.url, "job")
    assert said.returncode == 0, said.stderr
    said = promtool("query", "series", "--match=app:up", daemon.url)
    assert said.returncode == 0, said.stderr
    said = promtool("query", "range", "--step=1s", daemon.url, "app:up")
    assert said.returncode == 0, said.stderr
    assert json.dumps("app:up")[1:-1] in said.stdout
