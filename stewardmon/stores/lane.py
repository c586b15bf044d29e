"""A thread with a connection of its own: where blocking work is done, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from stewardmon.stores.dialect import Connection, Dialect
from stewardmon.stores.line import Line
from stewardmon.stores.worker import Worker

T = TypeVar("T")


class Lane:
    """Runs transactions one after the other; the event loop waits for them without blocking.

    A database that does not answer within the dialect's patience is hung up on: that turns
    waiting into a StoreError.
    """

    def __init__(
        self, dialect: Dialect, name: str, *, reads: bool = False, sticky: bool = False
    ) -> None:
        self._dialect = dialect
        self._worker = Worker(name)
        self._line = Line(dialect, reads=reads, sticky=sticky)

    def start(self) -> None:
        """Start the thread, once."""
        self._worker.start()

    async def stop(self) -> None:
        """Finish what was asked for, then end the thread and the connection."""
        await self._worker.stop()
        self._line.close()

    async def hang_up(self) -> None:
        """Let go of the connection, and of every lock that belongs to it."""
        await asyncio.wrap_future(self._worker.submit(self._line.close))

    async def run(self, job: Callable[[Connection], T]) -> T:
        """Return what the job returns, committed; or raise and keep nothing of it."""
        return await self.call(lambda line: line.run(job))

    async def call(self, job: Callable[[Line], T]) -> T:
        """Return what the job returns: one that takes several transactions."""
        waiting = asyncio.wrap_future(self._worker.submit(lambda: job(self._line)))
        # A caller that was cancelled meanwhile leaves nobody to hear of a failure.
        waiting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        while True:
            done, _ = await asyncio.wait([waiting], timeout=self._dialect.patience)
            if done:
                return waiting.result()
            self._line.interrupt()
