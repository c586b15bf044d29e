"""A connection that is made when it is needed, and made anew after it failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from stewardmon.stores.dialect import Connection, Dialect

T = TypeVar("T")


class Line:
    """Runs transactions over one connection; belongs to one thread.

    A failure becomes one StoreError here and costs the connection, so that the next transaction
    starts from a fresh one: that is how a full disk or a restarted server is got over. A
    connection that turns out to have died while it was idle is replaced without a word, unless
    `sticky`: then something, such as a lock, belongs to it.
    """

    def __init__(self, dialect: Dialect, *, reads: bool = False, sticky: bool = False) -> None:
        self._dialect = dialect
        self._reads = reads
        self._sticky = sticky
        self._connection: Connection | None = None
        self._cut = False

    def run(self, job: Callable[[Connection], T]) -> T:
        """Return what the job returns, committed; or raise and keep nothing of it."""
        idle = self._connection is not None and not self._sticky
        self._cut = False
        ended = False
        try:
            connection = self._connected()
            connection.begin(reads=self._reads)
            result = job(connection)
            ended = True
            connection.commit()
        except self._dialect.errors as error:
            lost = self._connection is not None and self._connection.lost
            self.close()
            # Lost at its end, a transaction may have been committed: then only the caller knows.
            if idle and lost and not ended and not self._cut:
                return self.run(job)
            raise self._dialect.explain(error) from error
        except BaseException:
            self._roll_back()
            raise
        return result

    def interrupt(self) -> None:
        """Cut the connection under a transaction that hangs; may be called from any thread."""
        if self._connection is not None:
            self._cut = True
            self._connection.interrupt()

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(*self._dialect.errors):
                connection.close()

    def _roll_back(self) -> None:
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except self._dialect.errors:
            self.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._dialect.connect()
        return self._connection
