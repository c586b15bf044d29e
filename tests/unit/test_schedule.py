"""Ticks never drift, never bunch, and never come twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stewardmon.schedule import Schedule, Tick, share

NAMES = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)


def test_everybody_is_asked_within_a_second_of_the_start() -> None:
    schedule = Schedule({f"probe{n}": 60.0 for n in range(20)}, now=100.0)
    assert len(schedule.take(101.0)) == 20


def test_many_probes_are_not_asked_at_once_at_the_start() -> None:
    schedule = Schedule({f"probe{n}": 15.0 for n in range(5000)}, now=0.0)
    assert 250 < len(schedule.take(1.0)) < 450  # what each second of their interval has anyway
    hourly = Schedule({f"probe{n}": 3600.0 for n in range(5000)}, now=0.0)
    assert 120 < len(hourly.take(1.0)) < 280


def test_a_late_tick_does_not_shift_the_ones_after_it() -> None:
    schedule = Schedule({"app": 10.0}, now=0.0)
    schedule.take(1.0)
    due = schedule.next_due()
    assert due is not None
    schedule.take(due + 4.0)
    assert schedule.next_due() == due + 10.0


def test_missed_ticks_are_skipped_and_counted() -> None:
    schedule = Schedule({"app": 10.0}, now=0.0)
    schedule.take(1.0)
    due = schedule.next_due()
    assert due is not None
    (tick,) = schedule.take(due + 35.0)
    assert tick.missed == 3
    assert tick.lag == 5.0
    assert schedule.next_due() == due + 40.0


def test_a_day_of_ticks_ends_on_the_grid_it_began_on() -> None:
    schedule = Schedule({"app": 15.0}, now=0.0)
    schedule.take(1.0)
    count = 0
    while (due := schedule.next_due()) is not None and due <= 86_400:
        count += len(schedule.take(due))
    assert count in {5759, 5760}
    assert abs(((due or 0) - share("app") * 15.0) % 15.0) < 1e-6


def test_a_reload_keeps_the_ticks_of_what_stays() -> None:
    schedule = Schedule({"app": 10.0, "old": 10.0}, now=0.0)
    schedule.take(1.0)
    before = {name: at for at, name in schedule._heap}  # noqa: SLF001 - the due times themselves
    schedule.change({"app": 10.0, "new": 10.0}, now=2.0)
    after = {name: at for at, name in schedule._heap}  # noqa: SLF001 - the due times themselves
    assert after["app"] == before["app"]
    assert 2.0 <= after["new"] <= 3.0
    assert "old" not in after


@given(names=NAMES, jumps=st.lists(st.floats(0, 100), max_size=30))
def test_no_name_is_due_twice_in_one_take_and_none_is_lost(
    names: list[str], jumps: list[float]
) -> None:
    schedule = Schedule(dict.fromkeys(names, 7.0), now=0.0)
    now = 0.0
    for jump in jumps:
        now += jump
        taken = [tick.name for tick in schedule.take(now)]
        assert len(taken) == len(set(taken))
        due = schedule.next_due()
        assert due is not None
        # From the first ask to the grid it may be one interval and a half.
        assert now < due <= now + 1.5 * 7.0 + 1e-6


def test_an_ask_beside_the_grid_leaves_it_as_it_is() -> None:
    schedule = Schedule({"a": 60.0}, now=0.0)
    schedule.take(60.0)  # the first, and the grid's
    grid = schedule.next_due()
    assert grid is not None
    schedule.add("a", grid - 20.0)
    assert schedule.next_due() == grid - 20.0
    assert schedule.take(grid - 20.0) == [Tick("a", 0.0, 0)]
    assert schedule.next_due() == grid
    schedule.add("a", grid)
    assert [tick.name for tick in schedule.take(grid)] == ["a"]
    schedule.add("a", grid + 5.0)
    schedule.change({"b": 60.0}, now=grid)
    assert {tick.name for tick in schedule.take(grid + 60.0)} == {"b"}
