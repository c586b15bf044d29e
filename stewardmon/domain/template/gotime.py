"""Go's time.Time and time.Duration, as far as templates can reach them: printed and formatted."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_NANOS: Final = 2**63
_MONTHS: Final = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS: Final = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


@dataclass(frozen=True, slots=True)
class GoDuration:
    """A span of time in nanoseconds."""

    nanos: int

    def __str__(self) -> str:
        if self.nanos == 0:
            return "0s"
        sign, rest = ("-", -self.nanos) if self.nanos < 0 else ("", self.nanos)
        for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
            if rest < size * 1000:
                return f"{sign}{_decimal(rest, size)}{unit}"
        minutes, rest = divmod(rest, 60 * 10**9)
        seconds = f"{_decimal(rest, 10**9)}s"
        if minutes >= 60:
            return f"{sign}{minutes // 60}h{minutes % 60}m{seconds}"
        return f"{sign}{minutes}m{seconds}" if minutes else f"{sign}{seconds}"

    def seconds(self) -> float:
        """Return the span in seconds."""
        return self.nanos / 1e9


@dataclass(frozen=True, slots=True)
class GoTime:
    """An instant in UTC, to the millisecond, as Prometheus' `toTime` makes it."""

    at: datetime

    def __str__(self) -> str:
        return self.format("2006-01-02 15:04:05.999999999 -0700 MST")

    def format(self, layout: str) -> str:
        """Return the instant in Go's reference-time layout (pkg.go.dev/time#Layout)."""
        return _LAYOUT.sub(lambda found: self._chunk(found[0]), layout)

    def _chunk(self, chunk: str) -> str:
        if chunk[0] in ".,":
            return self._fraction(chunk)
        at, month, day = self.at, _MONTHS[self.at.month - 1], _DAYS[self.at.weekday()]
        year_day = at.timetuple().tm_yday
        return {
            "January": month, "Jan": month[:3], "1": f"{at.month}", "01": f"{at.month:02}",
            "Monday": day, "Mon": day[:3], "2": f"{at.day}", "_2": f"{at.day:2}",
            "02": f"{at.day:02}", "__2": f"{year_day:3}", "002": f"{year_day:03}",
            "15": f"{at.hour:02}", "3": f"{at.hour % 12 or 12}", "03": f"{at.hour % 12 or 12:02}",
            "4": f"{at.minute}", "04": f"{at.minute:02}", "5": f"{at.second}",
            "05": f"{at.second:02}", "2006": f"{at.year:04}", "06": f"{at.year % 100:02}",
            "PM": "PM" if at.hour >= 12 else "AM", "pm": "pm" if at.hour >= 12 else "am",
            "MST": "UTC",
        }.get(chunk) or _zone(chunk)  # fmt: skip

    def _fraction(self, chunk: str) -> str:
        digits = f"{self.at.microsecond * 1000:09}"[: len(chunk) - 1]
        if chunk[1] == "0":
            return chunk[0] + digits
        digits = digits.rstrip("0")
        return chunk[0] + digits if digits else ""


# The longest spelling of each chunk comes first, as Go's own scanner tries them.
_LAYOUT: Final = re.compile(
    r"January|Jan|Monday|Mon(?![a-z])|MST|002|01|02|03|04|05|06|2006|15|PM|pm|__2|_2(?!006)"
    r"|[Z-]07:00:00|[Z-]070000|[Z-]07:00|[Z-]0700|[Z-]07|[.,](?:0+|9+)(?![0-9])|[12345]"
)


def to_time(seconds: float) -> GoTime:
    """Return the instant so many seconds after 1970.

    Raises ValueError with Prometheus' words where the number is not one, infinite, or past 2262.
    """
    if not math.isfinite(seconds):
        raise ValueError("value is NaN or Inf")
    nanos = seconds * 1e9
    if abs(nanos) >= _MAX_NANOS:
        raise ValueError("overflows int64")
    milliseconds = math.trunc(int(nanos) / 1_000_000) if nanos < 0 else int(nanos) // 1_000_000
    return GoTime(_EPOCH + timedelta(milliseconds=milliseconds))


def _zone(chunk: str) -> str:
    # Everything is UTC here: Z-layouts print Z, the others a zero offset in the chunk's shape.
    if chunk[0] == "Z":
        return "Z"
    return "+" + re.sub(r"\d", "0", chunk[1:])


def _decimal(value: int, size: int) -> str:
    whole, part = divmod(value, size)
    digits = f"{part:0{len(str(size)) - 1}}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else f"{whole}"
