"""Numbers for people, in Prometheus' own words.

Source of every rule: prometheus.io/docs/prometheus/latest/configuration/template_reference/#numbers
"""

from __future__ import annotations

import math
from typing import Final

from stewardmon.domain.quantity import parse_duration
from stewardmon.domain.template.gofmt import plain
from stewardmon.domain.template.gotime import GoDuration, GoTime, to_time
from stewardmon.domain.template.printf import quote
from stewardmon.domain.template.values import TemplateError, Value, type_name
from stewardmon.errors import ExpressionError

_LARGE: Final = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_LARGE_1024: Final = ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")
_SMALL: Final = ("m", "u", "n", "p", "f", "a", "z", "y")


def to_float(value: Value) -> float:
    """Return a number, a duration's seconds, or the number that a string spells."""
    if isinstance(value, GoDuration):
        return value.seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type(value) is str:
        return _parse(value)
    raise TemplateError(f"can't convert {type_name(value)} to float")


def _parse(text: str) -> float:
    # Python takes blanks around a number and digits of any script; Go does not.
    plain_text = text.isascii() and text == text.strip()
    try:
        if plain_text and "x" in text.lower() and "p" in text.lower():
            return float.fromhex(text)
        value = float(text) if plain_text else None
    except (ValueError, OverflowError):
        value = None
    if value is None:
        raise TemplateError(f"strconv.ParseFloat: parsing {quote(text)}: invalid syntax")
    if math.isinf(value) and "inf" not in text.lower():
        raise TemplateError(f"strconv.ParseFloat: parsing {quote(text)}: value out of range")
    return value


def four(value: float) -> str:
    """Return Go's %.4g."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return f"{value:.4g}"


def humanize(value: Value) -> str:
    """Return the number with a metric prefix: 1234567 → 1.235M."""
    number = to_float(value)
    if number == 0 or not math.isfinite(number):
        return four(number)
    if abs(number) >= 1:
        number, prefix = _shrink(number, 1000, _LARGE)
    else:
        number, prefix = _grow(number)
    return four(number) + prefix


def humanize1024(value: Value) -> str:
    """Return the number with a binary prefix: 1048576 → 1Mi."""
    number = to_float(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return four(number)
    number, prefix = _shrink(number, 1024, _LARGE_1024)
    return four(number) + prefix


def _shrink(number: float, base: int, prefixes: tuple[str, ...]) -> tuple[float, str]:
    chosen = ""
    for prefix in prefixes:
        if abs(number) < base:
            break
        chosen = prefix
        number /= base
    return number, chosen


def _grow(number: float) -> tuple[float, str]:
    chosen = ""
    for prefix in _SMALL:
        if abs(number) >= 1:
            break
        chosen = prefix
        number *= 1000
    return number, chosen


def humanize_duration(value: Value) -> str:
    """Return seconds as days, hours, minutes and seconds: 5430 → 1h 30m 30s."""
    number = to_float(value)
    if not math.isfinite(number):
        return four(number)
    if number == 0:
        return f"{four(number)}s"
    if abs(number) < 1:
        number, prefix = _grow(number)
        return f"{four(number)}{prefix}s"
    sign, number = ("-", -number) if number < 0 else ("", number)
    minutes, seconds = divmod(min(int(number), 2**63 - 1), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{four(number)}s"


def humanize_percentage(value: Value) -> str:
    """Return a ratio in per cent: 0.1234 → 12.34%."""
    return f"{four(to_float(value) * 100)}%"


def humanize_timestamp(value: Value) -> str:
    """Return seconds since 1970 as a date and time in UTC."""
    number = to_float(value)
    return str(as_time(number)) if math.isfinite(number) else four(number)


def as_time(value: Value) -> GoTime:
    """Return the instant so many seconds after 1970."""
    number = to_float(value)
    try:
        return to_time(number)
    except ValueError as error:
        if not math.isfinite(number):
            raise TemplateError(str(error)) from None
        reason = "cannot be represented as a nanoseconds timestamp since it overflows int64"
        raise TemplateError(f"{plain(number)} {reason}") from None


def as_duration(value: Value) -> GoDuration:
    """Return so many seconds as a duration."""
    number = to_float(value) * 1e9
    if not math.isfinite(number) or abs(number) >= 2**63:
        # Go's conversion is undefined here and gives the smallest integer on the usual machines.
        return GoDuration(-(2**63))
    return GoDuration(int(number))


def duration_seconds(text: str) -> float:
    """Return the seconds that a duration such as `1h30m` spells."""
    try:
        return parse_duration(text).total_seconds()
    except ExpressionError:
        raise TemplateError(f"not a valid duration string: {quote(text)}") from None
