"""The probe page: how fast, how often well, and why not, over an hour up to a quarter."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.clock import from_milliseconds, milliseconds
from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.labels import Labels
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.ports import Points, ProbeSpec
from stewardmon.web import charts, recall
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError
from stewardmon.web.incidents import read_time
from stewardmon.web.recall import Span
from stewardmon.web.render import machine
from stewardmon.web.tally import percent

SPANS: Final[Mapping[str, timedelta]] = {
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "quarter": timedelta(days=90),
}
KEPT: Final = timedelta(days=400)  # how far back history can reach
BUCKETS: Final = 120
OUTCOMES: Final = 40
_PHASES: Final = ("resolve", "connect", "tls", "processing", "transfer")
_TONES: Final = ("one", "two", "three", "four", "five")
DEPLOYS: Final = 5  # lines that a chart can bear
Found = Sequence[tuple[Labels, Points]]
Marks = Sequence[tuple[int, str]]

# A reason's series has a sample with each outcome; a pause of this many intervals ends a span.
_PAUSE: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """A span in which a probe kept giving the same reason."""

    reason: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What is read from history for one span."""

    latency: charts.Chart
    phases: charts.Chart | None
    outcomes: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Where a span that is shown begins and ends, and the ends of its neighbours as addresses.

    `later` is empty where the span beside it ends now, None where there is none.
    """

    start: datetime
    end: datetime
    earlier: str | None
    later: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeView:
    """Everything on the probe page."""

    spec: ProbeSpec
    seen: Seen | None
    span: str
    until: datetime | None
    drawn: Drawn
    ways: Ways
    bars: tuple[tuple[str, str], ...]
    share: str
    facts: tuple[tuple[str, str], ...]


def routes(front: Front) -> list[Route]:
    """Return the address of the probe page."""
    live = front.live
    views = _Kept()

    async def show(request: Request) -> Response:
        name = request.path_params["name"]
        span = request.query_params.get("span", "hour")
        if span not in SPANS:
            raise RequestError(f"span is one of {', '.join(SPANS)}")
        spec = next((one for one in live.config.probes if one.name == name), None)
        if spec is None:
            raise RequestError(f"there is no probe {name[:60]}", 404)
        now = live.clock.now()
        until = _until(request.query_params.get("until", ""), now=now)
        days = front.tally.quarter(name, today=now.astimezone(UTC).date())
        drawn = await views.get(
            name, span, until, lambda: draw(live, spec, SPANS[span], until=until)
        )
        view = ProbeView(
            spec=spec,
            seen=live.observations.latest.get(name),
            span=span,
            until=until,
            drawn=drawn,
            ways=ways(until or now, SPANS[span], now=now),
            bars=charts.bars(days.tones),
            share=percent(days.share),
            facts=_facts(live, spec),
        )
        return front.page(request, "probe.html", it=view, spans=tuple(SPANS))

    return [Route("/probes/{name}", show)]


def _until(text: str, *, now: datetime) -> datetime | None:
    """Return where the span that was asked for ends, None for now. Raises RequestError."""
    if not text:
        return None
    try:
        until = read_time(text[:50])
        return None if until >= now else max(until, now - KEPT)
    except (ValueError, OverflowError):
        raise RequestError(f"{text[:40]!r} is no time such as 2026-11-23T12:00:00Z") from None


def ways(end: datetime, length: timedelta, *, now: datetime) -> Ways:
    """Return the way from a span to the ones before and after it, as far as history may reach."""
    later = end + length
    return Ways(
        start=end - length,
        end=end,
        earlier=machine(end - length) if end - length > now - KEPT else None,
        later=None if end >= now else "" if later > now - length / BUCKETS else machine(later),
    )


class _Kept:
    """Keeps what was drawn for as long as it would look the same: long spans move slowly."""

    def __init__(self) -> None:
        self._drawn: dict[tuple[str, str, datetime | None], tuple[float, Drawn]] = {}
        self._drawing = asyncio.Lock()

    async def get(
        self,
        name: str,
        span: str,
        until: datetime | None,
        draw: Callable[[], Awaitable[Drawn]],
    ) -> Drawn:
        """Return what was drawn of a probe's span; drawn anew when that is too old."""
        key = (name, span, until)
        async with self._drawing:
            now = asyncio.get_running_loop().time()
            good_until, drawn = self._drawn.get(key, (-math.inf, None))
            if drawn is None or now >= good_until:
                drawn = await draw()
                self._drawn = {known: one for known, one in self._drawn.items() if one[0] > now}
                kept_for = SPANS[span].total_seconds() / BUCKETS / 10
                self._drawn[key] = (now + kept_for, drawn)
            return drawn


async def draw(
    live: Live, spec: ProbeSpec, length: timedelta, *, until: datetime | None = None
) -> Drawn:
    """Return the charts and outcomes of a span, read and computed off the event loop."""
    span = Span.until(until or live.clock.now(), length)
    durations = await recall.metric(live, "probe_duration_seconds", span, probe=spec.name)
    phases = await recall.phases(live, spec.name, span)
    reasons = await recall.metric(live, "stewardmon_probe_reason", span, probe=spec.name)
    # Five-minute means stand for what is older than raw history.
    pause = max(_PAUSE * spec.every, length / BUCKETS)
    return await asyncio.to_thread(
        _drawn, durations, phases, reasons, span, pause, _deploys(live, span)
    )


def _deploys(live: Live, span: Span) -> Marks:
    """Return the deploys within a span: what changed when, and the newest of many."""
    found = [(milliseconds(one.at), one.version) for one in live.deploys.listed()]
    return [mark for mark in found if span.start_ms <= mark[0] <= span.end_ms][-DEPLOYS:]


def _drawn(
    durations: Found, phases: Found, reasons: Found, span: Span, pause: timedelta, marks: Marks
) -> Drawn:
    points = sorted(point for _, found in durations for point in found)
    return Drawn(
        latency=latency(points, span, marks),
        phases=stacked(phases, span),
        outcomes=stretches(reasons, pause=pause)[:OUTCOMES],
    )


def latency(points: Points, span: Span, marks: Marks = ()) -> charts.Chart:
    """Return the median, the 95th percentile and the slowest answer over time.

    A deploy is a line from top to bottom.
    """
    columns = buckets(points, span)
    courses = [
        (name, tone, [(at, quantile(share, values)) for at, values in columns if values])
        for name, tone, share in (
            ("slowest", "three", 1.0),
            ("95 of 100", "two", 0.95),
            ("median", "one", 0.5),
        )
    ]
    scale = charts.scale(
        (value for _, _, course in courses for _, value in course),
        start_ms=span.start_ms,
        end_ms=span.end_ms,
    )
    gap_ms = 4 * (span.end_ms - span.start_ms) // BUCKETS
    values = sorted(value for _, value in points if not math.isnan(value))
    top = max(
        (value for _, _, one in courses for _, value in one if math.isfinite(value)), default=1
    )
    whole = span.end_ms - span.start_ms
    deploys = [
        charts.Line(
            name=f"deploy {version}",
            tone="five",
            path=charts.path([(at, 0.0), (at, top)], scale, gap_ms=whole),
        )
        for at, version in marks
    ]
    return charts.Chart(
        title="Time to answer",
        summary=_in_words(values),
        lines=(
            *(
                charts.Line(name=name, tone=tone, path=charts.path(course, scale, gap_ms=gap_ms))
                for name, tone, course in courses
            ),
            *deploys,
        ),
        highs=charts.highs(scale, _seconds),
        times=charts.times(span.start_ms, span.end_ms),
    )


def stacked(found: Found, span: Span) -> charts.Chart | None:
    """Return the mean of each phase over time, one upon the other; None where none is measured."""
    by_phase: dict[str, dict[int, float]] = {}
    for labels, points in found:
        means = by_phase.setdefault(labels.value("phase"), {})
        means.update({at: fmean(values) for at, values in buckets(points, span) if values})
    if not by_phase:
        return None
    instants = sorted({at for means in by_phase.values() for at in means})
    tops = [sum(means.get(at, 0.0) for means in by_phase.values()) for at in instants]
    scale = charts.scale(tops, start_ms=span.start_ms, end_ms=span.end_ms)
    lower = [(at, 0.0) for at in instants]
    lines = []
    for place, phase in enumerate(sorted(by_phase, key=_rank)):
        means = by_phase[phase]
        upper = [(at, below + means.get(at, 0.0)) for at, below in lower]
        tone = _TONES[place % len(_TONES)]
        lines.append(charts.Line(name=phase, tone=tone, path=charts.area(lower, upper, scale)))
        lower = upper
    return charts.Chart(
        title="Where the time goes",
        summary="means, one upon the other",
        lines=tuple(lines),
        highs=charts.highs(scale, _seconds),
        times=charts.times(span.start_ms, span.end_ms),
        filled="filled",
    )


def stretches(found: Found, *, pause: timedelta) -> tuple[Stretch, ...]:
    """Return the spans of equal reasons, newest first; `pause` without a sample ends one."""
    pause_ms = pause // timedelta(milliseconds=1)
    marks = sorted(
        (at, labels.value("reason"))
        for labels, points in found
        for at, value in points
        if not math.isnan(value)
    )
    spans: list[list[int | str]] = []
    for at, reason in marks:
        if spans and spans[-1][0] == reason and at - int(spans[-1][2]) <= pause_ms:
            spans[-1][2] = at
        else:
            spans.append([reason, at, at])
    return tuple(
        Stretch(
            reason=str(reason),
            start=from_milliseconds(int(start)),
            end=from_milliseconds(int(end)),
        )
        for reason, start, end in reversed(spans)
    )


def buckets(points: Points, span: Span) -> list[tuple[int, list[float]]]:
    """Return the readings of equal spans, each sorted, at the middle of its span."""
    times = [at for at, _ in points]
    width = (span.end_ms - span.start_ms) / BUCKETS
    edges = [bisect_left(times, span.start_ms + place * width) for place in range(BUCKETS + 1)]
    return [
        (
            round(span.start_ms + (place + 0.5) * width),
            sorted(value for _, value in points[begin:end] if not math.isnan(value)),
        )
        for place, (begin, end) in enumerate(pairwise(edges))
    ]


def quantile(share: float, values: Sequence[float]) -> float:
    """Return the smallest of the sorted values that `share` of them do not exceed."""
    return values[max(math.ceil(share * len(values)) - 1, 0)]


def _in_words(values: Sequence[float]) -> str:
    if not values:
        return "no readings"
    middle, slow = quantile(0.5, values), quantile(0.95, values)
    lost = sum(1 for value in values if math.isinf(value))
    late = f"; {lost} never came" if lost else ""
    return f"median {_seconds(middle)}, 95 of 100 within {_seconds(slow)}{late}"


def _seconds(value: float) -> str:
    return format_value(value, "seconds")


def _rank(phase: str) -> tuple[int, str]:
    return (_PHASES.index(phase) if phase in _PHASES else len(_PHASES), phase)


def _facts(live: Live, spec: ProbeSpec) -> tuple[tuple[str, str], ...]:
    """Return what the configuration says of the probe that may be shown: never an address."""
    newest = live.observations.latest.get(spec.name)
    return (
        ("Kind", spec.kind),
        ("Target", spec.instance or "–"),
        ("Asked every", format_since(spec.every)),
        ("Given up after", _seconds(spec.timeout.total_seconds())),
        ("Depends on", ", ".join(spec.depends_on) or "nothing"),
        ("Last answer took", _seconds(newest.outcome.duration) if newest else "no answer yet"),
    )
