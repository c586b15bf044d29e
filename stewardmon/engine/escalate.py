"""The escalation loop: wakes at every incident's next deadline, and once a second for mutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stewardmon.engine.responder import Responder
from stewardmon.ports import Clock

LONGEST_WAIT: Final = 1.0  # seconds: silences end and causes go without anybody waking the loop


class Escalating:
    """Lets time move the incidents; an overdue step is taken at the first look."""

    def __init__(
        self, responder: Responder, clock: Clock, *, beat: Callable[[], None] = lambda: None
    ) -> None:
        self._responder = responder
        self._clock = clock
        self._beat = beat

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._responder.tick(now=self._clock.now())
            self._beat()
            await self._clock.sleep(self._wait())

    def _wait(self) -> float:
        at = self._responder.next_step_at()
        if at is None:
            return LONGEST_WAIT
        return min(LONGEST_WAIT, max(0.0, (at - self._clock.now()).total_seconds()))
