"""The chart in a mail: the value's course with the line that it crossed, as a picture.

Mail programs show no SVG, so it is drawn as SVG and turned into PNG. It holds no text: which
fonts a machine has must not matter, and all figures stand beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import structlog

Course = Sequence[float | None]

WIDTH: Final = 600
HEIGHT: Final = 160
_EDGE: Final = 8  # pixels that stay free around the curve
_PAPER, _RULE, _CURVE, _LIMIT = "#ffffff", "#d0d7de", "#0550ae", "#b42318"
log = structlog.get_logger(__name__)


def png(course: Course, threshold: float | None) -> bytes:
    """Return the chart as PNG; nothing where there is no course, or it cannot be drawn.

    A page goes out whatever becomes of its picture.
    """
    drawn = svg(course, threshold)
    if not drawn:
        return b""
    try:
        # Imported at the first chart: most daemons send no mail for days.
        from resvg_py import svg_to_bytes  # noqa: PLC0415

        return bytes(svg_to_bytes(svg_string=drawn, skip_system_fonts=True))
    except Exception:
        log.exception("chart_not_drawn")
        return b""


def svg(course: Course, threshold: float | None) -> str:
    """Return the chart as SVG; empty where fewer than two values are known.

    The scale spans the finite values and the threshold; what is infinite stands at the edge.
    """
    known = [value for value in course if value is not None and not math.isnan(value)]
    if len(known) < 2:
        return ""
    finite = [value for value in (*known, threshold) if value is not None and math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    curves = [
        f'<polyline points="{" ".join(part)}" fill="none" stroke="{_CURVE}" stroke-width="3" '
        'stroke-linejoin="round" stroke-linecap="round"/>'
        for part in _parts(course, low, high)
    ]
    limit = "" if threshold is None else _limit(_y(threshold, low, high))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}">'
        f'<rect x=".5" y=".5" width="{WIDTH - 1}" height="{HEIGHT - 1}" fill="{_PAPER}" '
        f'stroke="{_RULE}"/>{limit}{"".join(curves)}</svg>'
    )


def _parts(course: Course, low: float, high: float) -> Iterator[list[str]]:
    """Yield the points of each stretch without a gap; a lone value is a dot."""
    step = (WIDTH - 2 * _EDGE) / max(1, len(course) - 1)
    part: list[str] = []
    for place, value in enumerate((*course, None)):
        if value is not None and not math.isnan(value):
            part.append(f"{_EDGE + place * step:.1f},{_y(value, low, high):.1f}")
        elif part:
            yield part if len(part) > 1 else part * 2
            part = []


def _y(value: float, low: float, high: float) -> float:
    """Return how far below the picture's top a value stands; all alike stand in the middle."""
    bounded = min(max(value, low), high)
    # Halved first: the span of two finite numbers may be too large for one.
    span = high / 2 - low / 2
    share = (bounded / 2 - low / 2) / span if span else 0.5
    if math.isinf(value) and not span:
        share = float(value > 0)
    return HEIGHT - _EDGE - share * (HEIGHT - 2 * _EDGE)


def _limit(y: float) -> str:
    return (
        f'<line x1="0" y1="{y:.1f}" x2="{WIDTH}" y2="{y:.1f}" stroke="{_LIMIT}" '
        'stroke-width="2" stroke-dasharray="8 6"/>'
    )
