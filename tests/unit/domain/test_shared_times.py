"""Series that share their times read as series that do not, whatever is done to them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import SeriesStore

MINUTE = 60_000
UP, TOOK, CODE, SIZE = (Labels({NAME: name, "probe": "app"}) for name in ("up", "s", "code", "b"))
ALL = [UP, TOOK, CODE, SIZE]
SHAPES: Sequence[list[Labels]] = (ALL, [UP, TOOK], [UP, CODE, SIZE], [UP, UP, TOOK])


def head() -> SeriesStore:
    store = SeriesStore(retention_ms=6 * MINUTE)
    store.longer = {"s": 20 * MINUTE}
    return store


def held(store: SeriesStore) -> dict[Labels, tuple[list[int], list[float], int, int]]:
    found = {}
    for one in store.select(()):
        found[one.labels] = list(one.times), list(one.values), one.base, one.dropped
    return found


def columns(store: SeriesStore) -> int:
    return len({id(one.times) for one in store.select(())})


DEEDS = st.one_of(
    st.tuples(st.just("all"), st.sampled_from(range(len(SHAPES)))),
    st.tuples(st.just("bind"), st.sampled_from(range(len(SHAPES)))),
    st.tuples(st.just("one"), st.sampled_from(range(len(ALL)))),
    st.tuples(st.just("stale"), st.sampled_from(range(len(ALL)))),
    st.tuples(st.just("older"), st.sampled_from(range(len(ALL)))),
    st.tuples(st.just("again"), st.sampled_from(range(len(SHAPES)))),
    st.tuples(st.just("memory"), st.sampled_from((6, 9, 20))),
    st.tuples(st.just("wait"), st.sampled_from((1, 5, 9))),
)


def do(store: SeriesStore, deed: str, what: int, now_ms: int) -> None:
    match deed:
        case "all":
            shape = SHAPES[what]
            store.append_all(shape, now_ms, [float(place) for place in range(len(shape))])
        case "again":  # late: it is dropped wherever something newer stands
            shape = SHAPES[what]
            store.append_all(shape, now_ms - MINUTE, [9.0] * len(shape))
        case "one":
            store.append(ALL[what], now_ms, 5.0)
        case "stale":
            store.mark_stale(ALL[what], now_ms)
        case "older":
            store.handle(ALL[what]).prepend([(now_ms - 30 * MINUTE, 7.0)])
        case "memory":
            store.longer = {"s": what * MINUTE, "code": 12 * MINUTE}
    store.trim(now_ms)


@given(st.lists(DEEDS, max_size=60))
def test_sharing_changes_nothing_that_is_read(deeds: list[tuple[str, int]]) -> None:
    alone, together = head(), head()
    now_ms = 100 * MINUTE
    for deed, what in deeds:
        now_ms += what * MINUTE if deed == "wait" else 15_000
        if deed == "bind":
            together.bind(SHAPES[what])
            continue
        for store in (alone, together):
            do(store, deed, what, now_ms)
        assert repr(held(together)) == repr(held(alone))  # NaN is not equal to itself
        assert together.sample_count == alone.sample_count


def test_those_that_are_kept_equally_long_share_one_column() -> None:
    store = head()
    for at in range(100):
        store.append_all(ALL, at * 15_000, [1.0, 0.1, 200.0, 5.0])
        if at == 0:
            store.bind(ALL)
        store.trim(at * 15_000)
    assert columns(store) == 2  # `s` is kept for longer
    up, took, *_ = (len(one.times) for one in store.select(()))
    assert 24 <= up < 34
    assert 80 <= took < 92


def test_one_that_ends_goes_its_own_way() -> None:
    store = head()
    store.append_all(ALL, 0, [1.0] * 4)
    store.bind(ALL)
    store.mark_stale(CODE, 15_000)
    assert columns(store) == 3
    assert [len(one.times) for one in store.select(())] == [1, 1, 2, 1]


def test_every_series_has_its_value() -> None:
    store = head()
    with pytest.raises(ValueError, match="4 series and 1 values"):
        store.append_all(ALL, 0, [1.0])
    assert held(store) == {}


def test_what_is_put_before_one_is_put_before_no_other() -> None:
    store = head()
    store.append_all(ALL, MINUTE, [1.0] * 4)
    store.bind(ALL)
    store.handle(CODE).prepend([(0, 500.0)])
    store.append_all(ALL, 2 * MINUTE, [1.0] * 4)
    assert {one.labels: list(one.times) for one in store.select(())} == {
        UP: [MINUTE, 2 * MINUTE],
        TOOK: [MINUTE, 2 * MINUTE],
        CODE: [0, MINUTE, 2 * MINUTE],
        SIZE: [MINUTE, 2 * MINUTE],
    }


def test_one_that_is_to_be_kept_for_longer_is() -> None:
    store = head()
    for at in range(100):
        store.append_all(ALL, at * 15_000, [1.0] * 4)
        if at == 0:
            store.bind(ALL)
        if at == 20:
            store.longer = {"s": 20 * MINUTE, "code": 60 * MINUTE}
        store.trim(at * 15_000)
    assert [len(one.times) > 99 for one in store.select(())] == [False, False, True, False]


def test_one_that_comes_while_others_end_begins_anew() -> None:
    store = head()
    store.append_all(ALL, 0, [1.0] * 4)
    store.bind(ALL)
    now_ms = 30 * MINUTE
    ending = store.trimming(now_ms)
    next(ending)
    store.append_all(ALL, now_ms, [2.0] * 4)
    list(ending)
    assert {one.labels: list(one.values) for one in store.select(())} == {
        UP: [2.0], TOOK: [1.0, 2.0], CODE: [1.0, 2.0], SIZE: [1.0, 2.0],
    }  # fmt: skip
    assert {len(one.times) == len(one.values) for one in store.select(())} == {True}
