"""Levels that nobody answers for: skipped at once, said, and never given up."""

from __future__ import annotations

from stewardmon.errors import DeliveryError
from tests.support.daemon import QUICK, posting

REFUSED = DeliveryError("the pager answered 410", temporary=False)
MUTE_DEVELOPER = QUICK.replace(
    "    contacts: [{channel: pager, to: dev-a}, {channel: mail, to: a@x}]\n", "    contacts: []\n"
)
NO_LEVELS = """
channels: {pager: {kind: recorded}}
people: {dev-a: {name: A, timezone: UTC, contacts: [{channel: pager, to: dev-a}]}}
policies: {matrix: {levels: []}}
routes: [{policy: matrix}]
"""


async def test_a_level_without_a_contact_is_skipped_at_once_and_the_timeline_says_so() -> None:
    async with posting(oncall=MUTE_DEVELOPER) as daemon:
        await daemon.fires("Down")
        assert daemon.said == ["escalated senior"]
        skipped = "level_skipped: level 1 (On-call developer) has nobody who can be reached now"
        assert skipped in await daemon.story()
        await daemon.after(minutes=5, seconds=50)
        assert daemon.said == ["escalated senior"]
        await daemon.after(seconds=15)
        assert daemon.said == ["escalated senior", "escalated lead"]


async def test_all_contacts_of_a_level_failing_moves_on_at_once_and_the_timeline_says_so() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": REFUSED, "a@x": REFUSED}
        await daemon.fires("Down")
        await daemon.after(seconds=2)
        assert daemon.said == ["escalated senior"]
        unreachable = "level_unreachable: level 1 could not be reached over any contact"
        assert unreachable in await daemon.story()


async def test_with_everybody_out_of_reach_it_begins_anew_until_somebody_hears() -> None:
    async with posting() as daemon:
        daemon.pager.fails = dict.fromkeys(("dev-a", "a@x", "senior", "lead", "cto"), REFUSED)
        await daemon.fires("Down")
        await daemon.after(minutes=12)
        assert daemon.said == []
        story = await daemon.story()
        anew = "nobody_reachable: no level is left that could be reached: the matrix begins anew"
        assert anew in story
        await daemon.restarts()
        daemon.pager.fails.clear()
        await daemon.after(minutes=5)
        assert "page dev-a" in daemon.said


async def test_a_matrix_with_no_levels_is_refused_and_the_one_in_force_goes_on() -> None:
    async with posting() as daemon:
        assert "levels" in await daemon.reload(oncall=NO_LEVELS)
        await daemon.fires("Down")
        await daemon.after(minutes=3, seconds=5)
        heard = [to for _, to, one in daemon.pager.sent if one.title == "Down"]
        assert heard == ["dev-a", "senior"]
