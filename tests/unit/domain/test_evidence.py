"""What the guide's lists ask for, made of what is in memory."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from stewardmon.domain.evidence import (
    AT_MOST,
    HEARD,
    LONGEST,
    READINGS,
    Reading,
    Sighting,
    joined,
    read,
    shown,
    told,
)
from stewardmon.domain.labels import Labels
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.domain.runbooks import RUNBOOKS, topic
from stewardmon.promql import plan
from tests.support.builders import START, at

SLOW = Outcome(
    state=State.UP,
    duration=5.3,
    phases={"connect": 0.002, "processing": 5.2},
    detail="answered 200",
)
ILL = Outcome(state=State.DOWN, reason=Reason.STATUS, detail="answered 503")
VENDOR = Outcome(state=State.DEGRADED, reason=Reason.PROVIDER, detail="OpenAI says: API degraded")


def sighting(probe: str, kind: str, outcome: Outcome, job: str = "") -> Sighting:
    return Sighting(probe=probe, kind=kind, job=job or probe, outcome=outcome, at=START)


def lines(name: str, about: dict[str, str], *seen: Sighting, **more: str) -> str:
    return "\n".join(told(name, Labels(about), seen, now=at(seconds=3), **more))


def test_slow_answers_come_with_their_phases() -> None:
    said = lines("response-times", {"probe": "app"}, sighting("app", "http", SLOW))
    assert "app: up, answered 200 [3 s ago]" in said
    assert "phases of app: connect 2 ms, processing 5.2 s; 5.3 s in all" in said


def test_the_slowest_probe_stands_for_an_alert_that_names_none() -> None:
    quick = Outcome(state=State.UP, duration=0.1, phases={"processing": 0.1})
    seen = (sighting("quick", "http", quick), sighting("app", "http", SLOW))
    assert "phases of app: " in lines("response-times", {}, *seen)


def test_errors_come_with_who_fails_the_vendors_words_and_the_last_deploy() -> None:
    said = lines(
        "error-rates",
        {"job": "app"},
        sighting("app", "http", ILL),
        sighting("login", "http", ILL),
        sighting("database", "postgres", Outcome(state=State.UP, detail="answered SELECT 1")),
        sighting("vendor", "statuspage", VENDOR),
        deploy="deployment 1.2.3 answers since 4 min",
    )
    assert said.splitlines() == [
        "app: down (status), answered 503 [3 s ago]",
        "vendor: degraded (provider), OpenAI says: API degraded [3 s ago]",
        "deployment 1.2.3 answers since 4 min",
        "database: up, answered SELECT 1 [3 s ago]",
        "login: down (status), answered 503 [3 s ago]",
    ]


def test_many_failing_probes_are_counted_by_class() -> None:
    seen = [sighting(f"p{n}", "http", ILL) for n in range(9)]
    assert "and 7 more probes fail: status 7" in lines("error-rates", {}, *seen)


def test_a_finding_that_the_outcome_has_told_already_is_not_repeated() -> None:
    ill = Outcome(state=State.DEGRADED, detail="a waits for b", findings=("a waits", "c waits"))
    said = lines("database", {"probe": "deep"}, sighting("deep", "postgres_depth", ill))
    assert [line.split(" [")[0] for line in said.splitlines()] == [
        "deep: degraded (ok), a waits for b",
        "deep: c waits",
    ]


def test_what_witnesses_say_has_its_room_whatever_memory_knows() -> None:
    known, heard = [f"k{n}" for n in range(30)], [f"h{n}" for n in range(9)]
    assert joined(known, heard) == (*known[: AT_MOST - HEARD], *heard[:HEARD])
    assert joined(known, heard[:2]) == (*known[: AT_MOST - 2], *heard[:2])
    assert joined(known[:2], heard) == (*known[:2], *heard)


def test_no_line_is_long_none_holds_a_secret_and_they_are_few() -> None:
    words = Outcome(state=State.DOWN, detail="password=hunter22 " + "x" * 999, findings=("f",) * 9)
    seen = [sighting(f"p{n}", "postgres", words) for n in range(20)]
    found = told("error-rates", Labels({"probe": "p1"}), seen, now=START, readings=["r"] * 20)
    assert len(found) <= AT_MOST
    assert all(len(line) <= LONGEST and "hunter22" not in line for line in found)


def test_readings_are_said_with_their_units_and_what_is_not_measured_is_named() -> None:
    values: dict[Reading, Sequence[tuple[Labels, float]]] = {
        reading: [(Labels({"state": "active"}), 7.0), (Labels({"state": "idle"}), 9.0)]
        for reading in READINGS["database"][:1]
    }
    first, last = read("database", values)
    assert first == "connections by state: idle 9, active 7"
    assert last.startswith("not measured: connections that the server allows; ")


@pytest.mark.parametrize("name", list(RUNBOOKS))
def test_no_reading_is_taken_for_a_secret(name: str) -> None:
    said = read(name, {reading: [(Labels(), 0.5)] for reading in READINGS[name]})
    assert shown(said) == said


def test_memory_that_nobody_reports_is_said_to_be_unseen() -> None:
    (line,) = read("memory", {})
    assert "cannot be seen from outside" in line


@pytest.mark.parametrize("name", list(RUNBOOKS))
def test_every_list_has_readings_and_each_can_be_asked(name: str) -> None:
    for reading in READINGS[name]:
        plan(reading.expr)


def test_a_rule_is_about_the_list_it_names_or_its_metrics_suggest() -> None:
    assert topic("memory", "pg_up == 0") == "memory"
    assert topic("", "pg_up == 0") == "database"
    assert topic("call Bob", "pg_up == 0") == ""
