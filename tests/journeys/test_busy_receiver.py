"""The receiver has its troubles: told to wait it is given time, out of order it is left alone."""

from __future__ import annotations

from itertools import pairwise

from stewardmon.domain.incident import EventKind
from stewardmon.errors import DeliveryError
from tests.support.daemon import QUICK, Daemon, posting

BROKEN = DeliveryError("the pager answered 500", temporary=True)
BUSY = DeliveryError("the pager answered 429", temporary=True, retry_after=120)
REFUSED = DeliveryError("the pager answered 400", temporary=False)
ONE_CONTACT = QUICK.replace(", {channel: mail, to: a@x}", "")
SLOW = QUICK.replace("pager: {kind: recorded}", "pager: {kind: recorded, per_minute: 2}")


async def tried(daemon: Daemon) -> list[float]:
    """Return after how many seconds each attempt at the first page failed."""
    events = await daemon.timeline()
    return [
        round((one.at - events[0].at).total_seconds(), 1)
        for one in events
        if one.kind is EventKind.RETRYING
    ]


async def test_waits_grow_and_stay_within_their_bounds() -> None:
    async with posting(oncall=ONE_CONTACT) as daemon:
        daemon.pager.fails = dict.fromkeys(("dev-a", "senior", "lead", "cto"), BROKEN)
        await daemon.fires("Down")
        await daemon.snooze(by="lead", minutes=1)  # only the first page is of interest
        await daemon.after(seconds=65)
        times = await tried(daemon)
        waits = [later - earlier for earlier, later in pairwise(times)]
        assert times
        assert all(wait >= 4.9 for wait in waits)


async def test_a_receiver_that_asks_for_two_minutes_gets_them_and_the_page_goes_elsewhere() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": BUSY}
        await daemon.fires("Down")
        await daemon.after(seconds=110)
        assert daemon.pager.tries == 1
        await daemon.after(seconds=15)
        assert daemon.pager.tries == 3  # once more there, and once to the next contact
        assert daemon.said == ["page a@x"]


async def test_a_refusal_is_not_repeated_and_the_next_contact_is_called_at_once() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": REFUSED}
        await daemon.fires("Down")
        assert daemon.said == ["page a@x"]
        await daemon.after(minutes=2)
        assert daemon.pager.tries == 2
        failed = [one for one in await daemon.timeline() if one.kind is EventKind.FAILED]
        assert [one.detail for one in failed] == [
            "page to dev-a over pager, attempt 1: the pager answered 400"
        ]


async def test_a_channel_that_fails_again_and_again_rests_and_then_tries_once() -> None:
    async with posting(oncall=ONE_CONTACT) as daemon:
        people = ("dev-a", "senior", "lead", "cto")
        daemon.pager.fails = dict.fromkeys(people, BROKEN)
        for name in "abcdefgh":
            await daemon.fires(name)
        await daemon.after(seconds=40)
        before = daemon.pager.tries
        await daemon.after(seconds=50)
        assert daemon.pager.tries - before <= 6  # eight incidents would have made dozens
        daemon.pager.fails.clear()
        await daemon.after(minutes=2)
        heard = {one.title for _, _, one in daemon.pager.sent}
        assert heard == set("abcdefgh")


async def test_a_rate_limit_holds_back_reminders_but_never_a_first_page() -> None:
    async with posting(oncall=SLOW) as daemon:
        for name in "abcdef":
            await daemon.fires(name)
        assert daemon.said == ["page dev-a"] * 6
        for name in "abcdef":
            await daemon.ends(name)
        assert "resolved dev-a" not in daemon.said
        await daemon.restarts()
        await daemon.after(minutes=6)
        assert daemon.said.count("resolved dev-a") == 6


async def test_the_receipt_stands_in_the_timeline() -> None:
    async with posting() as daemon:
        await daemon.fires("Down")
        [sent] = [one for one in await daemon.timeline() if one.kind is EventKind.SENT]
        assert sent.detail == "page to dev-a over pager, attempt 1: recorded"


async def test_an_answer_that_hangs_keeps_no_page_back() -> None:
    async with posting() as daemon:
        daemon.pager.fails = {"dev-a": BROKEN}
        await daemon.fires("Down")
        assert daemon.pager.tries == 1
        daemon.pager.fails = {}
        async with daemon.running.live.responder.turns.turn(person=True):
            await daemon.after(seconds=10)
            assert daemon.said == ["page dev-a"]
