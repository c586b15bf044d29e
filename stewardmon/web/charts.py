"""Charts as SVG paths: numbers in, short strings out; colours and strokes are the stylesheet's.

Every chart is drawn on a fixed grid and stretched by the page, so that labels stay text of the
page's own size. Coordinates are whole numbers: a path of 200 probes must stay small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Final

Points = Sequence[tuple[int, float]]
Cells = Sequence[float | None]

WIDTH: Final = 600
HEIGHT: Final = 160
SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 24
SPARK_CELLS: Final = 24
DAY_WIDTH: Final = 4  # units of a bar and the gap beside it
_NICE: Final = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened at an instant of a chart: where it stands, and what it was."""

    x: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One course in a chart: its name, its class in the stylesheet, its path."""

    name: str
    tone: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A span of a chart: silenced, firing."""

    x: int
    width: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything that the chart's template draws.

    `highs` are the labels of the value axis from top to bottom, `times` those of the time axis
    from left to right; both are spread evenly. `threshold_y` is None where there is none in view.
    `filled` says that the paths are surfaces: `filled` (one upon the other) or `bars`.
    """

    title: str
    summary: str
    lines: tuple[Line, ...]
    highs: tuple[str, ...]
    times: tuple[tuple[str, str], ...]
    filled: str = ""
    threshold_y: int | None = None
    threshold_text: str = ""
    marks: tuple[Mark, ...] = ()
    bands: tuple[Band, ...] = ()

    @property
    def empty(self) -> bool:
        """Say whether there is nothing to draw."""
        return not any(line.path for line in self.lines)


@dataclass(frozen=True, slots=True)
class Scale:
    """From times and values to whole coordinates of the grid; y grows downwards."""

    start_ms: int
    end_ms: int
    low: float
    high: float

    def x(self, at_ms: float) -> int:
        """Return the column of an instant, kept within the chart."""
        span = max(self.end_ms - self.start_ms, 1)
        return round(min(max((at_ms - self.start_ms) / span, 0.0), 1.0) * WIDTH)

    def y(self, value: float) -> int:
        """Return the row of a value; what is infinite or beyond stands at the edge."""
        if self.high <= self.low:
            return HEIGHT // 2
        share = (value - self.low) / (self.high - self.low)
        return round((1.0 - min(max(share, 0.0), 1.0)) * HEIGHT)


def scale(
    values: Iterable[float], *, start_ms: int, end_ms: int, floor: float | None = 0.0
) -> Scale:
    """Return a scale that shows all finite values, from `floor` where that is below them."""
    finite = [value for value in values if math.isfinite(value)]
    low = min(finite, default=0.0)
    high = max(finite, default=1.0)
    if floor is not None:
        low = min(low, floor)
    if high <= low:
        high = low + 1.0
    step = _step((high - low) / 4)
    return Scale(start_ms, end_ms, math.floor(low / step) * step, math.ceil(high / step) * step)


def highs(scale: Scale, show: Callable[[float], str]) -> tuple[str, ...]:
    """Return the value axis' labels, from top to bottom: ends and middle."""
    return tuple(show(value) for value in (scale.high, (scale.low + scale.high) / 2, scale.low))


def times(start_ms: int, end_ms: int, *, count: int = 4) -> tuple[tuple[str, str], ...]:
    """Return the time axis' labels from left to right: as read, and as machines read them."""
    span = end_ms - start_ms
    form = "%H:%M" if span <= 26 * 3_600_000 else "%d %b"
    if span <= 10 * 60_000:
        form = "%H:%M:%S"
    instants = (
        datetime.fromtimestamp((start_ms + span * place / (count - 1)) / 1000, UTC)
        for place in range(count)
    )
    return tuple((f"{at:{form}}", f"{at:%Y-%m-%dT%H:%M:%SZ}") for at in instants)


def path(points: Points, scale: Scale, *, gap_ms: int) -> str:
    """Return the course as a path; it breaks where readings are further apart than `gap_ms`.

    Of many readings in one column only the lowest and the highest are drawn.
    """
    parts: list[str] = []
    last = (0, 0)
    last_ms: int | None = None
    for at_ms, value in _thinned(points, scale):
        if math.isnan(value):
            last_ms = None
            continue
        here = (scale.x(at_ms), scale.y(value))
        if last_ms is None or at_ms - last_ms > gap_ms:
            parts.append(f"M{here[0]} {here[1]}h0")
        elif here != last:
            parts.append(f"L{here[0]} {here[1]}")
        last, last_ms = here, at_ms
    return "".join(parts)


def area(lower: Points, upper: Points, scale: Scale) -> str:
    """Return the surface between two courses with the same instants."""
    there = [f"{scale.x(at)} {scale.y(value)}" for at, value in upper]
    back = [f"{scale.x(at)} {scale.y(value)}" for at, value in reversed(lower)]
    return f"M{'L'.join(there + back)}Z" if there else ""


def columns(
    counts: Mapping[int, int], places: int, *, high: int, lane: int = 0, lanes: int = 1
) -> str:
    """Return a bar for each place that has a count, as one surface; several lanes stand abreast."""
    width = WIDTH / max(places, 1)
    wide = max(round(width / lanes) - 1, 1)
    parts = []
    for place, count in sorted(counts.items()):
        if 0 <= place < places and count:
            x = round((place + lane / lanes) * width)
            tall = max(round(count / max(high, 1) * HEIGHT), 1)
            parts.append(f"M{x} {HEIGHT}v-{tall}h{wide}v{tall}z")
    return "".join(parts)


def cells(points: Points, *, start_ms: int, end_ms: int, count: int = SPARK_CELLS) -> Cells:
    """Return the highest value of each of `count` equal spans, None where there is none."""
    found: list[float | None] = [None] * count
    span = max(end_ms - start_ms, 1)
    for at_ms, value in points:
        place = (at_ms - start_ms) * count // span
        if 0 <= place < count and not math.isnan(value):
            known = found[place]
            found[place] = value if known is None else max(known, value)
    return found


def spark(course: Cells) -> tuple[str, str]:
    """Return a small chart as two paths: the course, and marks where no answer came in time.

    Spans without readings are bridged: probes that ask seldom would else show as dots.
    """
    finite = [value for value in course if value is not None and math.isfinite(value)]
    high = max(finite, default=0.0) or 1.0
    step = SPARK_WIDTH // max(len(course), 1)
    line: list[str] = []
    over: list[str] = []
    last = (0, 0)
    for place, value in enumerate(course):
        if value is None:
            continue
        x = place * step + step // 2
        if math.isinf(value):
            over.append(f"M{x} 1v{SPARK_HEIGHT - 2}")
            continue
        y = SPARK_HEIGHT - 2 - round(value / high * (SPARK_HEIGHT - 4))
        line.append(f"l{x - last[0]} {y - last[1]}" if line else f"M{x} {y}h0")
        last = (x, y)
    return "".join(line).replace(" -", "-"), "".join(over)


def bars(tones: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return one path for each tone of a row of days: dashes that the stylesheet makes bars.

    Equal neighbours are one dash array's run, so a good quarter is thirty characters.
    """
    paths: dict[str, list[str]] = {}
    place = 0
    for tone, run in groupby(tones):
        count = len(list(run))
        paths.setdefault(tone, []).append(f"M{place * DAY_WIDTH} 0h{count * DAY_WIDTH - 1}")
        place += count
    return tuple((tone, "".join(parts)) for tone, parts in paths.items())


def _step(rough: float) -> float:
    """Return the nice number at or above: 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(rough)) if rough > 0 else 1.0
    return next(nice * power for nice in _NICE if nice * power >= rough * (1 - 1e-9))


def _thinned(points: Points, scale: Scale) -> Iterable[tuple[int, float]]:
    """Return at most the lowest and the highest reading of each column, in time order."""
    if len(points) <= 2 * WIDTH:
        return points
    kept: list[tuple[int, float]] = []
    for _, column in groupby(points, key=lambda point: scale.x(point[0])):
        found = list(column)
        least = min(found, key=lambda point: point[1])
        most = max(found, key=lambda point: point[1])
        kept += sorted({least, most})
    return kept
