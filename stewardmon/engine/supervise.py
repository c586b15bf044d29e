"""Keeps the loops alive: restarts one that dies of a bug, knows when each last worked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.ports import Clock

log = structlog.get_logger()

RESTART_AFTER: Final = 1.0  # seconds: a loop that dies at once must not spin


class Supervisor:
    """Runs loops side by side for as long as the process lives.

    `last` tells when each loop last did its work, for readiness, the dead man's ping and rules.
    """

    def __init__(self, clock: Clock, *, bug: Callable[[str, Exception], None]) -> None:
        self._clock = clock
        self._bug = bug
        self.last: dict[str, datetime] = {}

    def beat(self, loop: str) -> Callable[[], None]:
        """Return what the loop calls whenever it has done its work."""
        gauge = metrics.LAST_SUCCESS.labels(loop)

        def mark() -> None:
            now = self._clock.now()
            self.last[loop] = now
            gauge.set(now.timestamp())

        return mark

    async def keep(self, loop: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run a loop until cancelled; a bug in it is told, counted, and it starts again."""
        while True:
            self.last.setdefault(loop, self._clock.now())
            try:
                await run()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("loop_died", loop=loop)
                self._bug(loop, error)
            metrics.LOOP_RESTARTS.labels(loop).inc()
            await self._clock.sleep(RESTART_AFTER)

    def silent(self, *, now: datetime, longer_than: float) -> tuple[str, ...]:
        """Return the loops that have not worked for more than `longer_than` seconds.

        Seconds of the world: computers are no faster where the clock is.
        """
        patience = longer_than * self._clock.speed
        return tuple(
            loop for loop, at in self.last.items() if (now - at).total_seconds() > patience
        )
