"""Bounds of the range functions, for every instant in a span at once.

For an instant t with first ≤ t ≤ last, the window (t − range, t] holds all of the core
(last − range, first], and beyond it a part of what lies before the core and after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from operator import le
from typing import Final

from stewardmon.promql.numbers import sorted_quantile
from stewardmon.promql.screen.bounds import UNKNOWN, Bounds, checked, known, widened
from stewardmon.promql.screen.digest import NOTHING, Digest, Stretch, combined

MOST_SORTED: Final = 512
"""Samples that are put in order for a quantile; of more, the smallest and largest are told."""

_STRETCHED: Final = 2.2
"""rate() goes past the outermost samples by at most 1.1 mean intervals on either side."""

_EXACT: Final = 2.0**24  # whole numbers whose sums and means are exact however they are added


@dataclass(frozen=True, slots=True)
class Reach:
    """The windows of a span: all that any of them sees, and the core that each of them sees.

    Places are indices into the series; the core is empty where `core_first` equals `core_last`.
    """

    digest: Digest
    first: int
    core_first: int
    core_last: int
    last: int
    first_ms: int
    range_ms: int
    whole: Stretch
    core: Stretch

    def edges(self) -> Stretch:
        """Return what lies in some windows only."""
        return combined(
            self.digest.stretch(self.first, self.core_first),
            self.digest.stretch(self.core_last, self.last),
        )

    def core_values(self) -> list[float]:
        """Return the core's samples, stale markers left out."""
        values = self.digest.series.values[self.core_first : self.core_last]
        return [value for value in values if value == value]


def reach(digest: Digest, first_ms: int, last_ms: int, range_ms: int) -> Reach | None:
    """Return what the windows ending within [first, last] see; None where that is nothing."""
    times = digest.series.times
    first, last = bisect_right(times, first_ms - range_ms), bisect_right(times, last_ms)
    if first >= last:
        return None
    whole = digest.stretch(first, last)
    if not whole.kept:
        return None
    core_first, core_last = bisect_right(times, last_ms - range_ms), bisect_right(times, first_ms)
    if core_first >= core_last:
        return Reach(digest, first, last, last, last, first_ms, range_ms, whole, NOTHING)
    core = digest.stretch(core_first, core_last)
    places = (first, core_first, core_last, last)
    return Reach(digest, *places, first_ms, range_ms, whole, core)


def instant(
    digest: Digest, first_ms: int, last_ms: int, lookback_ms: int
) -> tuple[Bounds, bool] | None:
    """Return the bounds of the newest sample, and whether there is one at each instant in between.

    None where there is none at any instant.
    """
    times = digest.series.times
    newest, last = bisect_right(times, first_ms) - 1, bisect_right(times, last_ms)
    fresh = newest >= 0 and times[newest] > first_ms - lookback_ms
    first = newest if fresh else newest + 1
    if first >= last:
        return None
    seen = digest.stretch(first, last)
    if not seen.kept:
        return None
    sure = fresh and not seen.stale and _lasts(digest, first, last, last_ms, lookback_ms)
    return checked(seen.least, seen.most), sure


def _lasts(digest: Digest, first: int, last: int, last_ms: int, length_ms: int) -> bool:
    """Say whether from the first sample on there is always one that is younger than a length."""
    return (
        last_ms - digest.series.times[last - 1] < length_ms
        and digest.widest_gap(first, last) <= length_ms
    )


def over_time(name: str, seen: Reach, argument: Bounds) -> Bounds:
    """Return the bounds of a range function where it has a result."""
    if name in {"present_over_time", "count_over_time"}:
        return _COUNTS[name](seen)
    if not known((seen.whole.least, seen.whole.most)):
        return UNKNOWN
    if name == "quantile_over_time":
        return _quantile(seen, argument)
    bound = _BOUNDS.get(name)
    return UNKNOWN if bound is None else bound(seen)


def surely(name: str, seen: Reach, last_ms: int) -> bool | None:
    """Say whether the function has a result at each instant; None where it has none at any."""
    least = 2 if name in _PAIRS else 1
    if seen.whole.kept < least:
        return None
    if seen.core.kept >= least:
        return True
    whole, first = seen.whole, seen.first
    return (
        least == 1
        and not whole.stale
        and seen.digest.series.times[first] <= seen.first_ms
        and _lasts(seen.digest, first, seen.last, last_ms, seen.range_ms)
    )


_PAIRS: Final = frozenset(
    {"delta", "deriv", "idelta", "increase", "irate", "predict_linear", "rate"}
)


def _whole(seen: Reach) -> Bounds:
    return seen.whole.least, seen.whole.most


def _newest(seen: Reach) -> Bounds:
    """Bound the newest sample at any instant: the core's last one, and what comes after it."""
    if seen.core_last == seen.core_first:
        return _whole(seen)
    newest = seen.digest.stretch(seen.core_last - 1, seen.last)
    return _whole(seen) if newest.stale else (newest.least, newest.most)


def _least(seen: Reach) -> Bounds:
    return seen.whole.least, (seen.core.least if seen.core.kept else seen.whole.most)


def _most(seen: Reach) -> Bounds:
    return (seen.core.most if seen.core.kept else seen.whole.least), seen.whole.most


def _sum(seen: Reach) -> Bounds:
    edges, total = seen.edges(), seen.digest.total(seen.core_first, seen.core_last)
    low = total + edges.kept * min(0.0, edges.least)
    high = total + edges.kept * max(0.0, edges.most)
    if _is_exact(seen.whole):
        return checked(low, high)
    return widened(low, high, seen.whole.kept * _size(seen.whole))


def _mean(seen: Reach) -> Bounds:
    whole, core = seen.whole, seen.core
    if whole.least == whole.most and _is_exact(whole):
        return whole.least, whole.most
    low, high = whole.least, whole.most
    if core.kept:
        edges, total = seen.edges(), seen.digest.total(seen.core_first, seen.core_last)
        mean, count = total / core.kept, core.kept + edges.kept
        low = high = mean
        if edges.kept:
            low = min(mean, (total + edges.kept * edges.least) / count)
            high = max(mean, (total + edges.kept * edges.most) / count)
    return widened(low, high, _size(whole))


def _quantile(seen: Reach, argument: Bounds) -> Bounds:
    share, whole, core = argument[0], seen.whole, seen.core
    if share != argument[1] or not 0.0 <= share <= 1.0:
        return UNKNOWN
    low, high = whole.least, whole.most
    if core.kept and whole.kept <= MOST_SORTED:
        # With numbers that no other surpasses put in the edges' place, more of them draw the
        # quantile further: it lies between all of the smallest and all of the largest.
        numbers, more = sorted(seen.core_values()), whole.kept - core.kept
        low = sorted_quantile(share, [low] * more + numbers, nans=0)
        high = sorted_quantile(share, numbers + [high] * more, nans=0)
    return widened(low, high, _size(whole))


def _changes(seen: Reach) -> Bounds:
    steady = seen.whole.least == seen.whole.most
    return 0.0, (0.0 if steady else float(seen.whole.kept))


def _deviation(seen: Reach) -> Bounds:
    half = (seen.whole.most - seen.whole.least) / 2
    return widened(0.0, half, half and _size(seen.whole))


def _variance(seen: Reach) -> Bounds:
    half = (seen.whole.most - seen.whole.least) / 2
    return widened(0.0, half * half, half * _size(seen.whole))


def _increase(seen: Reach) -> Bounds:
    whole, values = seen.whole, seen.digest.series.values[seen.first : seen.last]
    if whole.least == whole.most:
        return 0.0, 0.0
    if whole.stale or not all(map(le, values, values[1:])):
        return UNKNOWN  # it was reset, or is no counter
    low = seen.core.most - seen.core.least if seen.core.kept else 0.0
    return widened(low, (whole.most - whole.least) * _stretch(seen), _size(whole))


def _rate(seen: Reach) -> Bounds:
    low, high = _increase(seen)
    seconds = seen.range_ms / 1000
    return widened(low / seconds, high / seconds, high / seconds)


def _delta(seen: Reach) -> Bounds:
    spread = (seen.whole.most - seen.whole.least) * _stretch(seen)
    return widened(-spread, spread, spread)


def _stretch(seen: Reach) -> float:
    return 1.0 + _STRETCHED / max(1, seen.core.kept - 1)


def _step(seen: Reach) -> Bounds:
    spread = seen.whole.most - seen.whole.least
    return -spread, spread


def _level(seen: Reach) -> Bounds:
    """Bound what is nought where nothing changes, and anything elsewhere."""
    return (0.0, 0.0) if seen.whole.least == seen.whole.most else UNKNOWN


def _foretold(seen: Reach) -> Bounds:
    whole = seen.whole
    if whole.least != whole.most:
        return UNKNOWN
    return widened(whole.least, whole.most, _size(whole))


def _is_exact(stretch: Stretch) -> bool:
    """Say whether all samples are one whole and small number: they add up exactly."""
    low, high = stretch.least, stretch.most
    return low == high and low.is_integer() and abs(low) <= _EXACT


def _size(stretch: Stretch) -> float:
    return max(abs(stretch.least), abs(stretch.most))


_COUNTS: Final[dict[str, Callable[[Reach], Bounds]]] = {
    "count_over_time": lambda seen: (float(max(1, seen.core.kept)), float(seen.whole.kept)),
    "present_over_time": lambda _: (1.0, 1.0),
}
_BOUNDS: Final[dict[str, Callable[[Reach], Bounds]]] = {
    "avg_over_time": _mean,
    "changes": _changes,
    "delta": _delta,
    "deriv": _level,
    "first_over_time": _whole,
    "idelta": _step,
    "increase": _increase,
    "irate": _level,
    "last_over_time": _newest,
    "max_over_time": _most,
    "min_over_time": _least,
    "predict_linear": _foretold,
    "rate": _rate,
    "resets": _changes,
    "stddev_over_time": _deviation,
    "stdvar_over_time": _variance,
    "sum_over_time": _sum,
}
