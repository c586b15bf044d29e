"""A pipeline tells of a deploy: it is kept, drawn, and stands in what is open."""

from __future__ import annotations

import asyncio

import pytest
from click.testing import CliRunner

from stewardmon.cli import stewardmon
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from tests.support.site import TOKEN, Site


async def test_a_deploy_is_a_line_in_open_incidents_and_on_charts(site: Site) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    async with site.client(signed=True) as client:
        body = {"version": "1.5.0", "by": "ci", "note": "blue to green"}
        made = await client.post("/api/deploys", json=body)
        assert made.status_code == 201, made.text
        timeline = (await client.get(f"/api/incidents/{ident}")).json()["timeline"]
        (line,) = [one for one in timeline if one["kind"] == "deploy"]
        assert (line["who"], line["detail"]) == (
            "ci",
            "version 1.5.0 was deployed: blue to green",
        )
        (known,) = (await client.get("/api/deploys")).json()["deploys"]
        assert known == made.json()
        assert "deploy 1.5.0" in (await client.get("/probes/app")).text
        query = {"query": 'stewardmon_deployment_info{version="1.5.0"}'}
        found = (await client.get("/api/v1/query", params=query)).json()["data"]["result"]
        assert len(found) == 1


async def test_the_chart_of_an_incident_shows_the_deploys_before_it(site: Site) -> None:
    live = site.daemon.running.live
    now_ms = milliseconds(live.clock.now())
    course = [(now_ms - back * 15_000, 1.0) for back in range(20, 0, -1)]
    await site.daemon.history.write([(Labels({NAME: "pg_up", "probe": "standby"}), course)])
    for number in range(4):
        await live.deploys.mark(f"1.{number}", by="ci", note="a secret plan", now=live.clock.now())
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    async with site.client() as client:
        page = (await client.get(f"/incidents/{ident}")).text
    shown = [number for number in range(4) if f"version 1.{number} was deployed</title>" in page]
    assert shown == [1, 2, 3]


async def test_the_command_tells_it_too(site: Site) -> None:
    runner = CliRunner(env={"STEWARDMON_URL": site.url, "STEWARDMON_TOKEN": TOKEN})
    told = ["gate", "deployed", "2.0.0", "--note", "rollback"]
    result = await asyncio.to_thread(runner.invoke, stewardmon, told)
    assert (result.exit_code, "2.0.0 noted" in result.output) == (0, True), result.output
    (known,) = site.daemon.running.live.deploys.listed()
    assert (known.version, known.note) == ("2.0.0", "rollback")


async def test_a_deploy_survives_a_restart(site: Site) -> None:
    live = site.daemon.running.live
    await live.deploys.mark("1.5.0", by="ci", note="", now=live.clock.now())
    await site.daemon.restarts()
    assert [one.version for one in site.daemon.running.live.deploys.listed()] == ["1.5.0"]


@pytest.mark.parametrize(
    "body", [{}, {"version": ""}, {"version": "a b"}, {"version": 3}, {"versoin": "1"}]
)
async def test_what_is_no_version_is_refused(site: Site, body: dict[str, object]) -> None:
    async with site.client(signed=True) as client:
        assert (await client.post("/api/deploys", json=body)).status_code == 400
    async with site.client() as client:
        answer = await client.post("/api/deploys", json={"version": "1.5.0"})
        assert answer.status_code == 401
    assert site.daemon.running.live.deploys.listed() == ()
