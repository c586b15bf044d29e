"""The files change while somebody is being paged: what has begun goes on as it began."""

from __future__ import annotations

import re

from stewardmon.errors import DeliveryError
from tests.support.daemon import QUICK, posting

LATER = QUICK.replace("after: 3m", "after: 5m")
OTHERS = QUICK.replace("page: [senior]", "page: [cto]")
WITHOUT_SENIOR = re.sub(r"  senior: .*\n", "", QUICK).replace("page: [senior]", "page: [lead]")
WITHOUT_PAGER = QUICK.replace("  pager: {kind: recorded}\n", "  phone: {kind: recorded}\n").replace(
    "channel: pager", "channel: phone"
)


async def test_the_incident_climbs_the_matrix_that_it_opened_with() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        assert await daemon.reload(oncall=LATER.replace("[senior]", "[cto]")) == ""
        await daemon.restarts()
        await daemon.after(minutes=3, seconds=5)
        assert daemon.said == ["page dev-a", "escalated senior"]


async def test_the_next_incident_climbs_the_new_one() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        assert await daemon.reload(oncall=OTHERS) == ""
        await daemon.resolve(by="dev-a")
        await daemon.fires("Other")
        await daemon.after(minutes=3, seconds=5)
        assert daemon.said[2:] == ["page dev-a", "escalated cto"]


async def test_a_person_deleted_while_being_waited_for_is_passed_over_at_once() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        assert await daemon.reload(oncall=WITHOUT_SENIOR) == ""
        await daemon.after(minutes=3, seconds=5)
        assert daemon.said == ["page dev-a", "escalated lead"]
        skipped = "level_skipped: level 2 (Senior developer) has nobody who can be reached now"
        assert skipped in await daemon.story()


async def test_a_person_deleted_while_being_paged_still_gets_that_page_and_its_end() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"senior": DeliveryError("503", temporary=True)}
        await daemon.fires("Down")
        await daemon.after(minutes=3, seconds=2)
        assert await daemon.reload(oncall=WITHOUT_SENIOR) == ""
        daemon.pager.fails.clear()
        await daemon.after(seconds=30)
        assert "escalated senior" in daemon.said
        await daemon.ends("Down")
        assert "resolved senior" in daemon.said


async def test_a_channel_that_is_gone_sends_the_page_over_what_there_is() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": DeliveryError("503", temporary=True)}
        await daemon.fires("Down")
        assert await daemon.reload(oncall=WITHOUT_PAGER) == ""
        await daemon.after(minutes=1)
        assert daemon.said[:1] == ["page a@x"]


async def test_a_file_that_does_not_load_changes_nothing() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        assert "oncall.yml" in await daemon.reload(oncall="channels: [")
        await daemon.after(minutes=3, seconds=5)
        heard = [to for _, to, one in daemon.pager.sent if one.title == "Down"]
        assert heard == ["dev-a", "senior"]
