"""Five-minute roll-ups: what is left of samples that are older than raw history is kept."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import fsum, isnan
from typing import Final

from stewardmon.stores.chunks import DamagedError, pack, unpack
from stewardmon.stores.track import Track, joined

STEP_MS: Final = 5 * 60_000
_COLUMNS: Final = 5
_SIZES: Final = struct.Struct(f"<{_COLUMNS}I")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollup:
    """Statistics of one series by five minutes, each a track at the last millisecond of its span.

    NaN counts as no sample, and so does the stale marker; spans without samples are left out.
    """

    mean: Track
    least: Track
    most: Track
    count: Track
    last: Track

    @property
    def columns(self) -> tuple[Track, ...]:
        """Return the tracks in the order in which they are kept."""
        return self.mean, self.least, self.most, self.count, self.last


def roll_up(track: Track) -> Rollup | None:
    """Return the statistics of a track, None where it holds nothing but NaN."""
    times = array("q")
    columns = tuple(array("d") for _ in range(_COLUMNS))
    for start, part in track.parts(STEP_MS):
        values = [value for value in part.values if not isnan(value)]
        if not values:
            continue
        times.append(start + STEP_MS - 1)
        for column, value in zip(columns, _statistics(values), strict=True):
            column.append(value)
    return _of(Track(times, column) for column in columns) if times else None


def pack_rollup(rollup: Rollup) -> bytes:
    """Return the bytes of a roll-up that spans less than 24 days."""
    parts = [pack(column) for column in rollup.columns]
    return _SIZES.pack(*map(len, parts)) + b"".join(parts)


def unpack_rollup(body: bytes) -> Rollup:
    """Return the roll-up that `pack_rollup` wrote; raises DamagedError for anything else."""
    try:
        sizes = _SIZES.unpack_from(body)
    except struct.error as error:
        raise DamagedError(f"a roll-up of the history is damaged ({error})") from None
    parts, at = [], _SIZES.size
    for size in sizes:
        parts.append(unpack(body[at : at + size]))
        at += size
    return _of(parts)


def mean_of(body: bytes) -> Track:
    """Return only the means of a packed roll-up: what a chart of the far past shows."""
    try:
        size, *_ = _SIZES.unpack_from(body)
    except struct.error as error:
        raise DamagedError(f"a roll-up of the history is damaged ({error})") from None
    return unpack(body[_SIZES.size : _SIZES.size + size])


def merged(before: Rollup, after: Rollup) -> Rollup:
    """Return two roll-ups of one series as one; spans that both have stay as `before` has them."""
    pairs = zip(after.columns, before.columns, strict=True)
    return _of(joined(pair).ordered() for pair in pairs)


def _of(columns: Iterable[Track]) -> Rollup:
    mean, least, most, count, last = columns
    return Rollup(mean=mean, least=least, most=most, count=count, last=last)


def _statistics(values: Sequence[float]) -> tuple[float, ...]:
    mean = _sum(values) / len(values)
    return mean, min(values), max(values), float(len(values)), values[-1]


def _sum(values: Sequence[float]) -> float:
    try:
        return fsum(values)
    except (OverflowError, ValueError):  # beyond the doubles, or both infinities in one span
        return sum(values)
