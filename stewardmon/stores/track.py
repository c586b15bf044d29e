"""Samples of one series in two columns: 16 bytes each, where a tuple of objects takes 112."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from operator import lt
from typing import overload


class Track(Sequence[tuple[int, float]]):
    """Points in time order, each instant once: `times` in milliseconds and `values` beside them.

    Reads as a sequence of (milliseconds, value); whoever needs speed takes the columns.
    """

    __slots__ = ("times", "values")

    def __init__(self, times: array[int], values: array[float]) -> None:
        self.times = times
        self.values = values

    @classmethod
    def of(cls, points: Sequence[tuple[int, float]]) -> Track:
        """Return points as columns, in time order; of two at one instant the later one stays."""
        if isinstance(points, Track):
            return points
        if not points:
            return cls(array("q"), array("d"))
        times, values = zip(*points, strict=True)
        return cls(array("q", times), array("d", values)).ordered()

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[tuple[int, float]]:
        return zip(self.times, self.values, strict=True)

    @overload
    def __getitem__(self, index: int) -> tuple[int, float]: ...
    @overload
    def __getitem__(self, index: slice) -> Track: ...
    def __getitem__(self, index: int | slice) -> tuple[int, float] | Track:
        if isinstance(index, slice):
            return Track(self.times[index], self.values[index])
        return self.times[index], self.values[index]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Track({list(self)!r})"

    def between(self, start_ms: int, end_ms: int) -> Track:
        """Return the points with start ≤ t ≤ end."""
        first = bisect_left(self.times, start_ms)
        last = bisect_right(self.times, end_ms)
        return self if first == 0 and last == len(self.times) else self[first:last]

    def before(self, end_ms: int) -> Track:
        """Return the points with t < end."""
        return self[: bisect_left(self.times, end_ms)]

    def since(self, start_ms: int) -> Track:
        """Return the points with start ≤ t."""
        return self[bisect_left(self.times, start_ms) :]

    def ordered(self) -> Track:
        """Return the points in time order; of several at one instant the last in line stays."""
        if all(map(lt, self.times, islice(self.times, 1, None))):
            return self
        known = dict(self)
        times = sorted(known)
        return Track(array("q", times), array("d", [known[at] for at in times]))

    def parts(self, length_ms: int) -> Iterator[tuple[int, Track]]:
        """Return the points cut at the multiples of a length, each part with its multiple."""
        place = 0
        while place < len(self.times):
            start = self.times[place] // length_ms * length_ms
            end = bisect_left(self.times, start + length_ms, place)
            yield start, self if end - place == len(self.times) else self[place:end]
            place = end


def joined(tracks: Sequence[Track]) -> Track:
    """Return several tracks as one; where they overlap, the later in line stays."""
    if len(tracks) == 1:
        return tracks[0]
    times, values = array("q"), array("d")
    for track in tracks:
        times.extend(track.times)
        values.extend(track.values)
    together = Track(times, values)
    edges = pairwise((one.times[0], one.times[-1]) for one in tracks if one.times)
    if all(earlier[1] < later[0] for earlier, later in edges):
        return together
    return together.ordered()
