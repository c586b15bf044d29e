"""Silences: what they mute, what is refused, what survives a record."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.silence import (
    Silence,
    SilenceError,
    SilenceState,
    check,
    from_record,
    is_sweeping,
    record_of,
    replaces_in_place,
)
from tests.support.builders import at

APP = Matcher("job", Op.EQUAL, "app")


def silence(*matchers: Matcher, **given: object) -> Silence:
    values = {
        "id": "s",
        "matchers": matchers or (APP,),
        "starts_at": at(),
        "ends_at": at(hours=1),
        "updated_at": at(),
        **given,
    }
    return Silence(**values)  # type: ignore[arg-type]


def test_a_silence_holds_from_its_start_until_before_its_end() -> None:
    moments = (-1, 0, 3599, 3600)
    found = [silence().state(at(seconds=second)) for second in moments]
    pending, active, expired = SilenceState
    assert found == [pending, active, active, expired]


def test_every_matcher_must_be_met() -> None:
    both = silence(APP, Matcher("env", Op.NOT_MATCHES, "test.*"))
    assert both.accepts(Labels({"job": "app", "env": "prod"}))
    assert not both.accepts(Labels({"job": "app", "env": "testing"}))
    assert not both.accepts(Labels({"env": "prod"}))


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (replace(silence(), matchers=()), "at least one matcher"),
        (silence(Matcher("job", Op.MATCHES, ".*")), "must not match the empty string"),
        (silence(Matcher("job", Op.NOT_EQUAL, "x")), "must not match the empty string"),
        (silence(Matcher("", Op.EQUAL, "x")), "name of a label"),
        (silence(Matcher("job", Op.EQUAL, "x" * 5000)), "longer than"),
        (silence(*[APP] * 101), "at most 100 matchers"),
        (silence(ends_at=at()), "end after it starts"),
        (silence(starts_at=at(hours=-3), ends_at=at(hours=-2)), "in the past"),
    ],
)
def test_a_silence_that_cannot_be_is_refused(wanted: Silence, says: str) -> None:
    with pytest.raises(SilenceError, match=says):
        check(wanted, now=at())


@pytest.mark.parametrize(
    ("matcher", "sweeps"),
    [
        (Matcher("alertname", Op.MATCHES, ".+"), True),
        (Matcher("alertname", Op.MATCHES, "(?s).+"), True),
        (Matcher("alertname", Op.NOT_EQUAL, "Watchdog"), True),
        (Matcher("severity", Op.MATCHES, "critical|error|warning|info"), True),
        (Matcher("team", Op.MATCHES, ".*"), True),
        (Matcher("team", Op.MATCHES, ".+"), False),
        (Matcher("severity", Op.MATCHES, "warning|info"), False),
        (Matcher("alertname", Op.MATCHES, "Disk.*"), False),
        (APP, False),
    ],
)
def test_what_lets_nothing_through_is_sweeping(matcher: Matcher, sweeps: bool) -> None:
    assert is_sweeping((matcher,)) is sweeps
    assert not is_sweeping((matcher, APP))


def test_an_exploding_expression_is_refused_not_run() -> None:
    with pytest.raises(Exception, match="invalid regular expression"):
        Matcher("job", Op.MATCHES, "(((a{100}){100}){100}){100}")


def test_an_active_silence_keeps_its_id_only_while_its_past_stays() -> None:
    old = silence()
    now = at(minutes=10)
    assert replaces_in_place(old, silence(ends_at=at(hours=2)), now=now)
    assert not replaces_in_place(old, silence(starts_at=at(minutes=5)), now=now)
    assert not replaces_in_place(old, silence(Matcher("job", Op.EQUAL, "db")), now=now)
    assert not replaces_in_place(old, silence(), now=at(hours=2))


def test_its_end_is_told_once_ten_minutes_before() -> None:
    known = silence()
    assert not known.ends_soon(at(minutes=49))
    assert known.ends_soon(at(minutes=50))
    assert not replace(known, warned=True).ends_soon(at(minutes=50))
    assert not silence(ends_at=at(minutes=5)).ends_soon(at(minutes=1))


def test_one_that_had_not_begun_never_does() -> None:
    ended = silence(starts_at=at(hours=1), ends_at=at(hours=2)).expired(at())
    assert ended.state(at(minutes=90)) is SilenceState.EXPIRED
    assert ended.ends_at - ended.starts_at == timedelta(0)


def test_a_record_brings_back_the_same_silence() -> None:
    known = silence(APP, Matcher("a", Op.NOT_MATCHES, 'b"c.*'), comment="why", created_by="me")
    assert from_record("s", record_of(known)) == known
    with pytest.raises(SilenceError, match="cannot be read"):
        from_record("s", {"matchers": [["a", "=~", "("]]})
