"""Wall-clock times of a zone into instants, on days when the clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) at which the zone's clock shows `wall`, a naive time.

    A time that the clock shows twice is the first of the two; one that it skips is the first
    instant after the gap (PEP 495: a skipped time reads late with fold 0, early with fold 1, and
    the change lies between the two).
    """
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) == wall:
        return at
    early = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    before, after = int(early.timestamp()), int(at.timestamp())
    while after - before > 1:
        middle = (before + after) // 2
        shown = datetime.fromtimestamp(middle, zone).replace(tzinfo=None)
        before, after = (middle, after) if shown < wall else (before, middle)
    return datetime.fromtimestamp(after, UTC)
