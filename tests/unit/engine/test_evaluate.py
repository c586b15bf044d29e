"""Rules over series: what is written and when, what is too much, what a reload keeps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import accumulate, count
from typing import Any

import pytest

from stewardmon.domain.alert import AlertState
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule, RuleGroup
from stewardmon.domain.series import SeriesStore, is_stale
from stewardmon.engine import evaluate, evaluator
from stewardmon.engine.evaluate import Evaluating
from stewardmon.engine.evaluator import Evaluated, Evaluator
from stewardmon.engine.pace import FILLING_AT_MOST_MS, Pace
from stewardmon.engine.running import carry_over, prepare, reaches
from tests.support.virtual import VirtualClock

T0 = 1_700_000_000_000
SECOND = timedelta(seconds=1)


def alert(name: str, expr: str, **more: Any) -> AlertRule:
    return AlertRule(name=name, expr=expr, group="g", **more)


class Rules:
    """Rules over a store, evaluated at seconds after T0."""

    def __init__(
        self, *rules: AlertRule | RecordingRule, pace: Pace | None = None, **group: Any
    ) -> None:
        self.series = SeriesStore(retention_ms=2**50)
        self._pace = pace
        self.use(*rules, **group)

    def use(self, *rules: AlertRule | RecordingRule, **group: Any) -> None:
        groups = prepare([RuleGroup(name="g", rules=rules, **group)], interval=SECOND)
        self.evaluator = Evaluator(groups, self.series, pace=self._pace)

    def reload(self, *rules: AlertRule | RecordingRule, at: float) -> None:
        before = self.evaluator
        self.use(*rules)
        _, ended = carry_over(before.groups, self.evaluator.groups)
        self.evaluator.end(ended, T0 + round(at * 1000))

    def write(self, at: float, name: str, value: float, **labels: str) -> None:
        self.series.append(Labels({NAME: name, **labels}), T0 + round(at * 1000), value)

    def evaluate(self, at: float) -> None:
        for running in self.evaluator.all_rules():
            self.evaluator.evaluate(running, T0 + round(at * 1000))

    def reads(self, **labels: str) -> str:
        """Return the values of the one series with these labels: a digit each, `.` where stale."""
        wanted = {name.replace("name", NAME): value for name, value in labels.items()}
        found = [
            one.values
            for one in self.series.select(())
            if wanted.items() <= dict(one.labels.pairs).items()
        ]
        (values,) = found
        return "".join("." if is_stale(value) else f"{value:g}" for value in values)


UP = alert("Up", "up == 1", hold=timedelta(seconds=3))


def test_alerts_that_change_their_state_end_their_series_over_a_reload_too() -> None:
    rules = Rules(UP)
    for at in range(3):
        rules.write(at, "up", 1)
        rules.evaluate(at)
    rules.reload(UP, at=2.5)
    rules.write(3, "up", 1)
    rules.evaluate(3)
    assert rules.reads(name="ALERTS", alertstate="pending") == "111."
    assert rules.reads(name="ALERTS", alertstate="firing") == "1"


def test_texts_follow_the_value_and_the_time() -> None:
    rules = Rules(
        alert("Low", "up <= 1", annotations=(("summary", "it is {{ $value }}"),)),
        alert("Now", "up <= 1", annotations=(("summary", "{{ now }}"),)),
    )

    def texts(at: float, value: float) -> list[str]:
        rules.write(at, "up", value)
        rules.evaluate(at)
        active = [one.active for one in rules.evaluator.rules()]
        return [a.annotations.value("summary") for alerts in active for a in alerts.values()]

    low, first = texts(0, 0.0)
    again, second = texts(1, 0.0)
    other, _ = texts(2, -0.0)
    assert (low, again, other, texts(3, 1.0)[0]) == ("it is 0", "it is 0", "it is -0", "it is 1")
    assert first != second


def test_a_rule_that_a_reload_takes_away_ends_its_series() -> None:
    rules = Rules(UP, RecordingRule(name="r", expr="up", group="g"))
    rules.write(0, "up", 1)
    rules.evaluate(0)
    rules.reload(at=0.5)
    assert rules.reads(name="ALERTS") == "1."
    assert rules.reads(name="r") == "1."


def test_since_when_an_alert_is_active_is_written_in_whole_seconds() -> None:
    rules = Rules(UP)
    rules.write(0.2, "up", 1)
    rules.evaluate(0.25)
    assert rules.reads(name="ALERTS_FOR_STATE") == f"{T0 // 1000:g}"


def test_past_the_limit_alerts_are_cleared_and_their_series_wait_for_a_success() -> None:
    """Prometheus writes nothing for a rule that fails, so no stale markers either."""
    rules = Rules(UP, limit=1)
    rules.write(0, "up", 1, job="a")
    rules.evaluate(0)
    rules.write(1, "up", 1, job="a")
    rules.write(1, "up", 1, job="b")
    rules.evaluate(1)
    [running] = rules.evaluator.rules()
    assert running.active == {}
    assert "exceeded limit of 1" in running.error
    assert rules.reads(name="ALERTS") == "1"
    rules.write(2, "up", 0, job="a")
    rules.write(2, "up", 0, job="b")
    rules.evaluate(2)
    assert rules.reads(name="ALERTS") == "1."


def test_recording_rules_that_fail_are_counted_in_a_row_as_alerting_ones_are() -> None:
    rules = Rules(RecordingRule(name="r", expr="sum by (a) (up) / on () up", group="g"))
    for at in range(3):
        rules.write(at, "up", 1, job="a")
        rules.write(at, "up", 1, job="b")
        rules.evaluate(at)
    [running] = rules.evaluator.all_rules()
    assert running.failures == 3
    rules.write(3, "up", float("nan"), job="x")
    rules.series.mark_stale(Labels({NAME: "up", "job": "b"}), T0 + 3000)
    rules.series.mark_stale(Labels({NAME: "up", "job": "x"}), T0 + 3500)
    rules.evaluate(4)
    assert (running.failures, running.error) == (0, "")


def ticking(step: float) -> Pace:
    """A pace whose clock of CPU seconds goes on by `step` at each look."""
    spent: Iterator[int] = count()
    return Pace(0.25, lambda: next(spent) * step)


EXPENSIVE = alert("Expensive", "max_over_time(up[1h:1s]) > 0")


def test_an_expensive_rule_is_stopped_and_rests_and_its_neighbours_go_on() -> None:
    rules = Rules(EXPENSIVE, UP, pace=ticking(0.13))
    for at in range(3):
        rules.write(at, "up", 1)
        rules.evaluate(at)
    expensive, up = rules.evaluator.rules()
    assert "longer than it may" in expensive.error
    assert expensive.failures == 3
    assert expensive.rests_until_ms > T0
    assert up.error == ""
    assert [one.state.value for one in up.active.values()] == ["pending"]


def test_a_rest_is_left_out_of_the_loop_and_over_at_its_end() -> None:
    rules = Rules(EXPENSIVE)
    [running] = rules.evaluator.rules()
    running.rests_until_ms, running.error = T0 + 5000, "it took too long"
    rules.write(0, "up", 1)
    rules.evaluate(4)
    assert (running.failures, running.active) == (0, {})
    rules.evaluate(5)
    assert (running.failures, running.error) == (0, "")
    assert running.active


def test_a_rule_is_slow_once_for_the_machine_and_in_a_row_for_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A collection of garbage in its time makes no rule rest, and a rest is no further failure."""
    monkeypatch.setattr(evaluator, "rest_ms", lambda _seconds: 5000)
    steps = [1.0]
    spent = accumulate(iter(lambda: steps[0], None))
    rules = Rules(EXPENSIVE, pace=Pace(0.25, lambda: next(spent)))
    [running] = rules.evaluator.rules()

    def failures(at: int, *, slow: bool) -> int:
        steps[0] = 1.0 if slow else 0.0
        rules.write(at, "up", 1)
        rules.evaluate(at)
        return running.failures

    assert [failures(0, slow=True), failures(1, slow=False)] == [1, 0]
    assert [failures(at, slow=True) for at in range(2, 9)] == [1, 2, 2, 2, 2, 2, 3]
    assert failures(9, slow=False) == 3  # it rests again
    assert failures(13, slow=False) == 0


def test_windows_that_take_long_to_fill_go_on_where_they_were_stopped() -> None:
    rules = Rules(alert("Long", "sum(sum_over_time(up[1d])) > 0"), pace=ticking(0.13))
    for job in "abc":
        rules.write(0, "up", 1, job=job)
    [running] = rules.evaluator.rules()
    for at in range(1, 4):
        rules.evaluate(at)
        assert "being filled" in running.error
        assert running.failures == 0
    rules.evaluate(4)
    assert running.error == ""
    assert [one.value for one in running.active.values()] == [3.0]


def test_windows_that_never_get_filled_are_a_failure() -> None:
    rules = Rules(alert("Long", "sum_over_time(up[1d]) > 0"), pace=ticking(0.13))
    [running] = rules.evaluator.rules()
    for at in range(2 + FILLING_AT_MOST_MS // 1000):
        rules.write(at, "up", 1, job=str(at))
        rules.evaluate(at)
    assert running.failures == 2


def test_a_late_loop_leaves_no_group_out() -> None:
    """The hour's instant passed while the loop was busy: it is evaluated all the same."""
    rules = Rules(UP, interval=timedelta(hours=1))
    hour = 3_600_000
    assert [at for _, at in rules.evaluator.passed(5 * hour - 800, 5 * hour + 700)] == [5 * hour]
    assert rules.evaluator.passed(5 * hour, 5 * hour + 700) == []


def test_what_is_kept_reaches_as_far_back_as_a_groups_query_offset() -> None:
    rules = Rules(alert("A", "rate(x[10m]) > 0"), query_offset=timedelta(minutes=20))
    assert reaches(rules.evaluator.groups) == {"x": 30 * 60_000}


def test_windows_go_on_over_what_history_puts_before_them() -> None:
    """A reload that looks further back reads history; windows that stand keep their place."""
    rules = Rules(alert("Sum", "sum_over_time(up[10s]) > 0"))
    series = rules.series.handle(Labels({NAME: "up"}))
    for at in range(5, 9):
        rules.write(at, "up", at)
    rules.evaluate(8)
    assert series.prepend([(T0 + at * 1000, float(at)) for at in range(7)]) == 5
    assert list(series.values) == [float(at) for at in range(9)]
    rules.write(9, "up", 9)
    rules.evaluate(9)
    [running] = rules.evaluator.rules()
    assert [one.value for one in running.active.values()] == [5 + 6 + 7 + 8 + 9]


async def test_what_could_not_be_handed_on_is_handed_on_once_more_and_no_oftener() -> None:
    rules = Rules(alert("High", "a > 1"))
    rules.write(0, "a", 2.0)
    told: list[list[str]] = []
    failures = 2

    async def report(evaluated: Evaluated, _at: datetime) -> None:
        nonlocal failures
        told.append([one.name for one in evaluated.changed])
        if evaluated.changed and failures:
            failures -= 1
            raise RuntimeError("a bug")

    clock = VirtualClock()
    loop = Evaluating(rules.evaluator, clock, interval=SECOND, report=report)
    with pytest.raises(RuntimeError):
        await loop.evaluate(T0 + 1000, after_ms=T0)
    with pytest.raises(RuntimeError):
        await loop.evaluate(T0 + 2000, after_ms=T0 + 1000)
    await loop.evaluate(T0 + 3000, after_ms=T0 + 2000)
    assert told == [["High"], ["High"], []]


def test_others_get_their_turns_while_one_rule_finds_a_thousand() -> None:
    rules = Rules(alert("Many", "a > 1", annotations=(("summary", "{{ $labels.n }}"),)))
    for number in range(1000):
        rules.write(0, "a", 2.0, n=str(number))
    steps = rules.evaluator.steps(rules.evaluator.all_rules()[0], T0)
    turns = 0
    for _ in steps:
        turns += 1
    [running] = rules.evaluator.rules()
    assert len(running.active) == 1000
    assert turns > 3 * 1000  # as each is written, as it moves, as it is shown
    assert rules.evaluator.evaluate(running, T0 + 1000).changed == ()


class Others(VirtualClock):
    """A clock on which others take a second of the processor whenever they get a turn."""

    spent = 0.0

    async def sleep(self, seconds: float) -> None:
        self.spent += 1.0
        await super().sleep(seconds)


async def test_what_others_do_in_their_turns_is_not_a_rules_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evaluate, "YIELD_AFTER", -1.0)  # a turn for others wherever there may be
    clock = Others()
    high = alert("High", "a > 1", subject="a", no_data=NoData.KEEP, clear_expr="a < 0.5")
    rules = Rules(high, pace=Pace(0.25, lambda: clock.spent))

    async def report(_evaluated: Evaluated, _at: datetime) -> None:
        return

    loop = Evaluating(rules.evaluator, clock, interval=SECOND, report=report)
    for number in range(40):
        rules.write(0, "a", 2.0, n=str(number))
    await loop.evaluate(T0, after_ms=T0 - 1000)
    for number in range(40):
        if number < 20:  # of these nothing is known, so that what clears is asked for only later
            rules.series.mark_stale(Labels({NAME: "a", "n": str(number)}), T0 + 1000)
        else:
            rules.write(1, "a", 0.7, n=str(number))
    await loop.evaluate(T0 + 1000, after_ms=T0)
    [running] = rules.evaluator.rules()
    assert clock.spent > 40
    assert running.error == ""
    assert sum(one.state is AlertState.FIRING for one in running.active.values()) == 40
