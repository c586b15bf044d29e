"""A deploy is announced: what breaks in the window pages nobody, what stays broken does."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.maintenance import Maintenance, Once
from tests.support.daemon import ONCALL, Daemon, running
from tests.support.unhurried import calm

# Every journey starts on Monday at noon UTC, 13:00 in Berlin.
WEEKLY = (
    ONCALL
    + """
maintenance:
  - name: deploys
    match: {job: database}
    days: [Mon]
    from: "13:05"
    to: "13:35"
    timezone: Europe/Berlin
"""
)


async def announce(daemon: Daemon, **time: float) -> Maintenance:
    now = daemon.clock.now()
    window = Maintenance(
        id="",
        name="deploy 1.4",
        matchers=(Matcher("job", Op.EQUAL, "database"),),
        span=Once(now, now + timedelta(**time)),
        created_by="ci",
    )
    return await daemon.running.live.silences.open_window(window, now=now)


async def test_what_heals_within_the_window_pages_nobody() -> None:
    async with calm() as daemon:
        await announce(daemon, minutes=20)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=15)
        daemon.platform.database.comes_back()
        await daemon.after(hours=1)
        assert daemon.said == []


async def test_what_is_broken_after_the_window_pages() -> None:
    async with running() as daemon:
        await announce(daemon, minutes=20)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=19)
        await daemon.restarts()
        assert daemon.said == []
        await daemon.after(minutes=1, seconds=5)
        assert daemon.said == ["page dev-a"]


async def test_a_deploy_that_ends_early_closes_its_window() -> None:
    async with running() as daemon:
        window = await announce(daemon, hours=3)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=10)
        await daemon.running.live.silences.close_window(window.id, now=daemon.clock.now())
        await daemon.after(seconds=3)
        assert daemon.said == ["page dev-a"]


async def test_a_weekly_window_opens_and_closes_by_the_clock_of_its_zone() -> None:
    async with calm(oncall=WEEKLY) as daemon:
        await daemon.after(minutes=6)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=28)
        assert daemon.said == []
        await daemon.after(minutes=1, seconds=25)
        assert daemon.said == ["page dev-a"]


async def test_the_rest_of_the_world_still_pages_in_the_window() -> None:
    other = WEEKLY.replace("job: database", "job: somewhere-else")
    async with running(oncall=other) as daemon:
        await daemon.after(minutes=6)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        assert daemon.said == ["page dev-a"]
