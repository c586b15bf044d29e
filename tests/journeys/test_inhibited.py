"""The files say that one alert explains another: one page that names the cause and the rest."""

from __future__ import annotations

from tests.support.daemon import QUICK, posting

EXPLAINED = (
    QUICK
    + """
inhibit_rules:
  - source_matchers: ['alertname="Database Down"']
    target_matchers: ['job="app"']
    equal: [environment]
"""
)


async def test_the_cause_pages_and_the_symptom_is_shown_on_it() -> None:
    async with posting(oncall=EXPLAINED) as daemon:
        await daemon.fires("Database Down", job="database", environment="prod")
        await daemon.fires("App Errors", job="app", environment="prod")
        await daemon.restarts()
        await daemon.after(minutes=3, seconds=5)
        assert [one.title for one in daemon.incidents] == ["Database Down (database)"]
        assert daemon.said == ["page dev-a", "escalated senior"]
        _, _, page = daemon.pager.sent[-1]
        assert page.evidence == ("also affected: App Errors app",)


async def test_elsewhere_it_pages() -> None:
    async with posting(oncall=EXPLAINED) as daemon:
        await daemon.fires("Database Down", job="database", environment="prod")
        await daemon.fires("App Errors", job="app", environment="staging")
        assert daemon.said == ["page dev-a", "page dev-a"]


async def test_a_symptom_that_paged_first_rests_once_its_cause_is_known() -> None:
    async with posting(oncall=EXPLAINED) as daemon:
        await daemon.fires("App Errors", job="app", environment="prod")
        await daemon.fires("Database Down", job="database", environment="prod")
        await daemon.after(minutes=3, seconds=5)
        assert daemon.said == ["page dev-a", "page dev-a", "escalated senior"]
        assert daemon.incidents[0].muted_by.startswith("inhibition Database Down")
        await daemon.ends("Database Down", job="database", environment="prod")
        await daemon.after(minutes=1)
        assert daemon.said[-1] == "page dev-a"
        assert daemon.incidents[0].muted_by == ""
