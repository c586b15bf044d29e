"""How long one rule may hold up the event loop: a slice of CPU time, then others get their turn.

Rules are evaluated on the loop, between probes and pages. One whose windows are being filled for
the first time (after a start, after a reload) goes on at its next tick from where it was stopped;
one that is too expensive fails, and is not tried again before a rest that keeps its share small.
"""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time
from typing import Final

SLICE: Final = 0.25  # seconds of CPU: what probes and pages may have to wait for one rule
REST: Final = 20  # an expensive rule rests as many times as long as it took: 5 % of the loop
FILLING_AT_MOST_MS: Final = 5 * 60_000  # after which filling counts as failing


class Pace:
    """Measures one evaluation after the other; `spent` is a clock of CPU seconds."""

    def __init__(
        self, slice_seconds: float = SLICE, spent: Callable[[], float] = thread_time
    ) -> None:
        self._slice = slice_seconds
        self._spent = spent
        self._until = 0.0

    def begin(self) -> None:
        """Start the slice of the next evaluation."""
        self._until = self._spent() + self._slice

    def expired(self) -> bool:
        """Say whether the slice is used up."""
        return self._spent() > self._until


def rest_ms(seconds: float) -> int:
    """Return for how long an evaluation that took so many seconds in vain is not tried again."""
    return round(seconds * REST * 1000)
