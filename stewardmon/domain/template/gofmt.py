"""How Go prints the values of templates: fmt.Sprint, fmt.Sprintln and %v (pkg.go.dev/fmt)."""

from __future__ import annotations

import math
from decimal import Decimal

from stewardmon.domain.template.values import AlertData, QueryResult, Sample, Value


def sprint(*values: Value) -> str:
    """Return fmt.Sprint: a space between two neighbours where neither is a string."""
    out: list[str] = []
    for position, value in enumerate(values):
        previous = values[position - 1] if position else ""
        if not isinstance(value, str) and not isinstance(previous, str):
            out.append(" ")
        out.append(plain(value))
    return "".join(out)


def sprintln(*values: Value) -> str:
    """Return fmt.Sprintln: always a space between, and a newline."""
    return " ".join(plain(value) for value in values) + "\n"


def plain(value: Value) -> str:
    """Return what %v prints."""
    if isinstance(value, str):
        return str(value)
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return float_shortest(value)
    if isinstance(value, dict):
        inside = " ".join(f"{key}:{plain(value[key])}" for key in sorted(value))
        return f"map[{inside}]"
    if isinstance(value, Sample):
        return f"&{{{plain(value.Labels)} {plain(value.Value)}}}"
    if isinstance(value, AlertData):
        parts = (value.Labels, value.ExternalLabels, value.ExternalURL, value.Value)
        return "{" + " ".join(plain(part) for part in parts) + "}"
    if isinstance(value, QueryResult):
        # Go prints addresses here, which say nothing; the elements themselves do.
        return "[" + " ".join(plain(sample) for sample in value) + "]"
    return str(value)


def float_shortest(value: float, *, upper: bool = False) -> str:
    """Return strconv's shortest 'g' form: 5, 0.1, 1e+06, 1.5e-05, NaN, +Inf."""
    if not math.isfinite(value):
        return _not_finite(value)
    parts = Decimal(repr(value)).as_tuple()
    text = "".join(map(str, parts.digits)).lstrip("0")
    point = len(text) + int(parts.exponent)
    text = text.rstrip("0") or "0"
    minus = "-" if parts.sign else ""
    if text == "0":
        return f"{minus}0"
    # strconv decides for the shortest form as if six digits had been asked for.
    power = point - 1
    if power < -4 or power >= 6:
        return minus + _scientific(text, power, upper=upper)
    if point <= 0:
        return f"{minus}0.{'0' * -point}{text}"
    if len(text) <= point:
        return f"{minus}{text:0<{point}}"
    return f"{minus}{text[:point]}.{text[point:]}"


def _scientific(digits: str, power: int, *, upper: bool) -> str:
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{mantissa}{'E' if upper else 'e'}{'-' if power < 0 else '+'}{abs(power):02}"


def _not_finite(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"
