"""Somebody asks for silence: before a page, after a page, and it ends while the alert fires."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.incident import EventKind
from stewardmon.domain.labels import Matcher, Op
from stewardmon.domain.silence import Silence
from stewardmon.engine.past_quiet import Past
from tests.support.daemon import Daemon, posting, running
from tests.support.unhurried import calm


async def silence(daemon: Daemon, **time: float) -> Silence:
    now = daemon.clock.now()
    return await daemon.running.live.silences.put(
        Silence(
            id="",
            matchers=(Matcher("job", Op.EQUAL, "database"),),
            starts_at=now,
            ends_at=now + timedelta(**time),
            updated_at=now,
            created_by="dev-a",
            comment="moving the disk",
        ),
        now=now,
    )


async def test_a_silence_that_ends_while_the_alert_fires_lets_it_page() -> None:
    async with running() as daemon:
        await silence(daemon, minutes=30)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=29, seconds=55)
        assert daemon.said == []
        await daemon.after(seconds=10)
        assert daemon.said == ["page dev-a"]


async def test_a_silence_after_the_page_lets_the_escalation_rest() -> None:
    async with calm() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        assert daemon.said == ["page dev-a"]
        await silence(daemon, hours=2)
        await daemon.after(minutes=90)
        assert daemon.said == ["page dev-a"]
        daemon.platform.database.comes_back()
        await daemon.after(seconds=25)
        assert daemon.said == ["page dev-a", "resolved dev-a"]


async def test_the_matrix_begins_anew_when_the_silence_is_taken_back() -> None:
    async with calm() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=40)
        assert daemon.paged == ["L1", "L2"]
        known = await silence(daemon, hours=2)
        await daemon.after(minutes=40)
        await daemon.running.live.silences.expire(known.id, now=daemon.clock.now())
        await daemon.after(seconds=25)
        assert daemon.paged == ["L1", "L2", "L1"]


async def test_a_silence_outlives_a_restart() -> None:
    async with running() as daemon:
        await silence(daemon, hours=1)
        daemon.platform.database.goes_down()
        await daemon.after(minutes=10)
        await daemon.restarts()
        await daemon.after(minutes=10)
        assert daemon.said == []


async def test_the_timeline_says_that_a_silence_ends_soon() -> None:
    async with calm() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        known = await silence(daemon, hours=1)
        await daemon.after(minutes=49)
        await daemon.restarts()
        await daemon.after(minutes=2)
        await daemon.restarts()
        await daemon.after(minutes=5)
        told = [one.detail for one in await daemon.timeline() if one.kind is EventKind.NOTE]
        assert len(told) == 1
        assert told[0].startswith(f"silence {known.id} ends soon: moving the disk (by dev-a")


async def test_what_is_over_is_kept_a_month_for_replays() -> None:
    async with posting() as daemon:
        live = daemon.running.live
        known = await silence(daemon, hours=1)
        start = daemon.clock.now()
        await live.silences.tend(now=start + timedelta(days=6, hours=2))
        assert live.silences.listed() == ()
        await daemon.restarts()
        saved = (await daemon.store.load()).records
        assert [one.id for one in Past.of(saved).silences] == [known.id]
        await daemon.running.live.silences.tend(now=start + timedelta(days=31))
        assert Past.of((await daemon.store.load()).records).silences == ()
