"""A lock that people get before machines: whoever answers a page does not queue behind a storm."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

COURTESY: Final = 0.1  # seconds for which work that can wait lets people go first
LATELY: Final = 10.0  # seconds after which whoever answered something has turned away


class Turns:
    """One holder at a time; among those who wait, people first, each kind in order."""

    def __init__(self) -> None:
        self._held = False
        self._answering = 0  # people who hold the lock or wait for it
        self._answered = asyncio.Event()
        self._answered_at: float | None = None  # in the loop's time
        self._people: deque[asyncio.Future[None]] = deque()
        self._machines: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def turn(self, *, person: bool = False) -> AsyncIterator[None]:
        """Hold the lock for the block."""
        if person:
            self._answering += 1
            self._answered.clear()
        try:
            await self._take(self._people if person else self._machines)
            try:
                yield
            finally:
                self._pass_on()
        finally:
            if person:
                self._answering -= 1
                self._answered_at = asyncio.get_running_loop().time()
                if not self._answering:
                    self._answered.set()

    @property
    def attended(self) -> bool:
        """Whether a person is being served, or was lately: then more is to be expected soon."""
        if self._answering or self._answered_at is None:
            return bool(self._answering)
        return asyncio.get_running_loop().time() - self._answered_at < LATELY

    async def rest(self) -> None:
        """Let other work have the loop for a moment."""
        await asyncio.sleep(0)  # noqa: TID251 - no time passes
        await self.after_people()

    async def after_people(self) -> None:
        """Return when no person is being served, or has been for too long to be waited for."""
        if self._answering:
            with suppress(TimeoutError):
                async with asyncio.timeout(COURTESY):
                    await self._answered.wait()

    async def _take(self, queue: deque[asyncio.Future[None]]) -> None:
        if not self._held:
            self._held = True
            return
        mine = asyncio.get_running_loop().create_future()
        queue.append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine in queue:
                queue.remove(mine)
            elif not mine.cancelled():
                self._pass_on()  # it was ours already, and nobody is here to use it
            raise

    def _pass_on(self) -> None:
        for queue in (self._people, self._machines):
            while queue:
                following = queue.popleft()
                if not following.done():
                    following.set_result(None)
                    return
        self._held = False
