"""The time that stewardmon keeps while somebody sets the machine's clock."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.clock import SLEW, FastClock, SystemClock

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Hands(SystemClock):
    """The real clock over hands that the test turns."""

    def __init__(self) -> None:
        super().__init__()
        self.shows = NOON.timestamp()
        self.passed = 0.0

    def _machine(self) -> float:
        return self.shows

    def _steady(self) -> float:
        return self.passed

    def runs(self, **time: float) -> datetime:
        """Let time pass, looking at the clock every second as the loops do."""
        for _ in range(round(timedelta(**time).total_seconds())):
            self.shows += 1
            self.passed += 1
            self.now()
        return self.now()

    def steps(self, **time: float) -> None:
        self.shows += timedelta(**time).total_seconds()


@pytest.fixture
def clock() -> Hands:
    clock = Hands()
    clock.now()
    return clock


def test_undisturbed_it_shows_what_the_machine_shows(clock: Hands) -> None:
    assert clock.runs(hours=1) == NOON + timedelta(hours=1)
    assert clock.offset() == timedelta(0)


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_moves_it_by_no_more_than_its_share(clock: Hands, hours: int) -> None:
    clock.steps(hours=hours)
    after = clock.runs(minutes=10)
    assert abs(after - NOON - timedelta(minutes=10)) <= timedelta(minutes=10) * SLEW
    assert timedelta(minutes=59) < abs(clock.offset()) < timedelta(hours=1)


@pytest.mark.parametrize("hours", [1, -1])
def test_it_ends_at_the_machine_s_time(clock: Hands, hours: int) -> None:
    clock.steps(hours=hours)
    clock.runs(hours=21)
    assert clock.offset() == timedelta(0)


def test_a_second_is_made_up_for_within_half_a_minute(clock: Hands) -> None:
    clock.steps(seconds=1)
    clock.runs(seconds=30)
    assert clock.offset() == timedelta(0)


def test_a_suspended_machine_has_lost_its_time_for_good(clock: Hands) -> None:
    clock.steps(hours=8)
    clock.passed += 8 * 3600
    assert clock.now() == NOON + timedelta(hours=8)


@given(st.lists(st.tuples(st.floats(-9e3, 9e3), st.floats(0, 99)), max_size=20))
def test_it_never_runs_backwards(moves: list[tuple[float, float]]) -> None:
    clock = Hands()
    before = clock.now()
    for step, passed in moves:
        clock.shows += step + passed
        clock.passed += passed
        assert clock.now() >= before
        before = clock.now()


def test_the_real_one_shows_the_time(tmp_path: Path) -> None:
    """A file is dated by the machine's clock too."""
    made = tmp_path / "made"
    made.touch()
    dated = datetime.fromtimestamp(made.stat().st_mtime, UTC)
    assert abs(SystemClock().now() - dated) < timedelta(seconds=30)


async def test_a_fast_clock_goes_on_in_a_thread_that_has_no_loop() -> None:
    clock = FastClock(60)
    before = clock.now()
    assert before <= await asyncio.to_thread(clock.now) <= clock.now()
