"""How often may a target be asked: intervals that keep to a budget, and waits that it asks for.

PLATFORM.md section 1: a configuration spends at most half of a known limit, and the daemon widens
intervals rather than exceed one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Final

# Instant expressions look five minutes back: a probe that waits longer seems to have gone.
WIDEST: Final = timedelta(minutes=4)
LONGEST_WAIT: Final = timedelta(minutes=15)  # the longest window of the app's own limits


@dataclass(frozen=True, slots=True, kw_only=True)
class Spender:
    """Who spends `cost` of a limit every `interval`; `flexible`: nobody has fixed that interval."""

    name: str
    cost: int
    interval: timedelta
    flexible: bool

    def spends(self, span: timedelta) -> float:
        """Return how much that comes to in a span."""
        return self.cost * (span / self.interval)


def widened(
    spenders: Iterable[Spender], *, most: float, span: timedelta
) -> Mapping[str, timedelta] | None:
    """Return longer intervals by name with which all together spend `most` in a span, in seconds.

    Flexible ones give way alike; nothing where nobody needs to; None where they cannot.
    """
    spenders = tuple(spenders)
    flexible = [one for one in spenders if one.flexible and one.cost]
    total = sum(one.spends(span) for one in spenders)
    if total <= most:
        return {}
    bending = sum(one.spends(span) for one in flexible)
    room = most - (total - bending)
    if not bending or room <= 0:
        return None
    stretched = {
        one.name: timedelta(seconds=ceil(one.interval.total_seconds() * bending / room))
        for one in flexible
    }
    return None if any(one > WIDEST for one in stretched.values()) else stretched


def wait(*, interval: timedelta, refusals: int, asked_for: float | None) -> timedelta:
    """Return how long to leave a target alone after so many refusals in a row for their number.

    What it asks for (Retry-After, in seconds) is kept to, up to the longest window of a limit; one
    that asks for nothing is asked half as often with each refusal.
    """
    if asked_for is not None:
        return min(timedelta(seconds=min(max(asked_for, 0.0), 1e6)), LONGEST_WAIT)
    doubled: timedelta = interval * (1 << min(refusals, 10))
    return max(interval, min(doubled, WIDEST))
