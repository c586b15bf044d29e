"""People take the wheel: escalate now, write it down, close it."""

from __future__ import annotations

import pytest

from stewardmon.domain.answers import AnswerError
from tests.support.daemon import posting


async def test_who_needs_help_pages_the_next_level_now_and_the_rest_keeps_its_time() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.after(minutes=1)
        await daemon.escalate(by="dev-a", reason="I cannot log in")
        await daemon.after(seconds=2)
        assert daemon.said == ["page dev-a", "escalated senior"]
        _, _, page = daemon.pager.sent[-1]
        assert (page.actor, page.reason) == ("dev-a", "I cannot log in")
        await daemon.after(minutes=4, seconds=50)
        assert daemon.said == ["page dev-a", "escalated senior"]
        await daemon.after(seconds=20)
        assert daemon.said == ["page dev-a", "escalated senior", "escalated lead"]
        assert "escalated_by_hand by dev-a: I cannot log in" in await daemon.story()


async def test_a_taken_incident_can_be_escalated_and_stays_taken() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.acknowledge(by="dev-a")
        await daemon.escalate(by="dev-a")
        await daemon.after(minutes=5)
        assert daemon.said == ["page dev-a", "escalated senior"]
        assert daemon.incidents[-1].acknowledged_by == "dev-a"


async def test_after_the_last_level_it_is_paged_once_more() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        for _ in range(4):
            await daemon.escalate(by="dev-a")
            await daemon.after(seconds=2)
        assert daemon.paged == ["L1", "L2", "L3", "L4", "L4"]


async def test_closed_by_hand_it_is_told_and_opens_only_when_it_has_ended_and_fires_anew() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.resolve(by="dev-a", reason="a false alarm")
        await daemon.after(minutes=5)
        await daemon.restarts()
        await daemon.after(minutes=5)
        assert daemon.said == ["page dev-a", "resolved dev-a"]
        assert "resolved by dev-a: a false alarm" in await daemon.story()
        await daemon.ends("Down")
        await daemon.after(minutes=3)
        await daemon.fires("Down")
        assert daemon.said == ["page dev-a", "resolved dev-a", "page dev-a"]
        assert len(daemon.incidents) == 2


async def test_notes_are_kept_by_whom_and_in_order() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.note(by="dev-a", text="the disk is full")
        await daemon.restarts()
        await daemon.note(by="lead", text="ordered a new one")
        kinds = [line for line in await daemon.story() if line.startswith("note")]
        assert kinds == ["note by dev-a: the disk is full", "note by lead: ordered a new one"]
        with pytest.raises(AnswerError, match="a note needs some text"):
            await daemon.note(by="dev-a", text=" ")
