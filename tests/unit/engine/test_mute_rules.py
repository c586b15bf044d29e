"""Rules that have nothing to speak of are left out: it must change nothing that anybody sees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule, RuleGroup
from stewardmon.domain.series import SeriesStore
from stewardmon.engine import evaluator
from stewardmon.engine.evaluator import Evaluator
from stewardmon.engine.running import is_mute, prepare

MINUTE = 60_000
METRICS = ("a", "b", "c")
EXPRESSIONS = (
    "a > 0",
    "a and on () b",
    "a unless on () b",
    "a or c",
    "absent(b)",
    "max_over_time(c[10m]) > 1",
    "sum(made) > 0",
    "ALERTS{alertname='R0'}",
    "avg_over_time(a[2m] offset 5m) > 0",
    "vector(1) and on () b",
)
RULES: tuple[AlertRule | RecordingRule, ...] = (
    *(
        AlertRule(name=f"R{place}", expr=expr, group="g", hold=timedelta(minutes=place % 3))
        for place, expr in enumerate(EXPRESSIONS)
    ),
    AlertRule(name="Gone", expr="b > 1", group="g", no_data=NoData.ALERT, subject="b"),
    AlertRule(name="Kept", expr="c > 1", group="g", no_data=NoData.KEEP, subject="c"),
    RecordingRule(name="made", expr="sum by (n) (a)", group="g"),
)
Samples = list[list[tuple[str, str, float]]]
SAMPLES: st.SearchStrategy[Samples] = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(METRICS), st.sampled_from("xy"), st.sampled_from([0.0, 1.0, 2.0])
        ),
        max_size=3,
    ),
    min_size=8,
    max_size=24,
)


def told(samples: Samples) -> list[object]:
    """Return all that evaluation says and writes while those samples come, one list a minute."""
    series = SeriesStore(retention_ms=6 * MINUTE)
    evaluator = Evaluator(
        prepare([RuleGroup(name="g", rules=RULES)], interval=timedelta(minutes=1)), series
    )
    seen: list[object] = []
    for minute, batch in enumerate(samples, start=1):
        for name, label, value in batch:
            series.append(Labels({NAME: name, "n": label}), minute * MINUTE, value)
        for running in evaluator.all_rules():
            found = evaluator.evaluate(running, minute * MINUTE)
            seen.append((running.rule.name, repr(found), running.error, running.evaluated_at))
        series.trim(minute * MINUTE)
    written = {
        one.labels: (list(one.times), list(map(str, one.values))) for one in series.select(())
    }
    return [*seen, written]


@given(SAMPLES)
@settings(max_examples=60, deadline=None)
def test_leaving_out_changes_nothing(samples: Samples) -> None:
    left_out = told(samples)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(evaluator, "is_mute", lambda *_: False)
        assert told(samples) == left_out


def test_a_rule_speaks_as_soon_as_its_metric_comes_and_is_mute_again_when_it_is_forgotten() -> None:
    series = SeriesStore(retention_ms=6 * MINUTE)
    (group,) = prepare([RuleGroup(name="g", rules=RULES[:1])], interval=timedelta(minutes=1))
    (rule,) = group.rules
    assert is_mute(rule, series)
    series.append(Labels({NAME: "other"}), MINUTE, 1.0)
    assert is_mute(rule, series)
    series.append(Labels({NAME: "a"}), MINUTE, 1.0)
    assert not is_mute(rule, series)
    series.trim(60 * MINUTE)
    assert is_mute(rule, series)
