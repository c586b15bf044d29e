"""Samples of many series side by side: what a write leaves in the tail of the history."""

from __future__ import annotations

import struct
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, islice
from operator import itemgetter, le
from typing import Final

from stewardmon.ports import Points
from stewardmon.stores.chunks import DamagedError, from_bytes, to_bytes
from stewardmon.stores.track import Track

_FAST: Final = 1  # zlib's level
_COUNT: Final = struct.Struct("<I")
_ENTRY: Final = 16  # bytes: a series' number, how many samples it has


class Batch:
    """Series numbers and how many samples each has, then all their times and all their values.

    Four columns and no object for each series: a batch of 150,000 series is cut by series, and
    batches are put together, without a look at any of them. A series may stand there again.
    """

    __slots__ = ("counts", "idents", "times", "values")

    def __init__(
        self, idents: array[int], counts: array[int], times: array[int], values: array[float]
    ) -> None:
        self.idents = idents
        self.counts = counts
        self.times = times
        self.values = values

    @classmethod
    def of(cls, written: Iterable[tuple[int, Points]]) -> Batch:
        """Return points by series number as a batch, in the order of the numbers."""
        batch = cls(array("q"), array("q"), array("q"), array("d"))
        idents, counts, times, values = batch.idents, batch.counts, batch.times, batch.values
        last = -1
        for ident, points in sorted(written, key=itemgetter(0)):
            if len(points) == 1:  # most often: no columns are made of a single point
                ((at, value),) = points
                goes_on, count = ident == last and at > times[-1], 1
                times.append(at)
                values.append(value)
            else:
                track = Track.of(points)
                goes_on, count = ident == last and track.times[0] > times[-1], len(track)
                times.extend(track.times)
                values.extend(track.values)
            if goes_on:
                counts[-1] += count
            else:
                idents.append(ident)
                counts.append(count)
            last = ident
        return batch

    @classmethod
    def together(cls, batches: Sequence[Batch]) -> Batch:
        """Return several as one, the later ones behind."""
        whole = cls(array("q"), array("q"), array("q"), array("d"))
        for one in batches:
            whole.idents.extend(one.idents)
            whole.counts.extend(one.counts)
            whole.times.extend(one.times)
            whole.values.extend(one.values)
        return whole

    def __len__(self) -> int:
        return len(self.times)

    def tracks(self) -> Iterator[tuple[int, Track]]:
        """Yield each series' samples, in the order in which they stand here."""
        at = 0
        for ident, count in zip(self.idents, self.counts, strict=True):
            yield ident, Track(self.times[at : at + count], self.values[at : at + count])
            at += count

    def slots(self, size: int) -> Iterator[tuple[int, Batch]]:
        """Yield the parts of so many consecutive series numbers each, and which part it is."""
        if not all(map(le, self.idents, islice(self.idents, 1, None))):
            yield from Batch.of(self.tracks()).slots(size)  # as they were written once
            return
        edges = array("q", accumulate(self.counts, initial=0))
        first = 0
        while first < len(self.idents):
            slot = self.idents[first] // size
            after = bisect_left(self.idents, (slot + 1) * size, first)
            start, end = edges[first], edges[after]
            yield (
                slot,
                Batch(
                    self.idents[first:after],
                    self.counts[first:after],
                    self.times[start:end],
                    self.values[start:end],
                ),
            )
            first = after

    def pack(self) -> bytes:
        """Return the bytes of the batch."""
        index = array("q", chain.from_iterable(zip(self.idents, self.counts, strict=True)))
        columns = to_bytes(index) + to_bytes(self.times) + to_bytes(self.values)
        return zlib.compress(_COUNT.pack(len(self.idents)) + columns, _FAST)


def unpack_batch(body: bytes) -> Batch:
    """Return what `pack` wrote; raises DamagedError for anything else."""
    try:
        raw = zlib.decompress(body)
        (series,) = _COUNT.unpack_from(raw)
        start = _COUNT.size + _ENTRY * series
        index = from_bytes("q", raw[_COUNT.size : start])
        idents, counts = index[::2], index[1::2]
        middle = start + 8 * sum(counts)
        times, values = from_bytes("q", raw[start:middle]), from_bytes("d", raw[middle:])
    except (struct.error, zlib.error, ValueError) as error:
        raise DamagedError(f"the newest part of the history is damaged ({error})") from None
    if not len(idents) == len(counts) == series or len(times) != len(values):
        raise DamagedError("the newest part of the history is damaged (it was cut short)")
    return Batch(idents, counts, times, values)


def series_in(body: bytes) -> array[int]:
    """Return which series are in a packed batch, without its samples."""
    try:
        stream = zlib.decompressobj()
        raw = stream.decompress(body, _COUNT.size)
        (series,) = _COUNT.unpack(raw)
        index = b""
        while len(index) < _ENTRY * series:
            more = stream.decompress(stream.unconsumed_tail, _ENTRY * series - len(index))
            if not more:
                break
            index += more
        return from_bytes("q", index)[::2]
    except (struct.error, zlib.error, ValueError) as error:
        raise DamagedError(f"the newest part of the history is damaged ({error})") from None
