"""A still picture of series, for queries: copied from memory and history, evaluated elsewhere.

The loops go on writing while a query is evaluated in a thread, so a query is given columns of its
own: copying them costs microseconds a series, evaluating over them may cost seconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import Labels, Matcher, metric_name
from stewardmon.domain.series import Series, SeriesStore
from stewardmon.ports import Clock, History
from stewardmon.promql import Plan, span_of

TURN_EVERY: Final = 500  # series copied between two turns of other loops


@dataclass(slots=True)
class Still:
    """One series as it was when the picture was taken."""

    labels: Labels
    times: array[int]
    values: array[float]
    base: int = 0


class Picture:
    """Series by matchers, none of which changes any more."""

    def __init__(self, series: Iterable[Still]) -> None:
        self._series = tuple(series)

    def select(self, matchers: Sequence[Matcher]) -> list[Still]:
        """Return the series that meet every matcher."""
        return [
            one
            for one in self._series
            if all(matcher.accepts(one.labels.value(matcher.name)) for matcher in matchers)
        ]


async def picture(
    plan: Plan,
    *,
    series: SeriesStore,
    history: History,
    clock: Clock,
    start_ms: int,
    end_ms: int,
) -> Picture:
    """Return what the plan may look at in a query from start to end.

    Memory holds what is newer than its retention; what is older comes from history.
    """
    since, until = span_of(plan, start_ms, end_ms)
    found: dict[Labels, Still] = {}
    copied = 0
    for matchers in plan.selectors:
        for one in series.select(matchers):
            if one.labels not in found:
                found[one.labels] = _cut(one, since, until)
                copied += 1
                if copied % TURN_EVERY == 0:
                    await clock.sleep(0)
    now_ms = milliseconds(clock.now())
    for matchers in plan.selectors:
        if since < now_ms - series.held_ms(metric_name(matchers)):
            older = await history.read(matchers, start_ms=since, end_ms=until)
            for labels, points in older:
                _put_before(found, labels, points)
    return Picture(found.values())


def _cut(one: Series, since: int, until: int) -> Still:
    low, high = bisect_left(one.times, since), bisect_right(one.times, until)
    return Still(one.labels, one.times[low:high], one.values[low:high])


def _put_before(
    found: dict[Labels, Still], labels: Labels, points: Sequence[tuple[int, float]]
) -> None:
    """Put what history has before what memory has of the same series."""
    known = found.get(labels)
    first = known.times[0] if known is not None and known.times else None
    times, values = array("q"), array("d")
    for at_ms, value in points:
        if first is not None and at_ms >= first:
            break
        times.append(at_ms)
        values.append(value)
    if known is not None:
        times.extend(known.times)
        values.extend(known.values)
    found[labels] = Still(labels, times, values)
