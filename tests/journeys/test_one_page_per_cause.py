"""The database dies and takes the app with it: one page, and it names the database."""

from __future__ import annotations

from stewardmon.domain.incident import EventKind
from tests.support.daemon import running

DATABASE = '  - {name: "Database Issues", condition: db_connection_failed, duration: 1m}'
APP = """
alerts:
  - {name: "Database Issues", condition: db_connection_failed, duration: 1m}
  - {name: "App Errors", condition: "error_rate[10s] > 50%", duration: 10s, depends_on: [database]}
"""
PROBES = """
defaults: {interval: 1s, timeout: 500ms}
probes:
  - {name: app, kind: scripted, job: app, target: app}
  - {name: database, kind: scripted, job: database, target: database}
"""
DEPENDENT_PROBE = PROBES.replace("target: app}", "target: app, depends_on: [database]}")
GROUPS = """
groups:
  - name: g
    rules:
    - {alert: "Database Issues", expr: 'pg_up == 0', for: 1m}
    - {alert: "App Errors", expr: 'probe_success{job="app"} == 0', for: 10s}
    - alert: "App Unsteady"
      expr: '1 - avg by (job) (avg_over_time(probe_success{job="app"}[5m])) > 0.05'
      for: 30s
"""


async def test_the_app_fails_because_the_database_does() -> None:
    async with running(alerts=APP, probes=PROBES) as daemon:
        await daemon.after(seconds=30)
        daemon.platform.database.goes_down()
        daemon.platform.app.goes_down()
        await daemon.after(seconds=50)
        assert daemon.paged == []
        await daemon.after(seconds=15)
        assert daemon.paged == ["L1"]
        assert [one.title for one in daemon.incidents] == ["Database Issues (database)"]
        await daemon.after(minutes=20)
        assert len(daemon.incidents) == 1
        [cause] = daemon.incidents
        assert cause.symptoms == ("App Errors app",)
        said = [one.detail for one in await daemon.timeline() if one.kind is EventKind.SYMPTOM]
        assert said == ["App Errors app: explained by Database Issues (database)"]
        daemon.platform.database.comes_back()
        daemon.platform.app.comes_back()
        await daemon.after(minutes=5)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_a_symptom_that_outlives_its_cause_pages() -> None:
    async with running(alerts=APP, probes=PROBES) as daemon:
        daemon.platform.database.goes_down()
        daemon.platform.app.goes_down()
        await daemon.after(minutes=3)
        daemon.platform.database.comes_back()
        await daemon.after(seconds=35)
        assert daemon.paged == ["L1"]
        await daemon.after(seconds=10)
        assert daemon.paged == ["L1", "L1"]
        assert daemon.incidents[-1].title == "App Errors (app)"


async def test_without_its_cause_the_symptom_pages_at_once() -> None:
    async with running(alerts=APP, probes=PROBES) as daemon:
        await daemon.after(seconds=10)
        daemon.platform.app.goes_down()
        await daemon.after(seconds=20)
        assert daemon.paged == ["L1"]


async def test_a_symptom_does_not_wait_for_ever_for_a_cause_without_a_rule() -> None:
    without = APP.replace(DATABASE, "")
    async with running(alerts=without, probes=PROBES) as daemon:
        daemon.platform.database.goes_down()
        daemon.platform.app.goes_down()
        await daemon.after(seconds=60)
        assert daemon.paged == []
        await daemon.after(seconds=20)
        assert daemon.paged == ["L1"]


async def test_a_window_that_still_remembers_the_outage_pages_nobody() -> None:
    async with running(alerts=GROUPS, probes=DEPENDENT_PROBE) as daemon:
        daemon.platform.database.goes_down()
        daemon.platform.app.goes_down()
        await daemon.after(minutes=4)
        assert daemon.paged == ["L1"]
        daemon.platform.database.comes_back()
        daemon.platform.app.comes_back()
        await daemon.after(minutes=10)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_a_restart_in_the_middle_changes_no_page() -> None:
    async with running(alerts=APP, probes=PROBES) as daemon:
        daemon.platform.database.goes_down()
        daemon.platform.app.goes_down()
        for _ in range(12):
            await daemon.after(seconds=17)
            await daemon.restarts()
        await daemon.after(minutes=5)
        assert daemon.paged == ["L1"]
        assert len(daemon.incidents) == 1
