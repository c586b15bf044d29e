"""The delivery loop stops in the middle of an outage: somebody is called past it, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from stewardmon.domain.incident import EventKind
from stewardmon.domain.notification import Delivery
from stewardmon.stores.memory import MemoryStore
from tests.support.daemon import Daemon, running


class Hanging(MemoryStore):
    """A state that hands nothing out for as long as `works` is not set."""

    def __init__(self) -> None:
        super().__init__()
        self.works = asyncio.Event()

    async def claim(self, **asked: Any) -> Sequence[Delivery]:
        await self.works.wait()
        return await super().claim(**asked)


async def test_an_overdue_page_goes_out_over_another_channel_once() -> None:
    store = Hanging()
    async with running(store=store) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        assert _told(daemon) == []  # late, but not yet without hope
        await daemon.after(minutes=2)
        assert _told(daemon) == ["page a@x"]
        await daemon.after(minutes=20)
        assert _told(daemon) == ["page a@x"]
        store.works.set()
        await daemon.after(minutes=1)
        assert _told(daemon) == ["page a@x", "page dev-a"]


async def test_whoever_has_one_contact_is_called_there() -> None:
    store = Hanging()
    async with running(store=store) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=35)
        assert _told(daemon) == ["page a@x", "escalated senior"]


async def test_a_step_that_nobody_takes_is_taken_past_the_loop_and_said() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        loses("escalate")
        await daemon.after(minutes=35)
        assert set(_told(daemon)) == {"page dev-a", "escalated senior"}
        # The rule about overdue steps wakes the incident: that page has the same key.
        assert len({one.dedup_key for _, to, one in daemon.pager.sent if to == "senior"}) == 1
        timeline = await daemon.store.events(daemon.incidents[0].id)
        [said] = [one for one in timeline if one.kind is EventKind.OVERDUE]
        assert said.detail.startswith("escalated of level 2 to senior was due at")


async def test_no_sign_of_life_goes_out_while_a_loop_is_lost() -> None:
    pings: list[int] = []

    async def ping() -> None:
        pings.append(1)

    async with running(signs_of_life=(ping,)) as daemon:
        await daemon.after(minutes=5, seconds=1)
        heard = len(pings)
        assert heard >= 5
        loses("deliver")
        await daemon.after(minutes=10)
        assert len(pings) <= heard + 1


def loses(loop: str) -> None:
    """End a loop for good, as no exception ever would."""
    [task] = [one for one in asyncio.all_tasks() if one.get_name() == loop]
    task.cancel()


async def test_a_loop_that_works_is_not_helped() -> None:
    store = Hanging()
    store.works.set()
    async with running(store=store) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=10)
        assert _told(daemon) == ["page dev-a"]


def _told(daemon: Daemon) -> list[str]:
    """Return who was called about the database: the stalled loop itself is an incident too."""
    return [
        f"{one.event.value} {to}"
        for _, to, one in daemon.pager.sent
        if one.title.startswith("Database Issues")
    ]
