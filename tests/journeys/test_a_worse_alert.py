"""How bad it is decides whom it reaches: warnings stop low, a worse alert begins anew."""

from __future__ import annotations

from tests.support.daemon import QUICK, posting, running

STARTS_HIGHER = """
alerts:
  - {name: "Database Issues", condition: "db_connection_failed", duration: "5s", level: 3}
"""


async def test_a_warning_stops_at_the_level_its_route_names() -> None:
    async with posting() as daemon:
        await daemon.fires("Slow", severity="warning")
        await daemon.after(minutes=8)
        assert set(daemon.said) == {"page dev-a", "reminder dev-a"}
        assert set(daemon.paged) == {"L1"}


async def test_a_rule_may_start_higher_and_the_levels_above_keep_their_distance() -> None:
    async with running(alerts=STARTS_HIGHER, oncall=QUICK) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=10)
        assert daemon.said == ["page lead"]
        await daemon.after(minutes=5, seconds=50)
        assert daemon.said == ["page lead"]
        await daemon.after(seconds=15)
        assert daemon.said == ["page lead", "escalated cto"]


async def test_a_worse_alert_pages_whoever_had_taken_the_lesser() -> None:
    both = QUICK.replace("  - {match: {severity: warning}, policy: matrix, levels: [1]}\n", "")
    async with posting(oncall=both) as daemon:
        await daemon.fires("Slow", severity="warning")
        await daemon.after(seconds=31)
        await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=1)
        assert daemon.said == ["page dev-a"]
        await daemon.fires("Slow", severity="critical")
        assert daemon.said == ["page dev-a", "page dev-a"]
        assert daemon.incidents[-1].severity == "critical"
        raised = "severity_raised: from warning to critical; dev-a had the lesser"
        assert raised in await daemon.story()
        await daemon.after(minutes=3)
        assert daemon.said[-1] == "escalated senior"
