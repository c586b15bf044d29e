"""Alerts of other programs: how long they last, and when they are over."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.alert import AlertState
from stewardmon.domain.external import Posted, heard, is_external
from stewardmon.domain.labels import Labels
from tests.support.builders import at, firing

DISK = Labels({"alertname": "Disk", "job": "app"})


def test_without_an_end_it_lasts_for_the_resolve_timeout() -> None:
    alert = heard(Posted(labels=DISK), None, now=at())
    assert alert is not None
    assert (alert.state, alert.rule, alert.ends_at) == (
        AlertState.FIRING, "external/Disk", at(minutes=5)
    )  # fmt: skip
    assert is_external(alert)
    assert not is_external(firing())


def test_sent_again_it_lasts_longer_and_began_when_it_began() -> None:
    first = heard(Posted(labels=DISK, starts_at=at(minutes=-9)), None, now=at())
    again = heard(Posted(labels=DISK, ends_at=at(hours=1)), first, now=at(minutes=1))
    assert first is not None
    assert again is not None
    assert (again.active_at, again.ends_at) == (at(minutes=-9), at(hours=1))


def test_an_end_that_has_come_resolves_it() -> None:
    first = heard(Posted(labels=DISK), None, now=at())
    over = heard(Posted(labels=DISK, ends_at=at(seconds=30)), first, now=at(minutes=1))
    assert over is not None
    assert (over.state, over.resolved_at) == (AlertState.RESOLVED, at(seconds=30))


def test_what_was_never_known_and_is_over_is_nothing() -> None:
    assert heard(Posted(labels=DISK, ends_at=at(hours=-1)), None, now=at()) is None


def test_one_that_comes_back_is_new() -> None:
    first = heard(Posted(labels=DISK), None, now=at())
    over = heard(Posted(labels=DISK, ends_at=at(minutes=1)), first, now=at(minutes=1))
    back = heard(Posted(labels=DISK), over, now=at(minutes=2))
    assert back is not None
    assert back.fired_at == at(minutes=2)
    assert back.ends_at == at(minutes=2) + timedelta(minutes=5)
