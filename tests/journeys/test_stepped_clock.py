"""Somebody sets the machine's clock an hour forward or back in the middle of an escalation."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from stewardmon.clock import SteadyClock
from tests.support.daemon import running
from tests.support.virtual import VirtualClock


class Stepped(VirtualClock):
    """The daemon's steady clock over a machine's clock that `step` sets."""

    def __init__(self) -> None:
        super().__init__()
        self._steady = SteadyClock(wall=super().now, steady=self.monotonic)

    def now(self) -> datetime:
        return self._steady.now()


@pytest.mark.parametrize("hours", [1, -1])
async def test_it_pages_nobody_early_nobody_late_and_nobody_twice(hours: int) -> None:
    async with running(clock=Stepped()) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        assert daemon.paged == ["L1"]
        daemon.clock.step(timedelta(hours=hours))
        await daemon.after(minutes=25)
        assert daemon.paged == ["L1"]
        await daemon.after(minutes=7)  # five of a hundred more or less, while it catches up
        assert daemon.paged == ["L1", "L2"]
        daemon.platform.database.comes_back()
        await daemon.after(minutes=1)
        assert sorted(daemon.said[2:]) == ["resolved dev-a", "resolved senior"]
        assert len(daemon.incidents) == 1
