"""The head: what is found by its labels, and what goes when it is old."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.series import Series, SeriesStore

MINUTE = 60_000
SETS = st.lists(
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(("", "x", "y"))), max_size=8
)
MATCHERS = st.lists(
    st.builds(Matcher, st.sampled_from("abc"), st.sampled_from(Op), st.sampled_from(("", "x"))),
    max_size=3,
)


def names(found: object) -> list[str]:
    assert isinstance(found, list)
    return [one.labels.value(NAME) for one in found if isinstance(one, Series)]


@given(sets=SETS, matchers=MATCHERS, gone=st.sets(st.integers(0, 7)))
def test_a_selection_is_what_meets_every_matcher_of_what_is_left(
    sets: list[dict[str, str]], matchers: list[Matcher], gone: set[int]
) -> None:
    store = SeriesStore(retention_ms=MINUTE)
    labels = [Labels({NAME: f"m{n}", **one}) for n, one in enumerate(sets)]
    store.append_all(labels, 1, [1.0] * len(labels))
    kept = [one for n, one in enumerate(labels) if n not in gone]
    store.append_all(kept, 2 * MINUTE, [2.0] * len(kept))
    store.trim(2 * MINUTE)
    wanted = [one for one in kept if all(matcher.matches(one) for matcher in matchers)]
    assert [series.labels for series in store.select(matchers)] == wanted
    assert store.label_names() == sorted({name for one in kept for name in one})


def test_trimming_by_steps_leaves_what_was_written_in_between() -> None:
    store = SeriesStore(retention_ms=MINUTE)
    old, saved = Labels({NAME: "up", "job": "old"}), Labels({"job": "saved"})
    store.append_all([old, saved], 0, [1.0, 1.0])
    steps = store.trimming(5 * MINUTE)
    gone = next(steps)
    store.append(saved, 5 * MINUTE, 1.0)
    gone += sum(steps)
    assert gone == 1
    assert [one.labels for one in store.select(())] == [saved]
    assert not store.holds("up")


def test_a_late_reading_among_many_is_dropped_and_counted() -> None:
    store = SeriesStore()
    up, down = Labels({NAME: "up"}), Labels({NAME: "down"})
    store.append(up, 2, 1.0)
    store.append_all([up, down], 1, [0.0, 0.0])
    assert store.dropped == 1
    assert names(store.select(())) == ["up", "down"]
