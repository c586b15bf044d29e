"""The escalation matrix: which levels exist, and which are due."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

ZERO: Final = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One row of the escalation matrix: who is paged, and how long after the incident opened.

    `page` names people and rotations.
    """

    number: int
    role: str
    after: timedelta
    page: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Levels in order of time; what happens after the last, and after an acknowledgement.

    `repeat_last` pages the last level again for as long as nobody answers; `ack_timeout` pages
    again when an acknowledged incident still fires after that long. None turns either off.
    """

    name: str
    levels: tuple[Level, ...]
    repeat_last: timedelta | None = None
    ack_timeout: timedelta | None = None

    def narrowed(self, *, levels: tuple[int, ...] = (), start: int | None = None) -> Policy:
        """Return the policy that an incident runs: only `levels`, beginning at level `start`.

        The first level that remains is paged at once and the others keep their distance to it. A
        narrowing that would leave nobody is ignored: a page to somebody beats a page to no one.
        """
        kept = tuple(level for level in self.levels if not levels or level.number in levels)
        kept = kept or self.levels
        if start is not None:
            kept = tuple(level for level in kept if level.number >= start) or kept[-1:]
        if not kept:
            return self
        first = kept[0].after if start is not None or levels else ZERO
        return replace(
            self, levels=tuple(replace(level, after=level.after - first) for level in kept)
        )
