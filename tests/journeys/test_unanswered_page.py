"""The database dies at night and nobody answers, until somebody does."""

from __future__ import annotations

from tests.support.daemon import running
from tests.support.unhurried import calm


async def test_an_unanswered_page_climbs_the_matrix() -> None:
    async with running() as daemon:
        await daemon.after(seconds=30)
        daemon.platform.database.goes_down()
        await daemon.after(seconds=63)
        assert daemon.paged == ["L1"]
        await daemon.after(minutes=30)
        assert daemon.paged == ["L1", "L2"]
        await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=30)
        assert daemon.paged == ["L1", "L2"]
        daemon.platform.database.comes_back()
        await daemon.after(seconds=5)
        assert daemon.said[-2:] == ["resolved dev-a", "resolved senior"]


async def test_a_page_nobody_answers_repeats_at_the_last_level() -> None:
    async with calm() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(hours=3, minutes=5)
        assert daemon.paged == ["L1", "L2", "L3", "L4", "L4", "L4"]
