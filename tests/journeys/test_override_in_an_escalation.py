"""Somebody takes over in the middle of an escalation: the next page goes to them."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.oncall import Override
from tests.support.daemon import ONCALL, running
from tests.support.unhurried import calm

ROTATION = ONCALL.replace("page: [senior]", "page: [seniors]") + (
    """
rotations:
  seniors: {people: [senior, lead], timezone: UTC, handover: "Mon 09:00", start: 2026-11-23}
"""
)


async def test_an_override_that_begins_in_the_middle_gets_the_next_page() -> None:
    async with calm(oncall=ROTATION) as daemon:
        now = daemon.clock.now()
        await daemon.running.live.rota.add(
            Override(
                rotation="seniors",
                person="cto",
                start=now + timedelta(minutes=20),
                end=now + timedelta(hours=4),
            ),
            now=now,
        )
        daemon.platform.database.goes_down()
        await daemon.after(minutes=10)
        assert daemon.said == ["page dev-a"]
        await daemon.restarts()
        await daemon.after(minutes=22)
        assert daemon.said == ["page dev-a", "escalated cto"]


async def test_without_it_the_rotation_says_who() -> None:
    async with calm(oncall=ROTATION) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=32)
        assert daemon.said == ["page dev-a", "escalated senior"]


async def test_a_reload_keeps_what_was_set_at_run_time() -> None:
    async with running(oncall=ROTATION) as daemon:
        now = daemon.clock.now()
        rota = daemon.running.live.rota
        await rota.swap("seniors", now, now + timedelta(days=7), now=now)
        assert rota.roster.on_call("seniors", now) == "lead"
        assert rota.roster.on_call("seniors", now + timedelta(days=7)) == "senior"
        assert await daemon.reload() == ""
        assert rota.roster.on_call("seniors", now) == "lead"
