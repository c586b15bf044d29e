"""The line of stewardmon itself is cut: that is said once, and the world's pages wait."""

from __future__ import annotations

from stewardmon.domain.outcome import Reason
from tests.support.daemon import Daemon, running


def cut(daemon: Daemon) -> None:
    for target in (daemon.platform.app, daemon.platform.database, daemon.platform.openai):
        target.goes_down(Reason.DNS)


async def test_a_cut_line_is_one_page_and_the_world_waits() -> None:
    async with running() as daemon:
        await daemon.after(seconds=30)
        cut(daemon)
        await daemon.after(minutes=10)
        assert [one.title for one in daemon.incidents] == ["StewardmonOffline (stewardmon)"]
        assert daemon.paged == ["L1"]


async def test_what_is_still_down_when_the_line_is_back_pages() -> None:
    async with running() as daemon:
        await daemon.after(seconds=30)
        cut(daemon)
        await daemon.after(minutes=5)
        daemon.platform.app.comes_back()
        daemon.platform.openai.comes_back()
        await daemon.after(seconds=40)
        assert daemon.said == ["page dev-a", "resolved dev-a", "page dev-a"]
        assert daemon.incidents[-1].title == "Database Issues (database)"


async def test_windows_that_remember_the_cut_page_nobody() -> None:
    async with running() as daemon:
        await daemon.after(seconds=30)
        cut(daemon)
        await daemon.after(minutes=8)
        await daemon.restarts()
        await daemon.after(seconds=1)
        for target in (daemon.platform.app, daemon.platform.database, daemon.platform.openai):
            target.comes_back()
        await daemon.after(minutes=10)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_one_target_out_of_reach_is_not_our_line() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down(Reason.DNS)
        await daemon.after(seconds=70)
        assert [one.title for one in daemon.incidents] == ["Database Issues (database)"]
