"""SQLite's checkpoints beside the writer: a decision never waits for pages to be moved.

With SQLite's own way every thousandth page makes a commit move them all: 7 to 10 ms, in which a
storm's acknowledgement waits. The writer does so only once the log is far longer than that.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from threading import Event, Thread
from typing import Final

EVERY: Final = 32  # transactions
CEILING: Final = 10_000  # pages of the log, 40 MB, at which a commit moves them after all


class Checkpoints:
    """Moves what is in the log to its place, in a thread and over a connection of its own.

    One that fails, for want of disk say, is left to the next: the log holds everything till then.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._wanted = Event()
        self._over = False
        self._written = 0
        self._thread: Thread | None = None

    def wrote(self) -> None:
        """Note that a transaction was written; every so many, what they wrote is moved."""
        self._written += 1
        if self._written < EVERY:
            return
        self._written = 0
        if self._thread is None:
            self._thread = Thread(target=self._work, name="state-checkpoints", daemon=True)
            self._thread.start()
        self._wanted.set()

    def stop(self) -> None:
        """Finish what is under way and end the thread."""
        self._over = True
        self._wanted.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._over = False

    def _work(self) -> None:
        while self._wanted.wait() and not self._over:
            self._wanted.clear()
            with suppress(sqlite3.Error):
                self._move()

    def _move(self) -> None:
        # A connection each time: one that is held would keep the log when the state is closed.
        connection = self._connect()
        try:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        finally:
            connection.close()
