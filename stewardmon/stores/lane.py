"""A thread with a connection of its own: where blocking work is done, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
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
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[T] = loop.create_future()
        # A caller that was cancelled meanwhile leaves nobody to hear of a failure.
        ended.add_done_callback(lambda it: it.cancelled() or it.exception())

        def tell(done: Future[T]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_hand_over, done, ended)

        # Not by `wrap_future`: that takes one more turn of the loop, and so does waiting with an
        # end. In a storm an acknowledgement waits for each of them.
        self._worker.submit(lambda: job(self._line)).add_done_callback(tell)
        while self._dialect.patience is not None and not ended.done():
            done, _ = await asyncio.wait([ended], timeout=self._dialect.patience)
            if not done:
                self._line.interrupt()
        return await ended


def _hand_over(done: Future[T], ended: asyncio.Future[T]) -> None:
    if ended.done():
        return
    error = done.exception()
    if error is None:
        ended.set_result(done.result())
    else:
        ended.set_exception(error)
