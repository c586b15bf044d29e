"""Somebody wants an hour of peace: nobody is paged until then, and then anew."""

from __future__ import annotations

import pytest

from stewardmon.domain.answers import AnswerError
from tests.support.daemon import posting


async def test_a_snooze_rests_and_ends_by_itself() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.snooze(by="dev-a", minutes=10)
        await daemon.after(minutes=5)
        await daemon.restarts()
        await daemon.after(minutes=4, seconds=50)
        assert daemon.paged == ["L1"]
        await daemon.after(seconds=15)
        assert daemon.paged == ["L1", "L1"]
        await daemon.after(minutes=3)
        assert daemon.paged == ["L1", "L1", "L2"]
        story = await daemon.story()
        assert any(line.startswith("snoozed by dev-a: until 2026-11-23 12:10") for line in story)
        assert "snooze_ended: the snooze ended and alerts still fire" in story


async def test_what_ends_in_the_snooze_is_told_and_stays_over() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.snooze(by="dev-a", minutes=10)
        await daemon.ends("Down")
        await daemon.after(minutes=12)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_an_acknowledgement_ends_the_snooze() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        await daemon.snooze(by="dev-a", minutes=2)
        await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=5)
        assert daemon.paged == ["L1"]


async def test_a_snooze_into_the_past_is_refused() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        with pytest.raises(AnswerError, match="must end in the future"):
            await daemon.snooze(by="dev-a", minutes=-1)
