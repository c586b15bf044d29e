"""The disk is full while it matters: pages go out from memory, and nothing comes twice after."""

from __future__ import annotations

from stewardmon.domain.incident import EventKind, IncidentState
from stewardmon.domain.notification import DeliveryState
from stewardmon.errors import DeliveryError
from tests.support.daemon import Daemon, running
from tests.support.failing import FailingStore
from tests.support.unhurried import calm

OURS = "StewardmonStoreFailing"


def about(daemon: Daemon, title: str) -> list[str]:
    return [f"{one.event.value} {to}" for _, to, one in daemon.pager.sent if title in one.title]


async def test_an_outage_pages_climbs_and_ends_without_a_disk() -> None:
    store = FailingStore()
    async with calm(store=store) as daemon:
        await daemon.after(seconds=20)
        store.full = True
        daemon.platform.database.goes_down()
        await daemon.after(minutes=32)
        assert about(daemon, "Database") == ["page dev-a", "escalated senior"]
        daemon.platform.database.comes_back()
        await daemon.after(seconds=25)
        assert sorted(about(daemon, "Database")[2:]) == ["resolved dev-a", "resolved senior"]


async def test_readiness_says_so_and_it_is_a_page_of_its_own() -> None:
    store = FailingStore()
    async with running(store=store) as daemon:
        await daemon.after(seconds=10)
        assert daemon.running.live.ready() == (True, "ready")
        store.full = True
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        ready, why = daemon.running.live.ready()
        assert not ready
        assert "the disk is full: free some space" in why
        assert about(daemon, OURS) == ["page dev-a"]
        store.full = False
        await daemon.after(seconds=20)
        assert daemon.running.live.ready() == (True, "ready")
        assert about(daemon, OURS) == ["page dev-a", "resolved dev-a"]


async def test_with_room_again_it_catches_up_and_sends_nothing_twice() -> None:
    store = FailingStore()
    async with running(store=store) as daemon:
        store.full = True
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        store.full = False
        await daemon.after(seconds=10)
        await daemon.restarts()
        await daemon.after(minutes=5)
        assert about(daemon, "Database") == ["page dev-a"]
        [outage] = [one for one in daemon.incidents if "Database" in one.title]
        told = await store.events(outage.id)
        kinds = [one.kind for one in told if one.kind is not EventKind.EVIDENCE]
        assert kinds == [EventKind.OPENED, EventKind.PAGED, EventKind.SENT]
        [row] = await store.deliveries(outage.id)
        assert row.state is DeliveryState.SENT


async def test_an_acknowledgement_without_a_disk_holds_and_is_kept_once_there_is_one() -> None:
    store = FailingStore()
    async with calm(store=store) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        store.full = True
        taken = await daemon.acknowledge(by="dev-a")
        await daemon.after(minutes=40)
        assert about(daemon, "Database") == ["page dev-a"]
        store.full = False
        await daemon.after(seconds=20)
        kept = await store.incident(taken.id)
        assert kept is not None
        assert kept.state is IncidentState.ACKNOWLEDGED


async def test_what_was_being_tried_when_the_disk_filled_is_tried_on() -> None:
    store = FailingStore()
    async with running(store=store) as daemon:
        daemon.pager.fails = {"dev-a": DeliveryError("503", temporary=True)}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=62)
        store.full = True
        await daemon.after(seconds=20)
        daemon.pager.fails.clear()
        await daemon.after(minutes=5)
        assert about(daemon, "Database").count("page dev-a") == 1
        store.full = False
        await daemon.after(minutes=5)
        assert about(daemon, "Database").count("page dev-a") == 1
        assert daemon.running.live.ledger.waiting() == ()


async def test_what_was_taken_back_without_a_disk_stays_taken_back() -> None:
    store = FailingStore()
    async with running(store=store) as daemon:
        daemon.pager.fails = {one: DeliveryError("503", temporary=True) for one in ("dev-a", "a@x")}
        daemon.platform.database.goes_down()
        await daemon.after(seconds=62)
        store.full = True
        await daemon.acknowledge(by="lead")
        daemon.pager.fails.clear()
        await daemon.after(minutes=3)
        store.full = False
        await daemon.after(minutes=10)
        await daemon.restarts()
        await daemon.after(minutes=5)
        assert about(daemon, "Database") == []
