"""What others send is known once it is on disk, whoever sends it and whatever goes wrong first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from stewardmon.clock import SystemClock
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.external import Posted
from stewardmon.domain.labels import Labels
from stewardmon.engine.external import External
from stewardmon.engine.responder import Responder

NOW = datetime(2026, 11, 27, 3, tzinfo=UTC)
DOWN = [Posted(labels=Labels({"alertname": "Down"}))]


class Disk:
    """Stands in for the responder: writes when it is let, fails while it is broken."""

    def __init__(self) -> None:
        self.firing: dict[str, Alert] = {}
        self.written: list[AlertState] = []
        self.broken = False
        self.free = asyncio.Event()
        self.free.set()

    async def report(
        self, changed: Sequence[Alert], *, now: datetime, forgotten: Sequence[Alert] = ()
    ) -> None:
        if changed:
            await self.free.wait()
        if self.broken:
            raise OSError("broken")
        self.written += [alert.state for alert in changed]


def outside(disk: Disk) -> External:
    return External(cast(Responder, disk), SystemClock())


async def test_what_could_not_be_written_is_written_when_it_is_sent_again() -> None:
    disk = Disk()
    external = outside(disk)
    disk.broken = True
    with pytest.raises(OSError, match="broken"):
        await external.take(DOWN, now=NOW)
    disk.broken = False
    await external.take(DOWN, now=NOW)
    assert disk.written == [AlertState.FIRING]


async def test_an_end_that_could_not_be_written_is_written_by_the_next_look() -> None:
    disk = Disk()
    external = outside(disk)
    await external.take(DOWN, now=NOW)
    later = NOW + timedelta(minutes=6)
    disk.broken = True
    with pytest.raises(OSError, match="broken"):
        await external.sweep(now=later)
    disk.broken = False
    await external.sweep(now=later)
    assert disk.written == [AlertState.FIRING, AlertState.RESOLVED]


async def test_who_sends_the_same_meanwhile_is_answered_when_it_is_on_disk() -> None:
    disk = Disk()
    external = outside(disk)
    answered: list[int] = []

    async def send() -> None:
        await external.take(DOWN, now=NOW)
        answered.append(len(disk.written))

    disk.free.clear()
    async with asyncio.TaskGroup() as senders:
        senders.create_task(send(), name="one")
        senders.create_task(send(), name="other")
        asyncio.get_running_loop().call_soon(disk.free.set)
    assert answered == [1, 1]
    assert disk.written == [AlertState.FIRING]
