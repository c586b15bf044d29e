"""Durations as Prometheus writes them: `5m`, `1h30m`, `500ms`, `1d`, `1w`, `1y`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from stewardmon.errors import ExpressionError

# Prometheus' units (prometheus.io/docs/prometheus/latest/querying/basics/, "Float literals and time
# durations"): a day is always 24 hours, a week 7 days, a year 365 days. Milliseconds each.
UNITS_MS: Final[dict[str, int]] = {
    "y": 365 * 24 * 3_600_000,
    "w": 7 * 24 * 3_600_000,
    "d": 24 * 3_600_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}

# Prometheus keeps durations as 64-bit nanoseconds: about 292 years.
LONGEST: Final = timedelta(milliseconds=(2**63 - 1) // 1_000_000)

_PART: Final = re.compile(r"([0-9]+)(ms|[ywdhms])")
_RIGHT: Final = (
    "write whole numbers with units from large to small, such as 500ms, 30s, 5m, 1h30m or 1d"
)


def parse_duration(text: str) -> timedelta:
    """Return the duration that Prometheus' spelling names; `0` needs no unit.

    Raises ExpressionError (column 1-based within `text`) for anything else: a sign, a fraction, a
    missing or unknown unit, a unit twice or out of order, more than 292 years.
    """
    if text == "0":
        return timedelta(0)
    if not text:
        raise ExpressionError(f"a duration is missing: {_RIGHT}", column=1)
    total, at, smallest = 0, 0, None
    while at < len(text):
        part = _PART.match(text, at)
        if part is None:
            raise ExpressionError(f"{_short(text)} is not a duration: {_RIGHT}", column=at + 1)
        unit_ms = UNITS_MS[part[2]]
        if smallest is not None and unit_ms >= smallest:
            raise ExpressionError(
                f"{_short(text)} is not a duration: {part[2]} stands twice or after a "
                f"smaller unit; {_RIGHT}",
                column=at + 1,
            )
        total += _whole(part[1], text, at) * unit_ms
        smallest, at = unit_ms, part.end()
    return _bounded(total, text)


def format_duration(duration: timedelta) -> str:
    """Return the duration as Prometheus prints it, down to milliseconds: `1h30m`, `2d`, `0s`.

    Weeks and years appear only where they come out even, as in Prometheus (`90d`, not `12w6d`).
    A negative duration gets a leading minus, which `parse_duration` does not take back.
    """
    rest = duration // timedelta(milliseconds=1)
    if rest < 0:
        return "-" + format_duration(-duration)
    if rest == 0:
        return "0s"
    parts: list[str] = []
    for unit, unit_ms in UNITS_MS.items():
        if unit in {"y", "w"} and rest % unit_ms:
            continue
        count, rest = divmod(rest, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _whole(digits: str, text: str, at: int) -> int:
    # Nineteen digits exceed 292 years in any unit; int() on a megabyte of them takes minutes.
    if len(digits.lstrip("0")) > 19:
        raise ExpressionError(_too_long(text), column=at + 1)
    return int(digits)


def _bounded(total_ms: int, text: str) -> timedelta:
    if total_ms > LONGEST // timedelta(milliseconds=1):
        raise ExpressionError(_too_long(text), column=1)
    return timedelta(milliseconds=total_ms)


def _too_long(text: str) -> str:
    return f"{_short(text)} is longer than 292 years, the longest duration there is"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
