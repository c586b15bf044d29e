"""Wall time that nobody can step: forward, back, by a lot, by a little, asleep."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.clock import SteadyClock

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


@dataclass
class Machine:
    """A machine whose clocks are moved by hand; `told` is what the steady clock said."""

    wall: datetime = START
    boot: float = 1000.0
    told: list[float] = field(default_factory=list)

    def clock(self) -> SteadyClock:
        return SteadyClock(tell=self.told.append, wall=lambda: self.wall, steady=lambda: self.boot)

    def runs(self, span: timedelta) -> None:
        self.wall += span
        self.boot += span.total_seconds()


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_step_is_not_taken_but_told_and_caught_up(step: timedelta) -> None:
    machine = Machine()
    clock = machine.clock()
    machine.wall += step
    assert clock.now() == START
    assert machine.told == [step.total_seconds()]
    machine.runs(HOUR)
    assert clock.now() == START + HOUR + step / 20
    machine.runs(19 * HOUR)
    assert clock.now() == machine.wall
    assert machine.told[-1] == 0


def test_drift_forward_is_adopted_at_once_and_drift_back_by_and_by() -> None:
    machine = Machine()
    clock = machine.clock()
    machine.runs(HOUR)
    machine.wall += SECOND
    assert clock.now() == machine.wall
    machine.wall -= SECOND
    assert clock.now() == machine.wall + SECOND
    machine.runs(30 * SECOND)
    assert clock.now() == machine.wall


@given(
    st.lists(
        st.tuples(st.floats(min_value=-1e5, max_value=1e5), st.floats(min_value=0, max_value=1e5)),
        max_size=20,
    )
)
def test_time_never_goes_back_nor_runs_away(moves: list[tuple[float, float]]) -> None:
    machine = Machine()
    clock = machine.clock()
    before = clock.now()
    for stepped, passes in moves:
        machine.wall += timedelta(seconds=stepped)
        machine.runs(timedelta(seconds=passes))
        now = clock.now()
        most = passes * 1.05 + 2
        assert -1e-5 <= (now - before).total_seconds() <= most + 1e-5
        before = now


def test_the_machines_own_clocks_agree() -> None:
    assert abs(SteadyClock().now() - datetime.now(UTC)) < SECOND  # noqa: TID251 - compared with it
