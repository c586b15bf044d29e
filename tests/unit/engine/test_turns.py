"""People are served before machines, nobody is lost, and a turn that nobody takes is passed on."""

from __future__ import annotations

import asyncio

import pytest

from stewardmon.clock import SystemClock
from stewardmon.engine.turns import LATELY, Turns
from tests.support.virtual import run_virtually

CLOCK = SystemClock()


async def settled() -> None:
    """Let every task run as far as it can."""
    for _ in range(10):
        await CLOCK.sleep(0)


class Row:
    """Those who take turns, in the order in which they got them."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.served: list[str] = []
        self.inside = 0

    async def take(self, name: str, *, person: bool, leave: asyncio.Event) -> None:
        async with self.turns.turn(person=person):
            self.inside += 1
            assert self.inside == 1
            self.served.append(name)
            await leave.wait()
            self.inside -= 1


async def test_a_person_does_not_queue_behind_machines() -> None:
    row, leave = Row(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for name in ("m1", "m2", "m3"):
            group.create_task(row.take(name, person=False, leave=leave))
        await settled()
        for name in ("p1", "p2"):
            group.create_task(row.take(name, person=True, leave=leave))
        await settled()
        leave.set()
    assert row.served == ["m1", "p1", "p2", "m2", "m3"]


async def test_whoever_gives_up_waiting_is_passed_over() -> None:
    row, leave = Row(), asyncio.Event()
    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(row.take(f"m{n}", person=False, leave=leave)) for n in range(3)]
    await settled()
    tasks[1].cancel()
    await settled()
    leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert row.served == ["m0", "m2"]


async def test_a_turn_that_comes_as_its_taker_is_cancelled_is_passed_on() -> None:
    row, leave = Row(), asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hands_over() -> None:
        await row.take("m0", person=False, leave=leave)
        second.cancel()  # its turn has come, but it has not run since

    first = loop.create_task(hands_over())
    await settled()
    second, third = (loop.create_task(row.take(f"m{n}", person=False, leave=leave)) for n in (1, 2))
    await settled()
    leave.set()
    async with asyncio.timeout(1):
        await asyncio.gather(first, second, third, return_exceptions=True)
    assert row.served == ["m0", "m2"]


async def test_a_failure_inside_lets_go() -> None:
    turns = Turns()

    async def fails() -> None:
        async with turns.turn():
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - ours
        await fails()
    async with asyncio.timeout(1), turns.turn():
        pass


async def test_work_that_can_wait_goes_on_after_the_last_person() -> None:
    row, leave = Row(), asyncio.Event()

    async def work() -> None:
        await row.turns.after_people()
        row.served.append("work")

    async with asyncio.TaskGroup() as group:
        for name in ("p1", "p2"):
            group.create_task(row.take(name, person=True, leave=leave))
        await settled()
        group.create_task(work())
        await settled()
        assert row.served == ["p1"]
        leave.set()
    assert row.served == ["p1", "p2", "work"]
    await row.turns.after_people()  # nobody is there: at once


async def test_work_does_not_wait_for_ever_for_a_person() -> None:
    row, leave = Row(), asyncio.Event()
    loop = asyncio.get_running_loop()
    stuck = loop.create_task(row.take("p1", person=True, leave=leave))
    await settled()
    await row.turns.after_people()
    assert row.served == ["p1"]
    leave.set()
    await stuck


def test_a_person_is_expected_back_for_a_while() -> None:
    async def life() -> list[bool]:
        row, leave = Row(), asyncio.Event()
        leave.set()
        await row.take("m", person=False, leave=leave)
        seen = [row.turns.attended]
        await row.take("p", person=True, leave=leave)
        for seconds in (0, LATELY - 1, 2):
            await CLOCK.sleep(seconds)
            seen.append(row.turns.attended)
        return seen

    assert run_virtually(life()) == [False, True, True, False]


async def test_a_person_who_waits_is_attended_to() -> None:
    row, leave = Row(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(row.take("m", person=False, leave=leave))
        await settled()
        group.create_task(row.take("p", person=True, leave=leave))
        await settled()
        assert row.turns.attended
        leave.set()
