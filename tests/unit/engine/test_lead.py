"""Who may page: the one that leads, the one that cannot ask, and not the one that is deposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from stewardmon.domain.change import Change
from stewardmon.domain.notification import Delivery
from stewardmon.engine.lead import keep_leading, wait_to_lead
from stewardmon.engine.ledger import Ledger
from stewardmon.errors import DeposedError, StoreError
from stewardmon.stores.memory import MemoryStore
from tests.contracts.store_values import T0, delivery, incident
from tests.support.virtual import VirtualClock, run_virtually

GONE = StoreError("the state could not be reached")
PAST = DeposedError("another stewardmon has led meanwhile")


@dataclass
class Right:
    """A right to lead: `answers` to asking for it in order (the last one stays), none to renew."""

    answers: list[bool | StoreError] = field(default_factory=list)
    asked: int = 0

    async def acquire(self, *, now: datetime) -> bool:
        del now
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async def renew(self, *, now: datetime) -> bool:
        del now
        return False

    async def release(self) -> None:
        return None


class Fenced(MemoryStore):
    """A state in which another process leads."""

    async def commit(self, change: Change) -> None:
        del change
        raise DeposedError("another stewardmon leads now")

    async def claim(self, **asked: object) -> Sequence[Delivery]:
        del asked
        raise DeposedError("another stewardmon leads now")


def _kept(right: Right) -> timedelta:
    """Return how long somebody goes on leading until it stops."""

    async def journey() -> timedelta:
        clock = VirtualClock()
        start = clock.now()
        with pytest.raises(DeposedError):
            await keep_leading(right, Ledger(MemoryStore()), clock)
        return clock.now() - start

    return run_virtually(journey())


def test_it_stands_by_until_the_other_lets_go() -> None:
    right = Right(answers=[False, False, True])
    run_virtually(wait_to_lead(right, VirtualClock()))
    assert right.asked == 3


def test_a_state_that_cannot_be_asked_is_no_reason_to_stop_paging() -> None:
    assert _kept(Right(answers=[*[GONE] * 100, PAST])) == timedelta(seconds=5 * 101)


def test_a_lock_that_a_broken_connection_holds_is_not_yet_another_leader() -> None:
    assert _kept(Right(answers=[False, False, False, True, PAST])) == timedelta(seconds=25)
    assert _kept(Right(answers=[False])) == timedelta(seconds=35)


def test_whoever_is_deposed_pages_nobody_and_stops_at_once() -> None:
    async def journey() -> None:
        clock = VirtualClock()
        ledger = Ledger(Fenced())
        change = Change(incidents=(incident(),), deliveries=(delivery(),))
        with pytest.raises(DeposedError):
            await ledger.commit(change)
        assert ledger.waiting() == ()
        with pytest.raises(DeposedError):
            await ledger.claim(now=T0, lease=timedelta(minutes=1), limit=9, busy=frozenset())
        with pytest.raises(DeposedError):
            await keep_leading(Right(answers=[True]), ledger, clock)
        assert clock.monotonic() == 0

    run_virtually(journey())


class Pruned(MemoryStore):
    """A state that notes when it was told to forget, and fails the first time."""

    def __init__(self) -> None:
        super().__init__()
        self.at: list[datetime] = []

    async def prune(self, *, now: datetime) -> None:
        self.at.append(now)
        if len(self.at) == 1:
            raise GONE


def test_what_ended_long_ago_is_forgotten_once_a_day() -> None:
    async def journey() -> list[datetime]:
        store = Pruned()
        ledger = Ledger(store)
        for hour in range(50):
            await ledger.tend(now=T0 + timedelta(hours=hour))
        return store.at

    assert run_virtually(journey()) == [T0 + timedelta(days=day) for day in range(3)]
