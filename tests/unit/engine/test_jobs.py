"""Calendar jobs: every hour once, over restarts and failures too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta

from stewardmon.domain.change import Change
from stewardmon.engine.jobs import Job, Jobs
from stewardmon.engine.ledger import Ledger
from stewardmon.errors import StewardmonError
from stewardmon.schedule import CalendarTime
from stewardmon.stores.memory import MemoryStore
from tests.support.virtual import VirtualClock, run_virtually

SEVEN = CalendarTime(at=time(7))
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)  # when the virtual clock begins
DAY = timedelta(days=1)


@dataclass
class Office:
    """Jobs of one process after another on one state; `done` holds the hours worked off."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    store: MemoryStore = field(default_factory=MemoryStore)
    done: list[str] = field(default_factory=list)
    bugs: list[str] = field(default_factory=list)
    fails: Exception | None = None

    def job(self, name: str = "daily", when: CalendarTime = SEVEN) -> Job:
        async def run(due: datetime) -> Change:
            if self.fails is not None:
                raise self.fails
            self.done.append(f"{due:%d %H:%M}")
            return Change(records={("seen", name): {"due": due.isoformat()}})

        return Job(name=name, when=when, run=run)

    @asynccontextmanager
    async def open(self, *jobs: Job) -> AsyncIterator[Jobs]:
        ledger = Ledger(self.store)
        found = Jobs(ledger, self.clock, bug=lambda name, _: self.bugs.append(name))
        found.restore((await ledger.load()).records)
        found.change(jobs or [self.job()])
        task = asyncio.get_running_loop().create_task(found.run())
        try:
            yield found
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def told(tell: Callable[[Office], object]) -> Office:
    """Let the office live on virtual time, and return it."""

    async def live() -> Office:
        office = Office()
        await tell(office)  # type: ignore[misc]
        return office

    return run_virtually(live())


def test_every_hour_comes_once_and_what_it_made_is_kept() -> None:
    async def tell(office: Office) -> None:
        async with office.open():
            await office.clock.sleep(3 * DAY.total_seconds())

    office = told(tell)
    assert office.done == ["24 07:00", "25 07:00", "26 07:00"]
    saved = run_virtually(office.store.load())
    assert saved.records["seen", "daily"] == {"due": "2026-11-26T07:00:00+00:00"}


def test_missed_hours_are_made_up_for_once_after_the_restart_and_not_twice() -> None:
    async def tell(office: Office) -> None:
        async with office.open():
            await office.clock.sleep(60)
        await office.clock.sleep(3 * DAY.total_seconds())  # nobody is there
        for _ in range(2):
            async with office.open():
                await office.clock.sleep(60)

    assert told(tell).done == ["26 07:00"]


def test_a_new_job_does_not_begin_with_the_past() -> None:
    async def tell(office: Office) -> None:
        async with office.open():
            await office.clock.sleep(60)

    assert told(tell).done == []


def test_a_job_cut_off_in_its_hour_runs_again_after_the_restart() -> None:
    async def tell(office: Office) -> None:
        async def hangs(_due: datetime) -> Change:
            await office.clock.sleep(DAY.total_seconds())
            raise AssertionError

        slow = Job(name="daily", when=SEVEN, run=hangs)
        async with office.open(slow):
            await office.clock.sleep(20 * 3600)
        async with office.open():
            await office.clock.sleep(60)

    assert told(tell).done == ["24 07:00"]


def test_one_that_fails_is_tried_again_until_it_is_done_for_its_own_hour() -> None:
    async def tell(office: Office) -> None:
        async with office.open():
            office.fails = StewardmonError("the disk is away")
            await office.clock.sleep(19 * 3600 + 12 * 60)  # from noon to 07:12
            office.fails = None
            await office.clock.sleep(DAY.total_seconds() - 1200)

    office = told(tell)
    assert office.done == ["24 07:00"]
    assert office.bugs == []


def test_one_that_goes_on_failing_waits_for_its_next_hour_and_a_bug_is_told() -> None:
    async def tell(office: Office) -> None:
        async with office.open():
            office.fails = StewardmonError("no figures")
            await office.clock.sleep(DAY.total_seconds())
            office.fails = ValueError("a bug")
            await office.clock.sleep(DAY.total_seconds())
            office.fails = None
            await office.clock.sleep(DAY.total_seconds())

    office = told(tell)
    assert office.done == ["26 07:00"]
    assert office.bugs == ["job:daily"]


def test_a_long_job_delays_no_other_and_is_not_begun_twice() -> None:
    async def tell(office: Office) -> None:
        begun = []

        async def hangs(_due: datetime) -> Change:
            begun.append(1)
            await office.clock.sleep(3 * DAY.total_seconds())
            return Change()

        slow = Job(name="slow", when=SEVEN, run=hangs)
        async with office.open(slow, office.job()):
            await office.clock.sleep(2 * DAY.total_seconds())
        assert len(begun) == 1

    assert told(tell).done == ["24 07:00", "25 07:00"]


def test_what_the_state_holds_wrongly_is_left_out() -> None:
    async def tell(office: Office) -> None:
        await office.store.commit(Change(records={("job", "daily"): {"done": "yesterday"}}))
        async with office.open() as jobs:
            await office.clock.sleep(DAY.total_seconds())
            assert jobs.following() == {"daily": NOON + DAY + timedelta(hours=19)}

    assert told(tell).done == ["24 07:00"]
