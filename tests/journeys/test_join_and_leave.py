"""Alerts of one cause become one incident: they gather, join, get worse, and leave one by one."""

from __future__ import annotations

from tests.support.daemon import QUICK, posting

BY_JOB = QUICK.replace("  - {policy: matrix}", "  - {policy: matrix, group_by: [job]}")
GATHERING = QUICK.replace("  - {policy: matrix}", "  - {policy: matrix, group_wait: 20s}")


async def test_a_second_alert_joins_without_a_page_and_the_last_one_ends_it() -> None:
    async with posting() as daemon:
        await daemon.fires("Down", instance="a")
        await daemon.fires("Down", instance="b")
        await daemon.restarts()
        await daemon.fires("Down", instance="c")
        assert daemon.said == ["page dev-a"]
        assert len(daemon.incidents[0].alerts) == 3
        await daemon.ends("Down", instance="a")
        await daemon.ends("Down", instance="c")
        assert daemon.said == ["page dev-a"]
        await daemon.ends("Down", instance="b")
        assert daemon.said == ["page dev-a", "resolved dev-a"]
        kinds = [line.partition(":")[0] for line in await daemon.story()]
        assert kinds == [
            "opened", "paged", "alert_joined", "alert_joined", "alert_left", "alert_left",
            "alert_left", "resolved",
        ]  # fmt: skip


async def test_a_route_groups_by_what_it_names() -> None:
    async with posting(oncall=BY_JOB) as daemon:
        await daemon.fires("Down", job="app")
        await daemon.fires("Slow", job="app")
        await daemon.fires("Slow", job="shop")
        assert [one.group_key.partition(":")[2] for one in daemon.incidents] == [
            '{job="app"}', '{job="shop"}'
        ]  # fmt: skip
        assert daemon.said == ["page dev-a", "page dev-a"]


async def test_a_critical_page_never_waits_and_a_warning_gathers_for_half_a_minute() -> None:
    async with posting() as daemon:
        await daemon.fires("Slow", severity="warning", instance="a")
        await daemon.after(seconds=20)
        await daemon.fires("Slow", severity="warning", instance="b")
        assert daemon.said == []
        await daemon.fires("Down")
        assert daemon.said == ["page dev-a"]
        await daemon.after(seconds=10)
        assert daemon.said == ["page dev-a", "page dev-a"]
        _, _, gathered = daemon.pager.sent[-1]
        assert len(gathered.alerts) == 2


async def test_what_is_over_before_the_gathering_ends_pages_nobody() -> None:
    async with posting() as daemon:
        await daemon.fires("Slow", severity="warning")
        await daemon.ends("Slow", severity="warning")
        await daemon.after(minutes=2)
        assert daemon.said == []


async def test_a_route_may_gather_critical_alerts_too_when_it_says_so() -> None:
    async with posting(oncall=GATHERING) as daemon:
        await daemon.fires("Down", instance="a")
        await daemon.restarts()
        await daemon.after(seconds=15)
        assert daemon.said == []
        await daemon.after(seconds=6)
        assert daemon.said == ["page dev-a"]
