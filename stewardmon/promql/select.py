"""Selectors: the samples that an expression looks at, one instant at a time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stewardmon.domain.labels import Labels, Matcher
from stewardmon.domain.series import is_stale
from stewardmon.promql.frame import Frame, SeriesLike, VectorNode
from stewardmon.promql.nodes import Edge, MatrixSelector, Subquery, VectorSelector
from stewardmon.promql.ranges import Times, Values
from stewardmon.promql.results import Elements

Instant = Callable[[Frame], int]


def instant_of(selector: VectorSelector | Subquery) -> Instant:
    """Return the function from a frame to the instant a selector looks at (offset, @)."""
    offset = selector.offset_ms
    fixed = selector.fixed_ms
    if fixed is not None:
        moment = fixed - offset
        return lambda _: moment
    if selector.edge is Edge.START:
        return lambda frame: frame.start_ms - offset
    if selector.edge is Edge.END:
        return lambda frame: frame.end_ms - offset
    return lambda frame: frame.at_ms - offset


def key_of(matchers: Sequence[Matcher]) -> str:
    """Return a text that is equal for equal selections."""
    return ",".join(sorted(map(str, matchers)))


def position(series: SeriesLike, at_ms: int, lookback_ms: int) -> int:
    """Return the index of the newest sample at or before the instant, -1 where it counts as gone.

    Gone: none, older than the lookback (which is left-open), or a stale marker.
    """
    times = series.times
    index = len(times) - 1
    if index < 0:
        return -1
    if times[index] > at_ms:
        index = bisect_right(times, at_ms) - 1
        if index < 0:
            return -1
    if times[index] <= at_ms - lookback_ms:
        return -1
    value = series.values[index]
    return -1 if value != value and is_stale(value) else index


def instant_vector(selector: VectorSelector) -> VectorNode:
    """Return the evaluation of an instant vector selector."""
    moment = instant_of(selector)
    key, matchers = key_of(selector.matchers), selector.matchers

    def evaluate(frame: Frame) -> Elements:
        at_ms, lookback = moment(frame), frame.lookback_ms
        selected = frame.select(key, matchers)
        frame.budget.spend(len(selected))
        found: Elements = []
        for series in selected:
            index = position(series, at_ms, lookback)
            if index >= 0:
                found.append((series.labels, series.values[index]))
        if frame.reads is not None:
            frame.reads.samples += len(found)
        return found

    return evaluate


def sample_times(selector: VectorSelector) -> VectorNode:
    """Return the evaluation of timestamp(selector) before names are dropped: Unix seconds."""
    moment = instant_of(selector)
    key, matchers = key_of(selector.matchers), selector.matchers

    def evaluate(frame: Frame) -> Elements:
        at_ms = moment(frame)
        found: Elements = []
        for series in frame.select(key, matchers):
            index = position(series, at_ms, frame.lookback_ms)
            if index >= 0:
                found.append((series.labels, series.times[index] / 1000))
        if frame.reads is not None:
            frame.reads.samples += len(found)
        return found

    return evaluate


def samples_between(series: SeriesLike, start_ms: int, end_ms: int) -> tuple[Times, Values]:
    """Return the samples in the left-open range, without stale markers."""
    times, values = series.times, series.values
    first, last = bisect_right(times, start_ms), bisect_right(times, end_ms)
    if first >= last:
        return (), ()
    times, values = times[first:last], values[first:last]
    if any(value != value and is_stale(value) for value in values):
        kept = [
            (at, value)
            for at, value in zip(times, values, strict=True)
            if not (value != value and is_stale(value))
        ]
        return tuple(at for at, _ in kept), tuple(value for _, value in kept)
    return times, values


@dataclass(frozen=True, slots=True)
class RangeSelection:
    """The samples of many series in one range: what a range function works on."""

    start_ms: int
    end_ms: int
    series: Iterator[tuple[Labels, Times, Values]]


RangeNode = Callable[[Frame], RangeSelection]


def range_vector(selector: MatrixSelector) -> RangeNode:
    """Return the evaluation of a range vector selector; series without samples are left out."""
    vector = selector.vector
    moment = instant_of(vector)
    key, matchers, length = key_of(vector.matchers), vector.matchers, selector.range_ms

    def evaluate(frame: Frame) -> RangeSelection:
        end = moment(frame)
        start = end - length

        def read() -> Iterator[tuple[Labels, Times, Values]]:
            for series in frame.select(key, matchers):
                times, values = samples_between(series, start, end)
                frame.budget.spend(1 + len(times))
                if frame.reads is not None:
                    frame.reads.samples += len(times)
                if times:
                    yield series.labels, times, values

        return RangeSelection(start, end, read())

    return evaluate
