"""The delivery loop stops in the middle of an outage: somebody is called past it, once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

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
