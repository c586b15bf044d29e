"""A connection that is made when it is needed, and made anew after it failed."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from stewardmon.stores.dialect import Dialect

T = TypeVar("T")


class Line:
    """Runs transactions over one connection; belongs to one thread.

    A failure becomes one StoreError here and costs the connection, so that the next transaction
    starts from a fresh one: that is how a full disk or a restarted server is got over.
    """

    def __init__(self, dialect: Dialect, *, reads: bool = False) -> None:
        self._dialect = dialect
        self._reads = reads
        self._connection: Connection | None = None

    def run(self, job: Callable[[Connection], T]) -> T:
        """Return what the job returns, committed; or raise and keep nothing of it."""
        try:
            if self._connection is None:
                fresh = self._dialect.connect()
                self._connection = fresh.execution_options(reads=self._reads)
            with self._connection.begin():
                return job(self._connection)
        except SQLAlchemyError as error:
            self.close()
            raise self._dialect.explain(error) from error

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()
