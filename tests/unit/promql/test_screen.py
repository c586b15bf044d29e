"""Screens: what they rule out never is, what they call sure always is, and bounds bound."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import STALE, Series, SeriesStore, is_stale
from stewardmon.errors import EvaluationError, ExpressionError
from stewardmon.promql import Engine, Plan, Scalar, Vector, plan
from stewardmon.promql.screen import Screen, Search
from stewardmon.promql.screen.bounds import UNKNOWN
from stewardmon.promql.screen.digest import BLOCK, Digest
from stewardmon.promql.screen.elements import UndecidedError
from tests.support.expressions import BASE, LENGTH, Generator, series

LENGTHS = (0, 1000, 15_000, 60_000, 300_000, 1_200_000)


def gappy(random: Random) -> SeriesStore:
    """Return the generator's series with holes, ends in between, and odd values."""
    store = SeriesStore(retention_ms=10**15)
    for one in series(random):
        holes = random.random() < 0.3
        for at, value in one.points:
            if not holes or random.random() < 0.8:
                ended = random.random() < 0.01
                store.append(one.labels, round(at * 1000), STALE if ended else value)
    return store


def expression(generator: Generator, random: Random) -> Plan | None:
    text = generator.expression()
    if random.random() < 0.6:
        op = random.choice([">", "<", ">=", "==", "!=", "<="])
        text = f"({text}) {op} {random.choice(['0', '1', '10', '-5', '100', '0.5'])}"
    try:
        return plan(text)
    except ExpressionError:
        return None


def found(engine: Engine, planned: Plan, at_ms: int) -> dict[Labels, float] | None:
    """Return what the engine finds; None for a mistake in the data."""
    try:
        result = engine.instant(planned, at_ms)
    except EvaluationError:
        return None
    if isinstance(result, Scalar):
        return {Labels(): result.value}
    assert isinstance(result, Vector)
    return dict(result.samples)


def check(screen: Screen, engine: Engine, planned: Plan, first_ms: int, last_ms: int) -> bool:
    """Hold a screen's word against the engine's; return whether it ruled the span out."""
    step = max(1, (last_ms - first_ms) // 4)
    whole = [found(engine, planned, at_ms) for at_ms in range(first_ms, last_ms + 1, step)]
    said = (planned.text, first_ms, last_ms)
    may = screen.may(planned, first_ms, last_ms)
    assert may or all(one == {} for one in whole), said
    if screen.must(planned, first_ms, last_ms):
        assert all(one is None or one for one in whole), said
    try:
        possible = {one.labels: one for one in screen.possible(planned, first_ms, last_ms)}
    except UndecidedError:
        return False
    for elements in whole:
        assert elements is not None, said  # a mistake is nothing that it may rule out
        for labels, value in elements.items():
            low, high = possible[labels].bounds
            assert (low, high) == UNKNOWN or low <= value <= high, (said, labels, value)
        assert all(one.labels in elements for one in possible.values() if one.sure), said
    return not may


@pytest.mark.parametrize("seed", range(4))
def test_what_a_screen_rules_out_never_is_and_bounds_bound(seed: int) -> None:
    random = Random(seed)
    store = gappy(random)
    engine, screen, generator = Engine(store), Screen(store), Generator(seed)
    spans = out = 0
    for _ in range(40):
        planned = expression(generator, random)
        for _ in range(3 if planned is not None else 0):
            first_ms = (BASE + random.randrange(-300, LENGTH + 300)) * 1000
            first_ms += random.choice([0, 1, 499, 500, 501])
            assert planned is not None
            out += check(screen, engine, planned, first_ms, first_ms + random.choice(LENGTHS))
            spans += 1
    assert out > spans / 10  # it is of some use


# An hour of good health, 15 s apart.
HEALTHY: dict[str, Callable[[int], float]] = {
    "probe_success": lambda _: 1.0,
    "seconds": lambda n: 0.1 + (n % 7) / 100,
    "steady_total": lambda _: 400.0,
    "busy_total": lambda n: 10.0 * n,
    "bytes": lambda n: 1e9 + n,
}
NEVER = (
    "probe_success == 0",
    "probe_success{job='app'} != 1",
    "1 - avg by (job) (avg_over_time(probe_success[5m])) > 0.05",
    "quantile_over_time(0.95, seconds[2m]) > 5",
    "max_over_time(seconds[1h]) > 0.5 and min_over_time(probe_success[1h]) == 0",
    "increase(steady_total[10m]) > 0",
    "rate(busy_total[5m]) * 60 > 100",
    "delta(bytes[5m]) > 1e6",
    "count_over_time(probe_success[10m]) < 5 and on () vector(1)",
    "absent(probe_success)",
    "absent_over_time(probe_success{job='app'}[5m])",
    "probe_success unless on (job) probe_success",
    "time() - timestamp(probe_success) > 600",
    "sum(probe_success) < 1.5",
    "min(probe_success) == 0 or max(seconds) > 1",
    "(3 * 1e9 - bytes) / (bytes + 1) < 0.5",
    "clamp_max(abs(-seconds), 10) > 2",
    "label_replace(probe_success, 'a', '$1', 'job', '(.*)') == 0",
    "bytes / on () group_left () sum(bytes) > 0.9",
    "topk(2, seconds) > 1",
    "max_over_time(seconds[5m:30s]) > 1",
    "ceil(seconds) > 1",
    "round(seconds) > 2",
    "stddev_over_time(seconds[5m]) > 1",
    "changes(probe_success[10m]) > 0",
    "nothing > 0 or nothing < 0",
)


def healthy(count: int = 240) -> SeriesStore:
    store = SeriesStore(retention_ms=10**15)
    for name, value in HEALTHY.items():
        for job in ("app", "database"):
            labels = Labels({NAME: name, "job": job})
            for n in range(count):
                store.append(labels, n * 15_000, value(n))
    return store


@pytest.mark.parametrize("text", NEVER)
def test_good_health_is_ruled_out(text: str) -> None:
    store = healthy()
    engine, planned, screen = Engine(store), plan(text), Screen(store)
    instants = range(300_000, 240 * 15_000 + 1, 15_000)
    for at_ms in instants[::10]:
        assert found(engine, planned, at_ms) == {}
    assert Search(partial(screen.may, planned), instants).after(0) is None


@pytest.mark.parametrize(
    "text", ["nothing", "count_values('v', seconds)", "seconds @ 100", "1", "hour() > 25"]
)
def test_of_what_it_does_not_know_it_rules_nothing_out(text: str) -> None:
    store = healthy(8)
    may = Screen(store).may(plan(text), 0, 60_000)
    assert may is (text != "nothing")


def test_series_that_come_are_seen_after_a_renewal() -> None:
    store = healthy(8)
    screen, planned = Screen(store), plan("late > 0")
    assert not screen.may(planned, 0, 60_000)
    store.append(Labels({NAME: "late"}), 1000, 1.0)
    screen.renew()
    assert screen.may(planned, 0, 60_000)


samples = st.lists(
    st.tuples(
        st.integers(1, 40_000),
        st.one_of(
            st.floats(-1e3, 1e3),
            st.sampled_from([STALE, STALE, math.nan, math.inf, -math.inf, 1e308, -1e308]),
        ),
    ),
    min_size=1,
    max_size=5 * BLOCK,
)


@settings(max_examples=60, deadline=None)
@given(read=samples, cuts=st.lists(st.integers(0, 5 * BLOCK), min_size=6, max_size=6))
def test_a_digest_equals_reading_anew(read: list[tuple[int, float]], cuts: list[int]) -> None:
    series = Series(Labels({NAME: "m"}))
    digest = Digest(series)
    now = 0
    for place, (wait_ms, value) in enumerate(read):
        now += wait_ms
        series.append(now, value)
        if place not in cuts:
            continue
        first, last = sorted((cuts[0] % len(series.times), len(series.times)))
        held = [v for v in series.values[first:last] if not is_stale(v)]
        got = digest.stretch(first, last)
        assert (got.kept, got.stale) == (len(held), last - first - len(held))
        if held and all(map(math.isfinite, held)) and math.isfinite(sum(map(abs, held))):
            assert (got.least, got.most) == (min(held), max(held))
            assert digest.total(first, last) == pytest.approx(math.fsum(held), abs=1e-6)
        elif held:
            assert not math.isfinite(got.most - got.least)
        times = series.times[first:last]
        widest = max((b - a for a, b in pairwise(times)), default=0)
        before = series.times[first] - series.times[first - 1] if first else 0
        assert widest <= digest.widest_gap(first, last) <= max(widest, before)
        if cuts[1] % 3 == 0:
            series.trim(series.times[cuts[2] % len(series.times)])


@settings(max_examples=60, deadline=None)
@given(
    there=st.sets(st.integers(0, 199), max_size=12),
    asked=st.lists(st.integers(0, 210), max_size=12),
)
def test_a_search_finds_every_instant_and_rules_out_most(there: set[int], asked: list[int]) -> None:
    instants = [place * 15_000 for place in range(200)]
    marks = sorted(place * 15_000 for place in there)
    looks = 0

    def may(first: int, last: int) -> bool:
        nonlocal looks
        looks += 1
        return bisect_left(marks, first) < bisect_right(marks, last)

    search = Search(may, instants)
    for place in sorted(asked):
        at_ms = place * 15_000 - 1
        got = search.after(at_ms)
        wanted = next((mark for mark in marks if mark > at_ms), None)
        assert (got is None) <= (wanted is None)
        assert got is None or at_ms < got <= (wanted or got)
    assert looks <= 2 + 14 * len(there) + 14
