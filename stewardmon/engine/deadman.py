"""The dead man's switch: a sign of life goes out only while every loop does its work."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import structlog

from stewardmon.engine.supervise import Supervisor
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock

log = structlog.get_logger()

EVERY: Final = 60.0  # seconds
BEATS: Final = 6  # in that time: whoever looks must not take the pause between signs for death
SILENT_AFTER: Final = 60.0  # seconds without success after which a loop counts as dead

Ping = Callable[[], Awaitable[None]]


class DeadMan:
    """Pings whoever waits for signs of life; says nothing at all when a loop has stopped.

    A ping that fails is logged and not retried: the next one comes in a minute, and silence is
    what the other side is there to notice.
    """

    def __init__(
        self,
        pings: Sequence[Ping],
        supervisor: Supervisor,
        clock: Clock,
        *,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._pings = pings
        self._supervisor = supervisor
        self._clock = clock
        self._beat = beat

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.sign()
            for _ in range(BEATS):
                self._beat()
                await self._clock.sleep(EVERY / BEATS)

    async def sign(self) -> bool:
        """Send the signs of life, if there is life; return whether there was."""
        now = self._clock.now()
        dead = [
            loop
            for loop in self._supervisor.silent(now=now, longer_than=SILENT_AFTER)
            if loop != "deadman"
        ]
        if dead:
            log.error("no_sign_of_life", loops=dead)
            return False
        for ping in self._pings:
            try:
                await ping()
            except StewardmonError as error:
                log.warning("sign_of_life_failed", error=str(error))
        return True
