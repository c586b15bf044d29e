"""The reports page, one report, and tasks: for people without JavaScript, and for programs."""

from __future__ import annotations

import re

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.report import ReportKind
from tests.support.site import Site


async def test_a_report_is_listed_shown_and_found_by_programs(site: Site) -> None:
    live = site.daemon.running.live
    series = Labels({NAME: "probe_success", "probe": "app", "job": "app"})
    await live.history.write([(series, [(milliseconds(live.clock.now()) - 60_000, 1.0)])])
    report = await live.reports.reporter.make(
        ReportKind.DAILY, live.clock.now(), zone=live.reports.office.zone
    )
    await live.ledger.commit(live.reports.keep(report))
    async with site.client() as client:
        listed = await client.get("/reports")
        shown = await client.get(f"/reports/{report.id}")
        made = await client.get("/api/reports/weekly")
        kept = await client.get("/api/reports")
        missing = await client.get("/reports/none")
        wrong = [
            (await client.get(path)).status_code
            for path in (
                "/api/reports/yearly",
                "/api/reports/daily?at=x",
                "/api/reports/daily?at=2999-01-01T00:00:00Z",
            )
        ]
    assert f'href="/reports/{report.id}"' in listed.text
    assert 'aria-current="page">Reports' in listed.text
    assert "Availability and errors" in shown.text
    assert "app: available" in shown.text
    assert made.json()["kind"] == "weekly"
    assert kept.json()["reports"] == [{"id": report.id, "title": report.title}]
    assert missing.status_code == 404
    assert wrong == [404, 400, 400]


async def test_a_task_is_marked_as_done_by_a_form_and_by_a_program(site: Site) -> None:
    async with site.client(signed=True) as client:
        page = await client.get("/reports")
        token = re.search(r'name="csrf" value="([^"]*)"', page.text)
        assert token is not None
        answer = await client.post(
            "/reports/tasks/security-audit/done",
            data={"csrf": token[1], "by": "dev-a"},
            headers={"Origin": site.url},
        )
        assert answer.status_code == 303
        done = await client.post(
            "/api/tasks/dependencies/done", json={"by": "dev-b", "note": "all"}
        )
        unknown = await client.post("/api/tasks/sweep/done", json={})
        tasks = {one["id"]: one for one in (await client.get("/api/tasks")).json()["tasks"]}
    async with site.client() as stranger:
        refused = await stranger.post("/api/tasks/dependencies/done", json={})
    assert tasks["security-audit"]["done_by"]
    assert done.json() == tasks["dependencies"]
    assert (tasks["dependencies"]["done_by"], tasks["dependencies"]["note"]) == ("dev-b", "all")
    assert (unknown.status_code, refused.status_code) == (404, 401)
