"""The engine at its edges: limits, default name handling, thresholds, the head."""

from __future__ import annotations

import math

import pytest

from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.series import STALE, SeriesStore, is_stale
from stewardmon.errors import EvaluationError, ExpressionError
from stewardmon.promql import Engine, Limits, Threshold, Vector, plan, threshold


def labels(name: str, **rest: str) -> Labels:
    return Labels({NAME: name, **rest})


@pytest.fixture
def store() -> SeriesStore:
    store = SeriesStore(retention_ms=10**9)
    for second in range(100):
        for which in "ab":
            store.append(labels("up", i=which), second * 1000, float(which == "a"))
    return store


def values(store: SeriesStore, text: str, at_ms: int = 99_000) -> dict[Labels, float]:
    result = Engine(store).instant(plan(text), at_ms)
    assert isinstance(result, Vector)
    return dict(result.samples)


def test_names_are_dropped_at_once_and_equal_results_are_an_error(store: SeriesStore) -> None:
    assert values(store, 'up{i="a"} * 2') == {Labels({"i": "a"}): 2.0}
    assert values(store, 'up{i="a"} > 0') == {labels("up", i="a"): 1.0}
    store.append(labels("down", i="a"), 99_000, 1.0)
    with pytest.raises(EvaluationError, match="same labelset"):
        values(store, 'abs({i="a"})')
    with pytest.raises(EvaluationError, match="same labelset"):
        values(store, 'max_over_time({i="a"}[1m])')


def test_ranges_and_lookback_are_open_on_the_left(store: SeriesStore) -> None:
    assert values(store, 'count_over_time(up{i="a"}[10s])') == {Labels({"i": "a"}): 10.0}
    assert values(store, 'up{i="a"}', 99_000 + 300_000) == {}
    assert len(values(store, 'up{i="a"}', 99_000 + 299_999)) == 1


def test_clamp_takes_its_bounds_as_go_does(store: SeriesStore) -> None:
    """+Inf beats NaN in math.Max; a mistake under crossed bounds is still a mistake."""
    assert values(store, 'clamp_min(up{i="a"} / 0, NaN)') == {Labels({"i": "a"}): math.inf}
    assert values(store, 'clamp_max(-up{i="a"} / 0, NaN)') == {Labels({"i": "a"}): -math.inf}
    assert math.isnan(*values(store, 'clamp(up{i="a"}, 0, NaN)').values())
    assert values(store, "clamp(up, 2, 1)") == {}
    with pytest.raises(EvaluationError, match="many-to-many"):
        values(store, "clamp(up * on () up, 2, 1)")


def test_a_rate_rounds_as_in_prometheus(store: SeriesStore) -> None:
    """The factor is divided by the range, not the change: exactly 0.9999999999999999 here."""
    for second, value in ((0.5, 7.0), (15.5, 8.0), (30.5, 30.0), (45.5, 52.0)):
        store.append(labels("c"), round(second * 1000), value)
    factor = (45 + 0.5 + 14.5) / 45 / 60
    assert values(store, "rate(c[1m])", 60_000) == {Labels({}): 45 * factor}


def test_an_expression_that_would_try_everything_is_matched_in_one_pass(
    store: SeriesStore,
) -> None:
    store.append(labels("long", text="x" * 5000), 99_000, 1.0)
    assert values(store, 'long{text=~"(x+x+)+y"}') == {}
    assert len(values(store, 'long{text=~"(x+x+)+"}')) == 1


def test_a_stale_marker_ends_a_series_at_once(store: SeriesStore) -> None:
    store.mark_stale(labels("up", i="a"), 99_500)
    assert list(values(store, "up", 99_500)) == [labels("up", i="b")]
    assert values(store, 'count_over_time(up{i="a"}[10s])', 99_500) == {Labels({"i": "a"}): 10.0}
    assert is_stale(STALE)
    assert not is_stale(math.nan)
    assert not is_stale(1.0)


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        ("sum_over_time(up[1m])", Limits(max_samples=50), "more than 50 samples"),
        ("up", Limits(max_series=1), "selects 2 series"),
        ("max_over_time(up[10y:1s])", Limits(), "steps, more than"),
    ],
)
def test_what_costs_too_much_is_refused(
    store: SeriesStore, text: str, limits: Limits, message: str
) -> None:
    with pytest.raises(EvaluationError, match=message):
        Engine(store, limits=limits).instant(plan(text), 99_000)


def test_a_range_of_too_many_steps_or_no_step_is_refused(store: SeriesStore) -> None:
    engine = Engine(store)
    with pytest.raises(EvaluationError, match="maximum resolution of 11,000"):
        engine.range(plan("up"), 0, 11_000_000, 1000)
    with pytest.raises(EvaluationError, match="longer than zero"):
        engine.range(plan("up"), 0, 1000, 0)
    with pytest.raises(ExpressionError, match="range vector"):
        engine.range(plan("up[5m]"), 0, 1000, 1000)


def test_an_evaluation_whose_time_is_up_stops(store: SeriesStore) -> None:
    with pytest.raises(EvaluationError, match="took longer"):
        Engine(store).instant(plan("sum(up)"), 99_000, expired=lambda: True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up == 0", Threshold("up", "==", 0.0)),
        ("5 < sum(up)", Threshold("sum(up)", ">", 5.0)),
        ("(rate(a[5m]) / b > -1.5) and on(job) c == 1", Threshold("rate(a[5m]) / b", ">", -1.5)),
        ("a unless b > 2 * 60", Threshold("b", ">", 120.0)),
        ("a > b", None),
        ("up", None),
    ],
)
def test_a_threshold_is_found(text: str, expected: Threshold | None) -> None:
    assert threshold(plan(text)) == expected


def test_the_head_selects_by_label_and_tells_what_it_holds(store: SeriesStore) -> None:
    store.append(labels("down", i="a", job="x"), 1_000, 1.0)
    found = store.select([Matcher("i", Op.EQUAL, "a"), Matcher(NAME, Op.MATCHES, "up|down")])
    assert {series.labels.value(NAME) for series in found} == {"up", "down"}
    assert [s.labels for s in store.select([Matcher("job", Op.NOT_EQUAL, "")])] == [
        labels("down", i="a", job="x")
    ]
    assert store.select([Matcher("i", Op.EQUAL, "z")]) == []
    assert store.label_names() == [NAME, "i", "job"]
    assert store.label_values("i") == ["a", "b"]
    assert (store.series_count, store.sample_count) == (3, 201)


def test_the_head_forgets_what_is_old_and_series_that_ended(store: SeriesStore) -> None:
    before = store.version("up"), store.version("down")
    store.append(labels("down"), 1_000, 1.0)
    store.retention_ms = 10_000
    store.trim(99_000)
    assert store.label_values(NAME) == ["up"]
    assert store.version("up") == before[0]
    assert store.version("down") == before[1] + 2
    for second in range(100, 1000):
        store.append(labels("up", i="a"), second * 1000, 1.0)
    store.trim(999_000)
    assert store.sample_count < 400


def test_late_and_double_samples_are_dropped_and_counted(store: SeriesStore) -> None:
    assert not store.append(labels("up", i="a"), 99_000, 5.0)
    assert not store.append(labels("up", i="a"), 5, 5.0)
    assert store.dropped == 2


def test_series_past_the_bound_are_shed_and_counted() -> None:
    store = SeriesStore(max_series=1)
    assert store.append(labels("a"), 1, 1.0)
    assert not store.append(labels("b"), 1, 1.0)
    assert not store.current(store.handle(labels("c")))
    assert (store.series_count, store.shed) == (1, 2)
