"""Heartbeats: what a push changes, and when a job counts as missing, failed or hanging."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from stewardmon.domain.heartbeat import (
    HeartbeatError,
    Pulse,
    Push,
    Rhythm,
    advance,
    figures_of,
    from_record,
    judge,
    record_of,
)
from stewardmon.domain.outcome import Reason, State

START = datetime(2026, 11, 26, 3, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
RHYTHM = Rhythm(period=HOUR, grace=5 * MINUTE, runtime=10 * MINUTE)


def after(*pushes: tuple[float, Push], figures: dict[str, float] | None = None) -> Pulse:
    """The pulse after pushes at so many minutes."""
    pulse = Pulse(since=START)
    for minutes, push in pushes:
        at = START + minutes * MINUTE
        pulse = advance(pulse, push, now=at, message="disk full", figures=figures or {})
    return pulse


def standing(pulse: Pulse, minutes: float, *, listening: float = -600) -> tuple[State, Reason]:
    found = judge(
        pulse,
        RHYTHM,
        now=START + minutes * MINUTE,
        listening_since=START + listening * MINUTE,
    )
    return found.state, found.reason


def test_a_job_that_was_never_heard_of_gets_a_period_and_its_grace() -> None:
    assert standing(after(), 65) == (State.UNKNOWN, Reason.MISSING)
    assert standing(after(), 65.1) == (State.DOWN, Reason.MISSING)


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        (65, (State.UP, Reason.OK)),
        (75, (State.UP, Reason.OK)),
        (75.1, (State.DOWN, Reason.STALE)),
    ],
)
def test_a_success_holds_for_a_period_and_the_grace(
    minutes: float, expected: tuple[State, Reason]
) -> None:
    assert standing(after((10, Push.SUCCESS)), minutes) == expected


def test_a_failure_counts_at_once_until_a_success_comes() -> None:
    pulse = after((10, Push.SUCCESS), (11, Push.FAIL))
    assert standing(pulse, 11) == (State.DOWN, Reason.FINDING)
    assert "disk full" in judge(pulse, RHYTHM, now=START + HOUR, listening_since=START).detail
    again = after((10, Push.SUCCESS), (11, Push.FAIL), (12, Push.START))
    assert standing(again, 12) == (State.DOWN, Reason.FINDING)
    mended = after((11, Push.FAIL), (12, Push.START), (13, Push.SUCCESS))
    assert standing(mended, 13) == (State.UP, Reason.OK)


def test_a_run_that_does_not_end_in_time_is_down_and_one_that_ends_is_measured() -> None:
    running = after((0, Push.SUCCESS), (10, Push.START))
    assert standing(running, 20) == (State.UP, Reason.OK)
    assert standing(running, 20.1) == (State.DOWN, Reason.INCOMPLETE)
    ended = after((10, Push.START), (19, Push.SUCCESS))
    assert (ended.running_since, ended.took) == (None, 540.0)
    assert after((10, Push.SUCCESS)).took is None


def test_nobody_is_missed_who_could_not_be_heard() -> None:
    pulse = after((0, Push.SUCCESS))
    assert standing(pulse, 100, listening=96) == (State.UP, Reason.OK)
    assert standing(pulse, 101.1, listening=96) == (State.DOWN, Reason.STALE)


def test_a_pulse_comes_back_from_the_state_as_it_was() -> None:
    pulse = after((1, Push.START), (2, Push.FAIL), figures={"queue_length": 3.0})
    assert from_record("job", record_of(pulse)) == pulse
    for broken in ({}, {"since": "yesterday"}, {**record_of(pulse), "figures": {"ALERTS": 1}}):
        with pytest.raises(HeartbeatError):
            from_record("job", broken)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([], "an object"),
        ({"a b": 1}, "no name of a metric"),
        ({"probe_success": 1}, "measured by stewardmon itself"),
        ({"ALERTS": 1}, "measured by stewardmon itself"),
        ({"depth": "3"}, "finite number"),
        ({"depth": True}, "finite number"),
        ({"depth": float("nan")}, "finite number"),
        ({"depth": 10**400}, "finite number"),
        ({f"m{number}": 1 for number in range(51)}, "50 at the most"),
    ],
)
def test_figures_that_cannot_be_series_are_refused(given: object, says: str) -> None:
    with pytest.raises(HeartbeatError, match=says):
        figures_of(given)
