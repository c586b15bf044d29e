"""Times that people write on a wall clock, in a zone, into instants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from stewardmon.config.nodes import Entries
from stewardmon.config.source import Source

_WRITTEN: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)


@dataclass(frozen=True, slots=True)
class Instant:
    """A time that was read; `twice` says that the wall clock shows it two times."""

    at: datetime
    twice: bool = False


def read_instant(text: str, zone: ZoneInfo) -> Instant:
    """Return the instant that `2026-12-24 09:00` is in the zone, or with `Z` or `+01:00` anywhere.

    A time that the clock shows twice is taken as the first of the two. Raises ValueError with a
    sentence for what is no time, and for a time that the zone's clocks skip.
    """
    if not _WRITTEN.fullmatch(text):
        raise ValueError(f'{text[:40]!r} is not a time: write one such as "2026-12-24 09:00"')
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day and a time that exist") from None
    if written.tzinfo is not None:
        return Instant(written.astimezone(UTC))
    first, second = (written.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    at = first.astimezone(UTC)
    if at.astimezone(zone).replace(tzinfo=None) != written:
        after = at.astimezone(zone)
        raise ValueError(
            f"{text!r} does not exist in {zone}: the clocks skip it; "
            f'write "{after:%Y-%m-%d %H:%M}" for the instant after'
        )
    return Instant(at, twice=first.utcoffset() != second.utcoffset())


def noted_instant(
    text: str, key: str, node: Entries, zone: ZoneInfo, source: Source
) -> Instant | None:
    """Return the instant under a key; what is none is noted, and so is one that comes twice."""
    try:
        instant = read_instant(text, zone)
    except ValueError as error:
        source.add(node.keys[key], f"{key}: {error}")
        return None
    if instant.twice:
        source.warn(
            node.keys[key],
            f"{key} {text!r} comes twice in {zone}, where the clocks go back: the first is meant; "
            "write the offset to say otherwise, such as 2026-10-25T02:30:00+01:00",
        )
    return instant
