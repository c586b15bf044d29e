"""Values, spans of time and courses as people read them: on pages and in messages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Final

from stewardmon.domain.units import UP, WORD_UNITS, Dimension

NO_DATA: Final = "no data"
SPARKLINE: Final = 24  # characters that every phone shows on one line

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_MISSING: Final = "·"
_SIZES: Final = ("B", "KB", "MB", "GB", "TB", "PB")
_SPANS: Final = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))


def format_value(value: float | None, unit: str = "") -> str:
    """Return a value with its unit: `7.3 %`, `5.2 s`, `1.4 GB`, `3.2/s`, `no data`.

    `unit` is a vocabulary's unit name; one that is not known is written behind the number. An
    infinite time is how series say that an answer never came.
    """
    if value is None or math.isnan(value):
        return NO_DATA
    known = WORD_UNITS.get(unit)
    if known is None:
        return f"{_number(value)} {unit}"
    base = value * float(known.scale)
    match known.dimension:
        case Dimension.TIME:
            return _time(base)
        case Dimension.SHARE:
            return f"{_number(base * 100)} %"
        case Dimension.SIZE:
            return _size(base)
        case Dimension.RATE:
            return f"{_number(base)}/s"
        case Dimension.MONEY:
            return f"{base:,.2f} USD" if math.isfinite(base) else f"{_number(base)} USD"
        case Dimension.STATE:
            named = {0.0: "down", 1.0: "up"} if known is UP else {}
            return named.get(value, _number(value))
        case Dimension.COUNT:
            return _number(base)


def format_since(duration: timedelta) -> str:
    """Return a span in its two largest units: `2 h 5 min`, `3 d`, `45 s`; never less than 0 s."""
    return _span(max(int(duration.total_seconds()), 0))


def sparkline(values: Sequence[float | None], width: int = SPARKLINE) -> str:
    """Return the course as at most `width` blocks from low to high; `·` where there is no value.

    Longer courses are averaged. An infinite value is the highest (or lowest) block and leaves the
    scale to the others.
    """
    cells = _resampled([None if v is None or math.isnan(v) else v for v in values], width)
    finite = [cell for cell in cells if cell is not None and math.isfinite(cell)]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    return "".join(_block(cell, low, high) for cell in cells)


def _time(seconds: float) -> str:
    if math.isinf(seconds):
        return "infinitely slow (timed out)" if seconds > 0 else "-infinite"
    sign, rest = ("-", -seconds) if seconds < 0 else ("", seconds)
    if rest < 0.9995:
        return f"{sign}{_number(rest * 1000)} ms" if rest else "0 s"
    # 59.96 would round to 60.0 s.
    if rest < 59.95:
        return f"{sign}{_number(rest)} s"
    return sign + _span(round(rest))


def _span(seconds: int) -> str:
    for position, (unit, size) in enumerate(_SPANS[:-1]):
        if seconds >= size:
            count, rest = divmod(seconds, size)
            below, below_size = _SPANS[position + 1]
            more = f" {rest // below_size} {below}" if rest >= below_size else ""
            return f"{count:,} {unit}{more}"
    return f"{seconds} s"


def _size(size: float) -> str:
    if not math.isfinite(size):
        return f"{_number(size)} B"
    unit = _SIZES[0]
    for unit in _SIZES:
        if abs(size) < 999.5 or unit == _SIZES[-1]:
            break
        size /= 1000
    return f"{_number(size)} {unit}"


def _number(value: float) -> str:
    """Return a number with as many digits as help: three, or all of a larger one's whole part."""
    if not math.isfinite(value):
        return "infinite" if value > 0 else "-infinite" if value < 0 else NO_DATA
    size = abs(value)
    if size >= 1e15:
        return f"{value:.3g}"
    if size >= 99.95 or value == int(value):
        return f"{value:,.0f}"
    if size >= 9.995:
        return _trimmed(f"{value:.1f}")
    return _trimmed(f"{value:.2f}" if size >= 0.01 else f"{value:.2g}")


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text


def _resampled(values: list[float | None], width: int) -> list[float | None]:
    if len(values) <= width:
        return values
    edges = [position * len(values) // width for position in range(width + 1)]
    return [
        _mean([value for value in values[start:end] if value is not None])
        for start, end in pairwise(edges)
    ]


def _mean(values: list[float]) -> float | None:
    if not values:
        return None
    # Two infinities of opposite sign have no mean, and halving first keeps large sums finite.
    mean = sum(value / len(values) for value in values)
    return None if math.isnan(mean) else mean


def _block(value: float | None, low: float, high: float) -> str:
    if value is None:
        return _MISSING
    if math.isinf(value):
        return _BLOCKS[-1] if value > 0 else _BLOCKS[0]
    if high == low:
        return _BLOCKS[0] if value == 0 else _BLOCKS[3]
    # Halves first: the span of the largest floats is infinite.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return _BLOCKS[min(int(share * len(_BLOCKS)), len(_BLOCKS) - 1)]
