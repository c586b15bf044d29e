"""Classic histograms: quantiles and fractions from cumulative buckets.

Source: prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile.
"""

from __future__ import annotations

import math
from typing import Final

from stewardmon.domain.labels import Labels
from stewardmon.promql.frame import Frame, ScalarNode, VectorNode, drop_name
from stewardmon.promql.numbers import nearly, parse_number
from stewardmon.promql.results import Annotations, Elements

LE: Final = "le"
Buckets = list[tuple[float, float]]
"""Upper bound and cumulative count."""

_SMALL_DELTA: Final = 1e-12
"""Counts this close, relatively, are taken as equal: the noise of sums and rates."""


def quantile_node(share: ScalarNode, vector: VectorNode, share_at: int, at: int) -> VectorNode:
    """Return the evaluation of histogram_quantile(share, vector)."""

    def evaluate(frame: Frame) -> Elements:
        wanted = share(frame)
        if not 0 <= wanted <= 1:
            warn_of_quantile(frame.notes, wanted, share_at)
        found: Elements = []
        for labels, buckets in _grouped(frame, vector(frame), at):
            value, forced = bucket_quantile(wanted, buckets)
            if forced is not None:
                name = labels.value("__name__") if frame.delayed else ""
                frame.notes.forced(name, at, frame.at_ms, forced)
            found.append((drop_name(labels, delayed=frame.delayed), value))
        return found

    return evaluate


def fraction_node(lower: ScalarNode, upper: ScalarNode, vector: VectorNode, at: int) -> VectorNode:
    """Return the evaluation of histogram_fraction(lower, upper, vector)."""

    def evaluate(frame: Frame) -> Elements:
        low, high = lower(frame), upper(frame)
        return [
            (drop_name(labels, delayed=frame.delayed), bucket_fraction(low, high, buckets))
            for labels, buckets in _grouped(frame, vector(frame), at)
        ]

    return evaluate


def warn_of_quantile(notes: Annotations, share: float, at: int) -> None:
    """Note that a quantile is outside of 0 to 1."""
    text = "NaN" if share != share else f"{share:g}".replace("inf", "Inf")
    text = f"+{text}" if text == "Inf" else text
    notes.warn(f"quantile value should be between 0 and 1, got {text}", at)


def _grouped(frame: Frame, elements: Elements, at: int) -> list[tuple[Labels, Buckets]]:
    groups: dict[Labels, tuple[Labels, Buckets]] = {}
    for labels, count in elements:
        text = labels.value(LE)
        bound = parse_number(text)
        if bound is None:
            name = labels.value("__name__") if frame.delayed else ""
            named = f' for metric name "{name}"' if name else ""
            frame.notes.warn(
                f'bucket label "le" is missing or has a malformed value of "{text}"{named}', at
            )
            continue
        rest = labels.without(LE)
        groups.setdefault(rest, (rest, []))[1].append((bound, count))
    return list(groups.values())


def bucket_quantile(
    share: float, buckets: Buckets
) -> tuple[float, tuple[float, float, float] | None]:
    """Return the quantile, and what had to be corrected to make the counts rise.

    The correction is (lowest bound, highest bound, largest difference). Interpolates linearly
    within a bucket; NaN without a +Inf bucket or without observations.
    """
    if share != share:
        return math.nan, None
    if share < 0:
        return -math.inf, None
    if share > 1:
        return math.inf, None
    buckets = sorted(buckets, key=lambda bucket: bucket[0])
    if buckets[-1][0] != math.inf:
        return math.nan, None
    buckets, forced = _made_monotonic(_merged(buckets))
    if len(buckets) < 2 or buckets[-1][1] == 0:
        return math.nan, forced
    return _interpolated(share, buckets), forced


def _interpolated(share: float, buckets: Buckets) -> float:
    rank = share * buckets[-1][1]
    last = len(buckets) - 1
    index = next((i for i in range(last) if buckets[i][1] >= rank), last)
    if index == last:
        return buckets[-2][0]
    end, count = buckets[index]
    if index == 0:
        if end <= 0:
            return end
        start = 0.0
    else:
        start, before = buckets[index - 1]
        count -= before
        rank -= before
    share_of_bucket = rank / count if count else math.nan
    return start + (end - start) * share_of_bucket


def _merged(buckets: Buckets) -> Buckets:
    """Add up buckets of the same bound (`1` and `1.0`)."""
    merged: Buckets = []
    for bound, count in buckets:
        if merged and merged[-1][0] == bound:
            merged[-1] = (bound, merged[-1][1] + count)
        else:
            merged.append((bound, count))
    return merged


def _made_monotonic(buckets: Buckets) -> tuple[Buckets, tuple[float, float, float] | None]:
    risen = [buckets[0]]
    low, high, largest, forced = math.inf, -math.inf, 0.0, False
    previous = buckets[0][1]
    for bound, count in buckets[1:]:
        if count == previous or nearly(previous, count, _SMALL_DELTA):
            risen.append((bound, previous))
        elif count < previous:
            forced = True
            low, high = min(low, bound), max(high, bound)
            largest = max(largest, previous - count)
            risen.append((bound, previous))
        else:
            risen.append((bound, count))
            previous = count
    return risen, (low, high, largest) if forced else None


def bucket_fraction(lower: float, upper: float, buckets: Buckets) -> float:
    """Return the share of observations between two values, interpolated linearly."""
    buckets = sorted(buckets, key=lambda bucket: bucket[0])
    if buckets[-1][0] != math.inf:
        return math.nan
    buckets = _merged(buckets)
    count = buckets[-1][1]
    if count == 0 or count != count or lower != lower or upper != upper:
        return math.nan
    if lower >= upper:
        return 0.0
    return (_rank_of(upper, buckets) - _rank_of(lower, buckets)) / count


def _rank_of(value: float, buckets: Buckets) -> float:
    """Return how many observations lie below the value."""
    start = -math.inf if buckets[0][0] <= 0 else 0.0
    rank = 0.0
    for bound, count in buckets:
        if start >= value:
            return min(rank, buckets[-1][1])
        if bound > value:
            if start == -math.inf:
                return min(count, buckets[-1][1])
            part = (value - start) / (bound - start)
            return min(rank + (count - rank) * part, buckets[-1][1])
        rank, start = count, bound
    return buckets[-1][1]
