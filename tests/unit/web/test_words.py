"""What pages say: matchers as typed, distances to firing, nights, availability, paths."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from stewardmon.domain.labels import Labels, Op
from stewardmon.domain.outcome import State
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.silence import SilenceError
from stewardmon.domain.workload import night_of
from stewardmon.web.dossier import WORDS, ladder
from stewardmon.web.front import local_path
from stewardmon.web.probes import quantile, stretches
from stewardmon.web.public import drawn, worst
from stewardmon.web.quieting import parse_matchers
from stewardmon.web.rules import described, distance
from stewardmon.web.tally import Count, percent, tone
from tests.support.builders import BOOK, START, at, firing

RULE = AlertRule(name="r", expr="x > 5", group="g", unit="seconds", hold=timedelta(minutes=1))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('a="b"', [("a", Op.EQUAL, "b")]),
        ("a=b, c!=d", [("a", Op.EQUAL, "b"), ("c", Op.NOT_EQUAL, "d")]),
        ('a=~"x|y"\r\nc!~z', [("a", Op.MATCHES, "x|y"), ("c", Op.NOT_MATCHES, "z")]),
        ('a="with, comma" ,, b=c', [("a", Op.EQUAL, "with, comma"), ("b", Op.EQUAL, "c")]),
        ('a="say \\"hi\\""', [("a", Op.EQUAL, 'say "hi"')]),
        ("a=", [("a", Op.EQUAL, "")]),
    ],
)
def test_matchers_are_read_as_people_write_them(
    text: str, found: list[tuple[str, Op, str]]
) -> None:
    assert [(one.name, one.op, one.text) for one in parse_matchers(text)] == found


@pytest.mark.parametrize("text", ["a", "a!b", "nonsense, a=b"])
def test_what_is_no_matcher_is_said(text: str) -> None:
    with pytest.raises(SilenceError, match="is no matcher"):
        parse_matchers(text)


@pytest.mark.parametrize(
    ("expr", "value", "words", "share"),
    [
        ("x > 5", 2.0, "3 s to go", 0.4),
        ("x > 5", 7.0, "beyond it by 2 s", 1.0),
        ("x < 10", 20.0, "10 s to go", 0.5),
        ("x > 0", 0.0, "0 s to go", None),
        ("x == 0", 1.0, "", None),
        ("x", 1.0, "", None),
        ("x > 5", None, "", None),
        ("x > 5", float("nan"), "", None),
        ("x > 5", float("inf"), "beyond it by infinitely slow (timed out)", 1.0),
    ],
)
def test_the_distance_to_firing(
    expr: str, value: float | None, words: str, share: float | None
) -> None:
    assert distance(described(replace(RULE, expr=expr)), value) == (words, share)


@pytest.mark.parametrize(
    ("hour", "night"),
    [(21, None), (22, date(2026, 11, 23)), (3, date(2026, 11, 22)), (6, None)],
)
def test_a_night_is_by_the_persons_own_clock(hour: int, night: date | None) -> None:
    zone = ZoneInfo("America/New_York")
    assert night_of(datetime(2026, 11, 23, hour, tzinfo=zone).astimezone(UTC), zone) == night


@pytest.mark.parametrize(
    ("count", "shown", "words"),
    [
        (Count(), "none", "no data"),
        (Count(10_000, 0, 0), "fine", "100 %"),
        (Count(99_999, 1, 0), "fine", "99.99 %"),
        (Count(995, 5, 0), "poor", "99.50 %"),
        (Count(98, 2, 0), "bad", "98.00 %"),
        (Count(0, 0, 7), "none", "0.00 %"),
        (Count(90, 0, 10), "bad", "90.00 %"),
    ],
)
def test_unknown_is_never_counted_as_up(count: Count, shown: str, words: str) -> None:
    assert (tone(count), percent(count.share)) == (shown, words)


@pytest.mark.parametrize(
    ("states", "word"),
    [
        ([], "unknown"),
        ([State.UNKNOWN, State.MISCONFIGURED], "unknown"),
        ([State.UP, State.UNKNOWN], "up"),
        ([State.UP, State.DEGRADED], "degraded"),
        ([State.DEGRADED, State.DOWN, State.UP], "down"),
    ],
)
def test_the_public_word_for_several_probes(states: list[State], word: str) -> None:
    assert worst(states) == word


def test_a_badge_escapes_what_it_shows() -> None:
    text = drawn('<script>"', "up & well", "#000")
    assert "<script>" not in text
    assert "up &amp; well" in text


@pytest.mark.parametrize("text", ["//x", "/\\x", "http://x", "x", "", "/a b", "/a\tb", "/\x00"])
def test_only_paths_of_ours_are_led_to(text: str) -> None:
    assert local_path(text) == "/"
    assert local_path("/rules?x=1") == "/rules?x=1"


def test_every_kind_of_event_has_its_words() -> None:
    from stewardmon.domain.incident import EventKind

    assert set(WORDS) == set(EventKind)


def test_the_ladder_says_who_is_next() -> None:
    from stewardmon.domain import escalation, triage

    (arrival,) = triage.arrivals([firing()], BOOK.routes)
    opened = triage.admit(arrival, None, book=BOOK, now=START).incident
    incident = escalation.step(opened, roster=BOOK.roster, now=START).incident
    standings = [rung.standing for rung in ladder(incident, now=at(minutes=1))]
    assert standings == ["reached", "next", "later", "later"]
    quiet = replace(incident, snoozed_until=at(hours=1))
    assert [rung.standing for rung in ladder(quiet, now=at(minutes=1))][1:] == ["spared"] * 3


def test_reasons_that_follow_each_other_are_stretches() -> None:
    found = [
        (Labels({"reason": "ok"}), [(0, 1.0), (1000, 1.0), (4000, 1.0), (90_000, 1.0)]),
        (Labels({"reason": "timeout"}), [(2000, 1.0), (3000, 1.0)]),
    ]
    shown = stretches(found, pause=timedelta(seconds=10))
    assert [(one.reason, (one.end - one.start).total_seconds()) for one in shown] == [
        ("ok", 0.0),
        ("ok", 0.0),
        ("timeout", 1.0),
        ("ok", 1.0),
    ]


def test_a_quantile_is_a_value_that_was_there() -> None:
    values = [1.0, 2.0, 3.0, 4.0]
    assert [quantile(share, values) for share in (0.0, 0.25, 0.5, 0.95, 1.0)] == [1, 1, 2, 4, 4]
