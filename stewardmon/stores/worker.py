"""One thread that does blocking work in order, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from stewardmon.errors import StoreError

T = TypeVar("T")
_Job = tuple[Callable[[], Any], Future[Any]]


class Worker:
    """Runs jobs one after the other, in the order of the calls.

    A job whose caller is cancelled while it runs is finished all the same: a transaction is
    never torn.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Start the thread, once."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name=self._name, daemon=True)
            self._thread.start()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Return what the job will return or raise; raises StoreError when stopped."""
        if self._thread is None:
            raise StoreError("the state is closed")
        done: Future[T] = Future()
        self._jobs.put((job, done))
        return done

    async def stop(self) -> None:
        """Finish what was asked for, then end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(thread.join)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, done = job
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(call())
            except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
                done.set_exception(error)
            del call, done, job
