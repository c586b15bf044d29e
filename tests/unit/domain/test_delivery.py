"""What follows from a failed delivery, on plain values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.delivery import (
    ATTEMPTS_BESIDE,
    FAILURES_TO_OPEN,
    LONGEST_REST,
    LONGEST_WAIT,
    LONGEST_WISH,
    SHORTEST_WAIT,
    Circuit,
    CircuitState,
    RateLimit,
    Verdict,
    after_failure,
    backoff,
    may_wait,
    while_resting,
)
from stewardmon.domain.notification import Delivery, NotificationEvent
from stewardmon.errors import DeliveryError
from tests.support.notifications import NOW, notification

SECOND = timedelta(seconds=1)
TEMPORARY = DeliveryError("busy", temporary=True)
PERMANENT = DeliveryError("no such user", temporary=False)


def row(event: NotificationEvent = NotificationEvent.PAGE, *, attempts: int = 1) -> Delivery:
    said = notification(event)
    return Delivery(
        dedup_key=said.dedup_key,
        incident=said.incident,
        event=event,
        level=1,
        person="dev-a",
        contact=0,
        channel="pager",
        to="dev-a",
        notification=said,
        due_at=NOW,
        created_at=NOW,
        attempts=attempts,
    )


def verdict(
    delivery: Delivery,
    error: DeliveryError = TEMPORARY,
    *,
    after: timedelta = timedelta(0),
    more_contacts: bool = True,
) -> Verdict:
    return after_failure(
        delivery, error, now=NOW + after, more_contacts=more_contacts, rng=lambda: 0.5
    )


@given(attempts=st.integers(-5, 10_000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_lies_between_five_seconds_and_five_minutes(attempts: int, chance: float) -> None:
    wait = backoff(attempts, retry_after=None, rng=lambda: chance)
    assert SHORTEST_WAIT <= wait <= LONGEST_WAIT


def test_waits_double_until_they_reach_their_bound() -> None:
    longest = [backoff(count, retry_after=None, rng=lambda: 1.0) for count in range(1, 9)]
    assert [wait / SECOND for wait in longest] == [10, 20, 40, 80, 160, 300, 300, 300]


def test_jitter_spreads_over_the_whole_span() -> None:
    assert backoff(3, retry_after=None, rng=lambda: 0.0) == 5 * SECOND
    assert backoff(3, retry_after=None, rng=lambda: 0.5) == 22.5 * SECOND


def test_the_receivers_wish_is_kept_up_to_five_minutes_for_a_page() -> None:
    assert backoff(1, retry_after=60, rng=lambda: 0.0) == 60 * SECOND
    assert backoff(1, retry_after=86_400, rng=lambda: 0.0) == LONGEST_WAIT
    assert backoff(1, retry_after=-3, rng=lambda: 0.0) == SHORTEST_WAIT
    patient = row(NotificationEvent.RESOLVED)
    said = verdict(patient, DeliveryError("busy", temporary=True, retry_after=86_400))
    assert said.retry_at == NOW + LONGEST_WISH


def test_a_permanent_failure_calls_the_next_contact_at_once() -> None:
    assert verdict(row(), PERMANENT) == Verdict(retry_at=None, falls_back=True)


def test_a_permanent_failure_of_the_last_contact_gives_up() -> None:
    assert verdict(row(), PERMANENT, more_contacts=False).gives_up


def test_the_first_temporary_failure_only_tries_again() -> None:
    said = verdict(row(attempts=1))
    assert said.retry_at == NOW + 7.5 * SECOND
    assert not said.falls_back


def test_the_second_temporary_failure_also_calls_the_next_contact() -> None:
    said = verdict(row(attempts=2))
    assert said.retry_at is not None
    assert said.falls_back


def test_beside_another_contact_attempts_are_bounded() -> None:
    assert verdict(row(attempts=ATTEMPTS_BESIDE - 1)).retry_at is not None
    assert verdict(row(attempts=ATTEMPTS_BESIDE)).retry_at is None


def test_the_last_contact_is_tried_for_a_day() -> None:
    tired = row(attempts=500)
    day = timedelta(hours=24)
    almost = verdict(tired, after=day - LONGEST_WAIT, more_contacts=False)
    assert almost.retry_at is not None
    assert verdict(tired, after=day, more_contacts=False).gives_up


@pytest.mark.parametrize(
    "event", [NotificationEvent.RESOLVED, NotificationEvent.ACKNOWLEDGED, NotificationEvent.DRILL]
)
def test_only_pages_fall_back(event: NotificationEvent) -> None:
    assert not verdict(row(event, attempts=5)).falls_back
    assert verdict(row(event, attempts=5)).retry_at is not None
    assert verdict(row(event), PERMANENT).gives_up


def test_a_drill_is_not_kept_trying_for_a_day() -> None:
    assert verdict(row(NotificationEvent.DRILL), after=timedelta(minutes=20)).gives_up


def draw(circuit: Circuit, story: str) -> str:
    """Play a story, a second a step: `x` fails, `o` succeeds, `.` passes; return the states."""
    letters = {CircuitState.CLOSED: "c", CircuitState.OPEN: "O", CircuitState.HALF_OPEN: "h"}
    seen = []
    for second, what in enumerate(story):
        now = NOW + second * SECOND
        if what == "x":
            circuit = circuit.started(now).failed(now)
        if what == "o":
            circuit = circuit.started(now).succeeded()
        seen.append(letters[circuit.state(now)])
    return "".join(seen)


@pytest.mark.parametrize(
    ("story", "states"),
    [
        ("xxxx.", "ccccc"),
        ("xxxxx..........", "ccccOOOOOOOOOOh"),
        ("xxxxoxxxx", "ccccccccc"),
        ("xxxxx..........o.", "ccccOOOOOOOOOOhcc"),
        ("xxxxx..........x...................", "ccccOOOOOOOOOOhOOOOOOOOOOOOOOOOOOOO"),
    ],
)
def test_a_circuit_opens_rests_and_tries(story: str, states: str) -> None:
    assert draw(Circuit(), story) == states


def test_only_one_message_tries_a_resting_channel() -> None:
    circuit = Circuit(failures=FAILURES_TO_OPEN, rests_until=NOW)
    assert circuit.allows(NOW)
    trying = circuit.started(NOW)
    assert not trying.allows(NOW)
    assert trying.released().allows(NOW)
    assert trying.succeeded().allows(NOW)


def test_a_rest_never_outgrows_a_minute() -> None:
    circuit = Circuit(failures=10_000)
    assert circuit.failed(NOW).rests_until == NOW + LONGEST_REST


def test_while_a_channel_rests_its_pages_go_elsewhere_as_well() -> None:
    resting = Circuit(failures=FAILURES_TO_OPEN, rests_until=NOW + 10 * SECOND)
    said = while_resting(row(attempts=0), circuit=resting, now=NOW, more_contacts=True)
    assert said == Verdict(retry_at=NOW + 10 * SECOND, falls_back=True)
    alone = while_resting(row(attempts=0), circuit=resting, now=NOW, more_contacts=False)
    assert alone == Verdict(retry_at=NOW + 10 * SECOND, falls_back=False)


def test_while_one_message_tries_the_others_come_back_soon() -> None:
    trying = Circuit(failures=FAILURES_TO_OPEN, rests_until=NOW).started(NOW)
    said = while_resting(row(), circuit=trying, now=NOW, more_contacts=False)
    assert said.retry_at == NOW + SHORTEST_WAIT


def test_a_rate_limit_never_delays_a_first_page() -> None:
    bucket = RateLimit.per_minute(1, now=NOW)
    for event in NotificationEvent:
        waits = may_wait(row(event))
        assert waits is (event not in (NotificationEvent.PAGE, NotificationEvent.ESCALATED))
    for _ in range(100):
        bucket, wait = bucket.take(now=NOW, may_wait=False)
        assert wait is None


def test_what_can_wait_waits_until_there_is_room() -> None:
    bucket = RateLimit.per_minute(2, now=NOW)
    for _ in range(2):
        bucket, wait = bucket.take(now=NOW, may_wait=True)
        assert wait is None
    bucket, wait = bucket.take(now=NOW, may_wait=True)
    assert wait == NOW + 30 * SECOND
    bucket, wait = bucket.take(now=wait, may_wait=True)
    assert wait is None


def test_a_storm_of_pages_silences_reminders_for_a_bounded_time() -> None:
    bucket = RateLimit.per_minute(60, now=NOW)
    for _ in range(10_000):
        bucket, _ = bucket.take(now=NOW, may_wait=False)
    _, wait = bucket.take(now=NOW, may_wait=True)
    assert wait == NOW + 61 * SECOND


def test_a_clock_that_is_set_back_takes_nothing_from_the_bucket() -> None:
    bucket = RateLimit.per_minute(2, now=NOW)
    back, wait = bucket.take(now=NOW - timedelta(hours=1), may_wait=True)
    assert wait is None
    assert back.tokens == 1
    assert replace(back, tokens=2.0, at=NOW) == bucket
