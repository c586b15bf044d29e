"""Rolling windows: equal to computing anew, whatever the data and however time moves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stewardmon.domain.labels import NAME, Labels, Matcher
from stewardmon.domain.series import STALE, Series, SeriesStore
from stewardmon.promql import Engine, Plan, Result, Vector, Windows, folds, plan
from stewardmon.promql.ranges import RANGE_FUNCTIONS

EXPRESSIONS = {
    name: {
        "quantile_over_time": "quantile_over_time(0.9, m[20s])",
        "predict_linear": "predict_linear(m[20s], 30)",
    }.get(name, f"{name}(m[20s])")
    for name in RANGE_FUNCTIONS
} | {
    "offset": "sum_over_time(m[20s] offset 7s)",
    "ahead": "increase(m[20s] offset -7s)",
    "absent": "absent_over_time(m[20s])",
    "subquery": "max_over_time(rate(m[20s])[30s:10s])",
}

values = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-1e6, 1e6),
    st.sampled_from([math.nan, math.inf, -math.inf, STALE, 0.0, -0.0, 1e300, -1e300]),
)


@dataclass(frozen=True)
class Step:
    """What happens before one evaluation."""

    wait_ms: int
    samples: list[tuple[int, int, float]]
    trim: bool


steps = st.lists(
    st.builds(
        Step,
        wait_ms=st.sampled_from([0, 1, 999, 1000, 2500, 5000, 19_999, 20_000, 60_000, -15_000]),
        samples=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9000), values), max_size=6),
        trim=st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


def labels_of(which: int) -> Labels:
    return Labels({NAME: "m", "i": str(which)})


def close(left: float, right: float) -> bool:
    if math.isnan(left) or math.isnan(right):
        return math.isnan(left) and math.isnan(right)
    return left == right or math.isclose(left, right, rel_tol=1e-7, abs_tol=1e-6)


def elements(result: Result) -> dict[Labels, float]:
    assert isinstance(result, Vector)
    return dict(result.samples)


def check_equal(engine: Engine, planned: Plan, at_ms: int, windows: Windows) -> None:
    anew = elements(engine.instant(planned, at_ms))
    rolled = elements(engine.instant(planned, at_ms, windows=windows))
    assert anew.keys() == rolled.keys()
    for labels, value in anew.items():
        assert close(rolled[labels], value), (planned.text, at_ms, value, rolled[labels])


@pytest.mark.parametrize("block", [2, 128])
@pytest.mark.parametrize("name", EXPRESSIONS)
@settings(max_examples=20, deadline=None)
@given(history=steps)
def test_a_window_equals_the_same_function_computed_anew(
    name: str, block: int, history: list[Step]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "BLOCK", block)
        store = SeriesStore(retention_ms=60_000)
        engine, planned = Engine(store), plan(EXPRESSIONS[name])
        windows = engine.windows()
        now = 100_000
        for step in history:
            now = max(100_000, now + step.wait_ms)
            for which, ago_ms, value in sorted(step.samples, key=lambda sample: -sample[1]):
                store.append(labels_of(which), now - ago_ms, value)
            if step.trim:
                store.trim(now)
            if name in {"deriv", "predict_linear", "stddev_over_time", "stdvar_over_time"} and any(
                abs(value) > 1e290 for _, _, value in step.samples
            ):
                return  # squares overflow on one path and not on the other: no answer is right
            check_equal(engine, planned, now, windows)


@pytest.mark.parametrize("function", ["sum_over_time", "avg_over_time"])
@settings(max_examples=60, deadline=None)
@given(
    read=st.lists(
        st.one_of(
            st.integers(-3, 3).map(float),
            st.sampled_from([0.0, -0.0, 0.5, 2.0**24, 2.0**24 + 2, 1e17, math.nan, STALE]),
        ),
        max_size=60,
    ),
    waits=st.lists(st.integers(1, 12), min_size=60, max_size=60),
)
def test_sums_of_whole_numbers_are_exact_and_go_over_into_others(
    function: str, read: list[float], waits: list[int]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "BLOCK", 3)
        store = SeriesStore(retention_ms=10**9)
        engine, planned = Engine(store), plan(f"{function}(m[10s])")
        windows = engine.windows()
        now = 0
        for value, wait in zip(read, waits, strict=False):
            now += wait * 1000 if wait > 6 else 1000
            store.append(labels_of(0), now, value)
            if wait % 3:
                continue  # so that a range may start past what was never taken in
            rolled = elements(engine.instant(planned, now, windows=windows))
            anew = elements(engine.instant(planned, now))
            assert rolled.keys() == anew.keys()
            held = [one for one in read if not math.isnan(one)]
            if all(one.is_integer() and abs(one) <= 2.0**24 for one in held):
                assert list(map(repr, rolled.values())) == list(map(repr, anew.values()))
            else:
                assert all(close(rolled[labels], anew[labels]) for labels in anew)


def ticking(seconds: int, value: float = 1.0) -> SeriesStore:
    store = SeriesStore(retention_ms=10**9)
    for second in range(seconds):
        store.append(labels_of(0), second * 1000, value * (second % 7))
    return store


def test_windows_longer_than_many_blocks_stay_equal() -> None:
    store = SeriesStore(retention_ms=10**9)
    engine = Engine(store)
    plans = [
        plan(text.replace("20s", "1000s"))
        for text in EXPRESSIONS.values()
        if "subquery" not in text
    ]
    windows = engine.windows()
    for second in range(4000):
        store.append(labels_of(0), second * 1000, float((second * 7919) % 1009))
        if second % 397 == 0:
            for planned in plans:
                check_equal(engine, planned, second * 1000, windows)


def test_rules_that_ask_the_same_share_their_windows() -> None:
    engine = Engine(ticking(60))
    windows = engine.windows()
    for text in (
        "quantile_over_time(0.5, m[30s]) > 3",
        "quantile_over_time(0.95, m[30s]) > 5",
        "max(quantile_over_time(0.99, m[30s]))",
    ):
        engine.instant(plan(text), 50_000, windows=windows)
    assert len(windows) == 1


def test_windows_nobody_uses_are_forgotten() -> None:
    engine = Engine(ticking(60))
    windows = engine.windows()
    engine.instant(plan("sum_over_time(m[30s])"), 10_000, windows=windows)
    engine.instant(plan("avg_over_time(m[30s])"), 50_000, windows=windows)
    windows.forget(before_ms=20_000)
    assert len(windows) == 1


def test_a_series_that_appears_or_ends_is_seen() -> None:
    store = ticking(10)
    engine, planned = Engine(store), plan("count_over_time(m[5s])")
    windows = engine.windows()
    assert len(elements(engine.instant(planned, 9_000, windows=windows))) == 1
    store.append(labels_of(1), 9_500, 1.0)
    assert len(elements(engine.instant(planned, 10_000, windows=windows))) == 2
    store.retention_ms = 1_000
    store.append(labels_of(1), 20_000, 1.0)
    store.trim(20_000)
    assert list(elements(engine.instant(planned, 20_000, windows=windows))) == [Labels({"i": "1"})]


def test_a_late_sample_within_the_range_is_counted() -> None:
    store = SeriesStore(retention_ms=60_000)
    engine, planned = Engine(store), plan("count_over_time(m[10s])")
    windows = engine.windows()
    store.append(labels_of(0), 1_000, 1.0)
    assert elements(engine.instant(planned, 9_000, windows=windows)) == {Labels({"i": "0"}): 1.0}
    store.append(labels_of(0), 2_000, 1.0)  # read at 2 s, stored after the evaluation at 9 s
    assert elements(engine.instant(planned, 9_000, windows=windows)) == {Labels({"i": "0"}): 2.0}
    assert elements(engine.instant(planned, 11_000, windows=windows)) == {Labels({"i": "0"}): 1.0}


class Plain:
    """A source that tells no versions, such as recorded history."""

    def __init__(self) -> None:
        self.series: list[Series] = []

    def select(self, _: Sequence[Matcher], /) -> Sequence[Series]:
        return list(self.series)


def test_a_source_without_versions_is_asked_at_each_evaluation() -> None:
    source = Plain()
    engine, planned = Engine(source), plan("count_over_time(m[10s])")
    windows = engine.windows()
    assert elements(engine.instant(planned, 1_000, windows=windows)) == {}
    series = Series(labels_of(0))
    series.append(1_500, 1.0)
    source.series.append(series)
    assert len(elements(engine.instant(planned, 2_000, windows=windows))) == 1
