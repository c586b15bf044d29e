"""Somebody sets the machine's clock by an hour in the middle of an escalation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stewardmon.domain.incident import Incident
from tests.support.daemon import Daemon, running

HOUR = timedelta(hours=1)


def titled(daemon: Daemon, title: str) -> list[Incident]:
    return [one for one in daemon.incidents if one.title.startswith(title)]


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_levels_keep_their_distance(step: timedelta) -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=10)
        daemon.clock.step(step)
        await daemon.after(minutes=18)
        pages = [what for what in daemon.said if "Clock" not in what]
        assert pages.count("page dev-a") - len(titled(daemon, "StewardmonClock")) == 1
        assert "escalated senior" not in daemon.said
        await daemon.after(minutes=5)
        assert daemon.said.count("escalated senior") == 1
        assert "escalated lead" not in daemon.said


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_an_outage_that_is_going_on_stays_one_incident(step: timedelta) -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        daemon.clock.step(step)
        await daemon.after(minutes=6)
        assert len(titled(daemon, "Database")) == 1
        daemon.platform.database.comes_back()
        await daemon.after(minutes=1)
        assert not titled(daemon, "Database")[0].open


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_an_outage_after_the_step_pages_in_its_time(step: timedelta) -> None:
    async with running() as daemon:
        await daemon.after(minutes=1)
        daemon.clock.step(step)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=55)
        assert titled(daemon, "Database") == []
        await daemon.after(seconds=15)
        assert len(titled(daemon, "Database")) == 1


async def test_it_is_said_that_the_clock_was_set() -> None:
    async with running() as daemon:
        await daemon.after(minutes=1)
        daemon.clock.step(HOUR)
        await daemon.after(minutes=1)
        [told] = titled(daemon, "StewardmonClockStepped")
        assert told.severity == "warning"
