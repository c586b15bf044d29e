"""The pager is out of order while it matters: nothing is lost, and nothing comes twice."""

from __future__ import annotations

from stewardmon.errors import DeliveryError
from tests.support.daemon import QUICK, running

BROKEN = DeliveryError("the pager answered 503", temporary=True)
REFUSED = DeliveryError("the pager answered 410", temporary=False)


async def test_an_outage_that_ends_before_anybody_was_reached_is_told_page_first() -> None:
    async with running() as daemon:
        daemon.pager.fails = {"dev-a": BROKEN, "a@x": BROKEN, "senior": BROKEN}
        daemon.pager.fails |= {"lead": BROKEN, "cto": BROKEN}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=62)
        daemon.platform.database.comes_back()
        await daemon.after(seconds=30)
        assert daemon.said == []
        daemon.pager.fails.clear()
        await daemon.after(minutes=10)
        heard = [what for what in daemon.said if what.endswith(" dev-a")]
        assert heard == ["page dev-a", "resolved dev-a"]


async def test_a_resolve_survives_a_failing_channel() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(seconds=62)
        daemon.pager.fails = {"dev-a": BROKEN}
        daemon.platform.database.comes_back()
        await daemon.after(seconds=30)
        assert daemon.said == ["page dev-a"]
        daemon.pager.fails.clear()
        await daemon.after(minutes=10)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_a_refused_page_reaches_the_person_over_the_next_contact_at_once() -> None:
    async with running() as daemon:
        daemon.pager.fails = {"dev-a": REFUSED}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=63)
        assert daemon.said == ["page a@x"]
        daemon.platform.database.comes_back()
        await daemon.after(seconds=3)
        assert daemon.said == ["page a@x", "resolved a@x"]


async def test_a_level_that_cannot_be_reached_at_all_moves_on_at_once() -> None:
    async with running() as daemon:
        daemon.pager.fails = {"dev-a": REFUSED, "a@x": REFUSED}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=64)
        assert daemon.said == ["escalated senior"]


async def test_an_acknowledgement_takes_back_what_is_still_being_tried() -> None:
    async with running() as daemon:
        daemon.pager.fails = {"dev-a": BROKEN}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=62)
        await daemon.acknowledge(by="dev-a")
        daemon.pager.fails.clear()
        await daemon.after(minutes=20)
        assert daemon.paged == []
        assert daemon.running.live.ledger.waiting() == ()


async def test_a_kill_at_any_moment_of_an_outage_changes_no_page() -> None:
    for kill_at in (30, 61, 62, 65, 241, 242, 280):  # level 2 is paged three minutes after level 1
        async with running(oncall=QUICK) as daemon:
            daemon.platform.database.goes_down()
            await daemon.after(seconds=kill_at)
            await daemon.restarts()
            await daemon.after(seconds=300 - kill_at)
            assert daemon.paged == ["L1", "L2"], kill_at
            assert len(daemon.incidents) == 1
