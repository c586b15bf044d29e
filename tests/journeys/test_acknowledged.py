"""Somebody says that they have it: everything stops, others are told, and it is not forgotten."""

from __future__ import annotations

import pytest

from stewardmon.domain.answers import AnswerError
from stewardmon.errors import DeliveryError
from tests.support.daemon import posting


async def test_it_stops_at_once_and_those_who_were_paged_are_told_who_and_why() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.after(minutes=3, seconds=5)
        assert daemon.said == ["page dev-a", "escalated senior"]
        taken = await daemon.acknowledge(by="dev-a", reason="restarting the pool")
        await daemon.after(seconds=2)
        assert (taken.acknowledged_by, taken.next_step_at is not None) == ("dev-a", True)
        assert daemon.said[2:] == ["acknowledged senior"]
        _, _, told = daemon.pager.sent[-1]
        assert (told.actor, told.reason) == ("dev-a", "restarting the pool")
        assert "acknowledged by dev-a: restarting the pool" in await daemon.story()


async def test_what_is_acknowledged_and_left_alone_pages_again_from_the_beginning() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=5, seconds=50)
        await daemon.restarts()
        assert daemon.paged == ["L1"]
        await daemon.after(seconds=15)
        assert daemon.paged == ["L1", "L1"]
        await daemon.after(minutes=3)
        assert daemon.paged == ["L1", "L1", "L2"]
        timed_out = "acknowledgement_timed_out: acknowledged by dev-a, but alerts still fire"
        assert timed_out in await daemon.story()


async def test_what_was_acknowledged_and_ends_is_told_and_never_paged_again() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=2)
        await daemon.ends("Down")
        await daemon.after(minutes=15)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_given_back_it_climbs_from_the_beginning_at_once() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=1)
        back = await daemon.unacknowledge(by="dev-a", reason="on a train")
        await daemon.after(seconds=2)
        assert back.acknowledged_by == ""
        assert daemon.paged == ["L1", "L1"]
        await daemon.after(minutes=3)
        assert daemon.paged == ["L1", "L1", "L2"]
        assert "unacknowledged by dev-a: on a train" in await daemon.story()
        with pytest.raises(AnswerError, match="is not acknowledged"):
            await daemon.unacknowledge(by="dev-a")


async def test_an_acknowledgement_while_the_page_is_still_tried_takes_the_page_back() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {one: DeliveryError("503", temporary=True) for one in ("dev-a", "a@x")}
        await daemon.fires("Down")
        await daemon.acknowledge(by="lead")
        daemon.pager.fails.clear()
        await daemon.after(minutes=5)
        assert daemon.paged == []
