"""Samples become bytes and come back bit for bit; roll-ups equal the plain statistics."""

from __future__ import annotations

import math
import struct
from array import array
from statistics import fmean

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stewardmon.domain.series import STALE
from stewardmon.errors import StoreError
from stewardmon.stores.batch import Batch, series_in, unpack_batch
from stewardmon.stores.chunks import Seen, pack, unpack
from stewardmon.stores.rollups import (
    STEP_MS,
    mean_of,
    merged,
    pack_rollup,
    roll_up,
    unpack_rollup,
)
from stewardmon.stores.track import Track, joined

HOUR = 3_600_000
values = st.floats() | st.sampled_from([0.0, -0.0, 1.0, STALE, math.nan, math.inf])
tracks = st.dictionaries(st.integers(-HOUR, HOUR), values, min_size=1, max_size=60).map(
    lambda points: Track.of(sorted(points.items()))
)


def bits(track: Track) -> list[tuple[int, bytes]]:
    return [(at, struct.pack("<d", value)) for at, value in track]


def flat(count: int = 240, value: float = 1.0, step: int = 15_000) -> Track:
    times = array("q", range(1_760_000_000_000, 1_760_000_000_000 + count * step, step))
    return Track(times, array("d", [value] * count))


@given(tracks)
@example(flat())
@example(flat(value=STALE))
@example(flat(count=1))
def test_a_chunk_comes_back_bit_for_bit(track: Track) -> None:
    assert bits(unpack(pack(track))) == bits(track)


@given(st.lists(tracks, max_size=5))
def test_a_batch_comes_back_bit_for_bit(batch: list[Track]) -> None:
    numbered = list(enumerate(batch, start=7))
    packed = Batch.of(numbered).pack()
    back = unpack_batch(packed)
    assert [(ident, bits(track)) for ident, track in back.tracks()] == [
        (ident, bits(track)) for ident, track in numbered
    ]
    assert list(series_in(packed)) == [ident for ident, _ in numbered]


numbered_tracks = st.lists(st.tuples(st.integers(0, 40), tracks), max_size=8)


@given(st.lists(numbered_tracks, max_size=4), st.integers(1, 12))
def test_a_tail_in_slots_has_each_series_as_it_was_written(
    written: list[list[tuple[int, Track]]], size: int
) -> None:
    slots: dict[int, list[Batch]] = {}
    for tracks_ in written:
        as_once = Batch.together([Batch.of([one]) for one in tracks_])  # in no order
        for slot, part in unpack_batch(as_once.pack()).slots(size):
            slots.setdefault(slot, []).append(part)
    found: dict[int, list[tuple[int, bytes]]] = {}
    for slot, parts in slots.items():
        for ident, track in unpack_batch(Batch.together(parts).pack()).tracks():
            assert ident // size == slot
            found.setdefault(ident, []).extend(bits(track))
    expected: dict[int, list[tuple[int, bytes]]] = {}
    for tracks_ in written:
        for ident, track in tracks_:
            expected.setdefault(ident, []).extend(bits(track))
    assert found == expected


def test_an_hour_of_nothing_new_takes_thirty_bytes() -> None:
    assert len(pack(flat())) == 30


def test_instants_that_were_seen_are_not_unpacked_again() -> None:
    times = array("q", [0, 10, 21, 30])
    first, second = (Track(times, array("d", [value] * 4)) for value in (1.0, 2.0))
    seen: Seen = {}
    assert unpack(pack(first), seen).times is unpack(pack(second), seen).times
    later = Track(array("q", [at + 5 for at in times]), first.values)
    assert unpack(pack(later), seen) == later


@pytest.mark.parametrize("damage", [b"", b"\x01", b"\x01\x03" + bytes(40), b"\x09" + bytes(40)])
def test_damaged_bytes_are_an_error(damage: bytes) -> None:
    with pytest.raises(StoreError, match="history"):
        unpack(damage)
    with pytest.raises(StoreError, match="history"):
        unpack_batch(damage)
    with pytest.raises(StoreError, match="history"):
        series_in(damage)
    with pytest.raises(StoreError, match="history"):
        mean_of(damage[:3])


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(-9, 9)), max_size=40))
def test_points_are_put_in_order_and_the_later_of_two_stays(
    points: list[tuple[int, float]],
) -> None:
    assert list(Track.of(points)) == sorted(dict(points).items())


@given(st.lists(tracks, max_size=4))
def test_joined_tracks_are_one_and_the_later_in_line_stays(some: list[Track]) -> None:
    expected: dict[int, float] = {}
    for track in some:
        expected.update(track)
    together = joined(some)
    assert list(together.times) == sorted(expected)
    assert bits(together) == bits(Track.of(sorted(expected.items())))


@given(tracks, st.integers(1, HOUR))
def test_parts_are_the_whole_cut_at_multiples(track: Track, length: int) -> None:
    parts = list(track.parts(length))
    assert bits(joined([part for _, part in parts])) == bits(track)
    assert all(start <= part.times[0] <= part.times[-1] < start + length for start, part in parts)
    assert all(start % length == 0 for start, _ in parts)


def test_a_track_is_a_sequence_of_points() -> None:
    track = flat(count=3)
    assert track[1] == (track.times[1], 1.0)
    assert list(track[1:]) == list(track)[1:]
    assert track == list(track)
    assert track != list(track)[1:]


@given(tracks)
def test_a_roll_up_equals_the_plain_statistics(track: Track) -> None:
    rolled = roll_up(track)
    spans: dict[int, list[float]] = {}
    for at, value in track:
        if not math.isnan(value):
            spans.setdefault(at // STEP_MS * STEP_MS + STEP_MS - 1, []).append(value)
    if rolled is None:
        assert not spans
        return
    assert list(rolled.mean.times) == sorted(spans)
    for place, inside in enumerate(spans[end] for end in sorted(spans)):
        assert rolled.least.values[place] == min(inside)
        assert rolled.most.values[place] == max(inside)
        assert rolled.count.values[place] == len(inside)
        assert rolled.last.values[place] == inside[-1]
        if all(map(math.isfinite, inside)) and max(map(abs, inside)) < 1e300:
            assert rolled.mean.values[place] == pytest.approx(fmean(inside))


@given(tracks)
def test_a_roll_up_comes_back(track: Track) -> None:
    rolled = roll_up(track)
    if rolled is not None:
        back = unpack_rollup(pack_rollup(rolled))
        pairs = zip(back.columns, rolled.columns, strict=True)
        assert all(bits(one) == bits(other) for one, other in pairs)
        assert bits(mean_of(pack_rollup(rolled))) == bits(rolled.mean)


def test_of_two_roll_ups_of_a_span_the_first_stays() -> None:
    early, late = roll_up(flat(count=40)), roll_up(flat(count=80, value=5.0))
    assert early is not None
    assert late is not None
    both = merged(early, late)
    assert list(both.mean)[: len(early.mean)] == list(early.mean)
    assert both.mean.values[-1] == 5.0
    assert len(both.count) == len(late.count)
