"""The garbage collector looks when much has come, and never while somebody answers a page."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from stewardmon.clock import SystemClock
from stewardmon.engine.live import Live
from stewardmon.process import COLLECT_EVERY, LATE_AT_MOST, SPARE_AFTER, spare_collector
from tests.support.virtual import run_virtually

CLOCK = SystemClock()


@dataclass
class Turns:
    attended: bool = False


@dataclass
class Responder:
    turns: Turns = field(default_factory=Turns)


@dataclass
class Daemon:
    """What the collector looks at of a daemon."""

    series: list[int] = field(default_factory=list)
    responder: Responder = field(default_factory=Responder)


@pytest.fixture(autouse=True)
def looks() -> Iterator[list[int]]:
    """How often everything was looked at; the collector is put back as it was."""
    seen: list[int] = []

    def note(phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] == 2:
            seen.append(info["collected"])

    before = gc.get_threshold()
    gc.callbacks.append(note)
    yield seen
    gc.callbacks.remove(note)
    gc.unfreeze()
    gc.set_threshold(*before)


def seen(daemon: Daemon, looks: list[int], *turns: tuple[float, int]) -> list[int]:
    """Return how often it looked in each turn: seconds, and how many series come before them."""

    async def life() -> list[int]:
        found = []
        async with asyncio.TaskGroup() as group:
            collector = group.create_task(spare_collector(cast(Live, daemon)))
            for seconds, more in turns:
                daemon.series += [0] * more
                before = len(looks)
                await CLOCK.sleep(seconds)
                found.append(len(looks) - before)
            collector.cancel()
        return found

    return run_virtually(life())


def test_it_looks_at_the_start_when_much_has_come_and_every_few_minutes(looks: list[int]) -> None:
    many = 10 * SPARE_AFTER
    turns = (2.5, many), (2.5, SPARE_AFTER // 2), (2.5, SPARE_AFTER), (COLLECT_EVERY + 5, 0)
    assert seen(Daemon(), looks, *turns) == [1, 0, 1, 1]


def test_it_waits_for_whoever_answers_a_page_but_not_for_ever(looks: list[int]) -> None:
    daemon = Daemon(responder=Responder(turns=Turns(attended=True)))
    assert seen(daemon, looks, (LATE_AT_MOST - 1, 1), (2, 0)) == [0, 1]
