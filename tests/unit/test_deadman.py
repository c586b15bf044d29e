"""A sign of life goes out while every loop works, and not a moment longer than that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stewardmon.engine.deadman import DeadMan
from stewardmon.engine.supervise import Supervisor
from stewardmon.errors import DeliveryError
from tests.support.virtual import VirtualClock, run_virtually


def _bug(_loop: str, _error: Exception) -> None:
    raise AssertionError


def _life(*, silent: float, fails: bool = False, speed: float = 1.0) -> tuple[bool, int]:
    """Return whether there was life after a loop was silent so long, and how often it was told."""
    told = 0

    async def ping() -> None:
        nonlocal told
        told += 1
        if fails:
            raise DeliveryError("the other side is down", temporary=True)

    async def journey() -> bool:
        clock = VirtualClock()
        clock.speed = speed
        supervisor = Supervisor(clock, bug=_bug)
        supervisor.beat("evaluate")()
        await clock.sleep(silent)
        supervisor.beat("watch")()
        return await DeadMan([ping, ping], supervisor, clock).sign()

    return run_virtually(journey()), told


@pytest.mark.parametrize(("silent", "alive"), [(0, True), (59, True), (61, False)])
def test_it_signs_only_while_every_loop_works(silent: float, alive: bool) -> None:
    assert _life(silent=silent) == (alive, 2 if alive else 0)


@pytest.mark.parametrize(("silent", "alive"), [(61, True), (3599, True), (3601, False)])
def test_its_patience_is_the_worlds_where_the_clock_is_fast(silent: float, alive: bool) -> None:
    assert _life(silent=silent, speed=60) == (alive, 2 if alive else 0)


def test_one_deaf_receiver_keeps_the_sign_from_no_other() -> None:
    assert _life(silent=0, fails=True) == (True, 2)


def test_it_signs_every_minute() -> None:
    told: list[timedelta] = []

    async def journey() -> None:
        clock = VirtualClock()
        start = clock.now()

        async def ping() -> None:
            told.append(clock.now() - start)
            if len(told) == 3:
                raise KeyboardInterrupt

        await DeadMan([ping], Supervisor(clock, bug=_bug), clock).run()

    with pytest.raises(KeyboardInterrupt):
        run_virtually(journey())
    assert told == [timedelta(minutes=n) for n in range(3)]
