"""The alert machine as a picture: what the rule sees each second, and what the alert then is.

`x` the condition holds, `.` it does not; `-` no alert, `p` pending, `f` firing, `r` resolved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from stewardmon.domain.alert import (
    RESOLVED_KEPT_FOR,
    Advance,
    Alert,
    Finding,
    LimitExceededError,
    advance,
    alert_labels,
)
from stewardmon.domain.labels import Labels
from stewardmon.domain.rule import AlertRule
from stewardmon.errors import EvaluationError
from tests.support.builders import at

LABELS = Labels({"alertname": "R", "job": "app"})


def rule(*, hold: float = 0, keep: float = 0) -> AlertRule:
    return AlertRule(
        name="R",
        expr="x",
        group="g",
        hold=timedelta(seconds=hold),
        keep_firing_for=timedelta(seconds=keep),
    )


def finding(labels: Labels = LABELS, value: float = 1.0) -> Finding:
    return Finding(
        origin=labels.without("alertname"), labels=labels, annotations=Labels(), value=value
    )


def moved_by(
    one: AlertRule,
    active: Mapping[Labels, Alert],
    found: Sequence[Finding],
    *,
    now: datetime,
    stays: Callable[[Alert], bool] = lambda _: False,
    limit: int = 0,
) -> Advance:
    """Return what an evaluation comes to."""
    steps = advance(one, active, found, now=now, stays=stays, limit=limit)
    while True:
        try:
            next(steps)
        except StopIteration as done:
            moved: Advance = done.value
            return moved


def picture(one: AlertRule, seen: str, *, stays: Callable[[Alert], bool] = lambda _: False) -> str:
    """Return the states after each second of `seen`."""
    active: dict[Labels, Alert] = {}
    states = ""
    for second, sight in enumerate(seen):
        found = [finding()] if sight == "x" else []
        moved = moved_by(one, active, found, now=at(seconds=second), stays=stays)
        active = dict(moved.alerts)
        states += active[LABELS].state.value[0] if LABELS in active else "-"
    return states


@pytest.mark.parametrize(
    ("hold", "keep", "seen", "states"),
    [
        (0, 0, "x.x.x.", "frfrfr"),
        (1, 0, "x.x.x.", "p-p-p-"),
        (2, 0, "xxxx..", "ppffrr"),
        (2, 0, "xx.xxx", "pp-ppf"),
        (0, 2, "x...x.", "fffrff"),
        (0, 2, "x.x..x", "ffffff"),
        (0, 3, "x.....", "ffffrr"),
        (2, 9, "xx....", "pp----"),
    ],
)
def test_states_follow_what_is_seen(hold: float, keep: float, seen: str, states: str) -> None:
    assert picture(rule(hold=hold, keep=keep), seen) == states


def test_a_reason_to_stay_keeps_a_firing_alert_but_not_a_pending_one() -> None:
    assert picture(rule(), "x....", stays=lambda _: True) == "fffff"
    assert picture(rule(hold=3), "x....", stays=lambda _: True) == "p----"


def test_a_resolved_alert_is_kept_for_fifteen_minutes() -> None:
    first = moved_by(rule(), {}, [finding()], now=at())
    over = moved_by(rule(), first.alerts, [], now=at(seconds=1))
    kept = moved_by(rule(), over.alerts, [], now=at(seconds=1) + RESOLVED_KEPT_FOR)
    gone = moved_by(rule(), kept.alerts, [], now=at(seconds=2) + RESOLVED_KEPT_FOR)
    assert [len(one.alerts) for one in (over, kept, gone)] == [1, 1, 0]
    assert len(gone.dropped) == 1


def test_one_that_comes_back_is_new() -> None:
    first = moved_by(rule(), {}, [finding()], now=at())
    over = moved_by(rule(), first.alerts, [], now=at(seconds=1))
    again = moved_by(rule(), over.alerts, [finding()], now=at(seconds=9))
    assert again.alerts[LABELS].active_at == at(seconds=9)
    assert again.alerts[LABELS].resolved_at is None


def test_only_changes_of_state_are_reported() -> None:
    first = moved_by(rule(), {}, [finding(value=1)], now=at())
    same = moved_by(rule(), first.alerts, [finding(value=2)], now=at(seconds=1))
    assert len(first.changed) == 1
    assert same.changed == ()
    assert same.alerts[LABELS].value == 2


def test_two_results_with_equal_labels_fail_the_rule() -> None:
    with pytest.raises(EvaluationError, match="same labels"):
        moved_by(rule(), {}, [finding(), finding()], now=at())


def test_more_alerts_than_the_limit_fail_the_rule() -> None:
    others = [finding(Labels({"alertname": "R", "job": str(n)})) for n in range(3)]
    with pytest.raises(LimitExceededError, match="limit of 2 with 3"):
        moved_by(rule(), {}, others, now=at(), limit=2)
    assert len(moved_by(rule(), {}, others, now=at(), limit=3).alerts) == 3


def test_rule_labels_win_and_the_metric_name_goes() -> None:
    result = Labels({"__name__": "up", "job": "app", "severity": "none"})
    one = alert_labels(result, rule(), {"severity": "critical"})
    assert one == Labels({"alertname": "R", "job": "app", "severity": "critical"})
