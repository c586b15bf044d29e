"""How many tokens a probe may still spend today."""

from __future__ import annotations

from datetime import date

from stewardmon.domain.outcome import Measurement, Reason, State
from stewardmon.network.failure import Failure
from stewardmon.ports import Clock


class DailyTokens:
    """The cap on one probe's tokens between two midnights UTC; `dearest` is what one ask may cost.

    An ask is counted at its dearest before it is known what it cost: one that is cut off has cost
    something too.
    """

    def __init__(self, clock: Clock, *, model: str, cap: int, dearest: int) -> None:
        self._clock = clock
        self._model = model
        self._cap = cap
        self._dearest = dearest
        self._day: date | None = None
        self._today = 0

    def take(self) -> None:
        """Set aside what one ask may cost; raises Failure where that would pass the cap."""
        today = self._clock.now().date()
        if today != self._day:
            self._day, self._today = today, 0
        if self._today + self._dearest > self._cap:
            detail = f"{self._today} of {self._cap} tokens of the day are spent"
            raise Failure(Reason.BUDGET, detail, state=State.UNKNOWN)
        self._today += self._dearest

    def settle(self, count: int) -> None:
        """Put what was really spent in the place of what it might have been."""
        self._today += count - self._dearest

    def spent(self) -> Measurement:
        """Return what today has cost so far."""
        name = "stewardmon_openai_probe_tokens_today"
        return Measurement(name, float(self._today), {"model": self._model})
