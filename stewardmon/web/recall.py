"""Reading history for charts: expressions and single metrics over a span, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.live import Live
from stewardmon.errors import StewardmonError
from stewardmon.ports import Points
from stewardmon.promql import Engine, Limits, Plan, plan

STEPS: Final = 150  # of a chart: finer than a phone can show
LONGEST: Final = timedelta(days=2)  # of an expression's chart: windows over more cost too much
_LIMITS: Final = Limits(max_samples=2_000_000)


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in Unix milliseconds."""

    start_ms: int
    end_ms: int

    @classmethod
    def until(cls, end: datetime, length: timedelta) -> Span:
        """Return the span of that length that ends at `end`."""
        end_ms = milliseconds(end)
        return cls(end_ms - int(length.total_seconds() * 1000), end_ms)

    @property
    def step_ms(self) -> int:
        """Return how far apart a chart's points stand."""
        return max((self.end_ms - self.start_ms) // STEPS, 1000)


async def metric(
    live: Live, name: str, span: Span, **labels: str
) -> Sequence[tuple[Labels, Points]]:
    """Return a metric's samples over a span by series; nothing where history cannot be read."""
    matchers = [Matcher(NAME, Op.EQUAL, name)]
    matchers += [Matcher(label, Op.EQUAL, value) for label, value in labels.items()]
    return await _read(live, matchers, span)


async def phases(live: Live, probe: str, span: Span) -> Sequence[tuple[Labels, Points]]:
    """Return the samples of a probe's phases, under whatever name its kind measures them."""
    matchers = [Matcher("probe", Op.EQUAL, probe), Matcher("phase", Op.NOT_EQUAL, "")]
    return await _read(live, matchers, span)


async def _read(
    live: Live, matchers: Sequence[Matcher], span: Span
) -> Sequence[tuple[Labels, Points]]:
    try:
        return await live.history.read(matchers, start_ms=span.start_ms, end_ms=span.end_ms)
    except StewardmonError:
        return ()


async def expression(live: Live, text: str, span: Span) -> list[tuple[Labels, Points]]:
    """Return an expression's values over a span by series; nothing where that fails.

    A chart explains a decision that has been made: whatever is wrong with it must not hide that.
    """
    try:
        planned = plan(text)
        samples = [
            found
            for matchers in planned.selectors
            for found in await live.history.read(
                matchers,
                start_ms=span.start_ms - planned.longest_range_ms,
                end_ms=span.end_ms,
            )
        ]
        return await asyncio.to_thread(_evaluated, planned, samples, span)
    except StewardmonError:
        return []


def _evaluated(
    planned: Plan, samples: Sequence[tuple[Labels, Points]], span: Span
) -> list[tuple[Labels, Points]]:
    store = SeriesStore(retention_ms=2 * (span.end_ms - span.start_ms + planned.longest_range_ms))
    for labels, points in samples:
        series = store.handle(labels)
        for at_ms, value in points:
            series.append(at_ms, value)
    step = span.step_ms
    start = span.start_ms - span.start_ms % step
    result = Engine(store, limits=_LIMITS).range(planned, start, span.end_ms, step)
    return list(result.series)
