"""The machine is off while a step is due: it is taken once at the next start, by one loop only."""

from __future__ import annotations

from stewardmon.domain.change import Change
from stewardmon.domain.incident import EventKind
from stewardmon.stores.memory import MemoryStore
from tests.support.daemon import Daemon, running
from tests.support.virtual import VirtualClock


class Slow(MemoryStore):
    """A state on a disk that takes its time: other loops look on meanwhile."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    async def commit(self, change: Change) -> None:
        await self._clock.sleep(0.2)
        await super().commit(change)


async def off(daemon: Daemon, **time: float) -> None:
    """Let the daemon be dead for that long."""
    await daemon.killed()
    await daemon.after(**time)
    await daemon.start()


async def test_a_step_missed_meanwhile_is_taken_once() -> None:
    clock = VirtualClock()
    async with running(clock=clock, store=Slow(clock)) as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        await off(daemon, minutes=40)
        await daemon.after(minutes=10)
        assert daemon.said == ["page dev-a", "escalated senior"]


async def test_a_daemon_that_works_says_so_at_any_moment() -> None:
    async with running() as daemon:
        for _ in range(20):
            await daemon.after(seconds=9)
            assert daemon.running.live.ready() == (True, "ready")


async def test_levels_missed_meanwhile_are_each_called_once() -> None:
    async with running() as daemon:
        daemon.platform.database.goes_down()
        await daemon.after(minutes=2)
        await off(daemon, hours=1, minutes=10)
        await daemon.after(minutes=10)
        assert daemon.said == ["page dev-a", "escalated senior", "escalated lead"]
        kinds = {one.kind for one in await daemon.timeline()}
        assert EventKind.OVERDUE not in kinds
