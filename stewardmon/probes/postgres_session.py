"""One conversation with a database: connect, a transaction with local limits, and hang up."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

import psycopg
from psycopg import waiting
from psycopg.rows import DictRow, dict_row

from stewardmon.network.dial import resolve
from stewardmon.network.endpoint import literal
from stewardmon.network.progress import Progress
from stewardmon.probes.postgres_failure import failure_of
from stewardmon.probes.postgres_url import hosts, ports, shown

APPLICATION: Final = "stewardmon"
_MS: Final = timedelta(milliseconds=1)


class _Connection(psycopg.AsyncConnection[DictRow]):
    """A connection that lets go at once.

    Where psycopg is cancelled amid a query, it asks the server to cancel and waits for seconds: a
    frozen server would hold the probe beyond its timeout. This one leaves that to `session`.
    """

    async def wait(
        self,
        gen: Any,
        interval: float = 0.1,
        timeout: float | None = None,
    ) -> Any:
        return await waiting.wait_async(gen, self.pgconn.socket, interval, timeout)


class Session:
    """An open transaction that changes nothing; queries raise Failure."""

    def __init__(self, connection: psycopg.AsyncConnection[DictRow], where: str) -> None:
        self._connection = connection
        self._where = where

    @property
    def server_version(self) -> int:
        """Return the server's version as a number: 160004 is 16.4."""
        return self._connection.info.server_version

    @property
    def encrypted(self) -> bool:
        """Say whether the connection runs under TLS."""
        return bool(self._connection.pgconn.ssl_in_use)

    async def rows(self, query: str, values: Mapping[str, Any] | None = None) -> list[DictRow]:
        """Return the rows of one query by column name; raises Failure."""
        try:
            # Queries are constants of this package or the operator's own configuration.
            cursor = await self._connection.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description else []
        except psycopg.Error as error:
            raise failure_of(error, self._where) from None

    async def row(self, query: str, values: Mapping[str, Any] | None = None) -> DictRow:
        """Return the first row of one query; raises Failure."""
        rows = await self.rows(query, values)
        return rows[0] if rows else {}


@asynccontextmanager
async def session(
    parameters: dict[str, str],
    progress: Progress,
    *,
    statement_timeout: timedelta = timedelta(seconds=3),
    lock_timeout: timedelta = timedelta(milliseconds=500),
    read_only: bool = False,
) -> AsyncIterator[Session]:
    """Open a connection of one's own and a transaction with local limits; raises Failure.

    Nothing is set for the session: behind a transaction pooler the next client would inherit it.
    The transaction is rolled back, the connection closed.
    """
    where = shown(parameters)
    connection = await _connect(parameters, progress, where)
    try:
        progress.enter("query")
        talk = Session(connection, where)
        mode = "BEGIN READ ONLY" if read_only else "BEGIN"
        await talk.rows(
            f"{mode}; SET LOCAL statement_timeout = {statement_timeout // _MS};"
            f" SET LOCAL lock_timeout = {lock_timeout // _MS}"
        )
        yield talk
        progress.leave()
    finally:
        # Closing rolls back; saying so first would mean to wait for a server that may hang.
        connection.pgconn.finish()


async def _connect(
    parameters: dict[str, str], progress: Progress, where: str
) -> psycopg.AsyncConnection[DictRow]:
    resolved = await _resolved(parameters, progress)
    progress.enter("connect")
    try:
        return await _Connection.connect(
            "",
            autocommit=True,
            prepare_threshold=None,
            row_factory=dict_row,
            **resolved,
        )
    except psycopg.Error as error:
        raise failure_of(error, where) from None


async def _resolved(parameters: dict[str, str], progress: Progress) -> dict[str, Any]:
    """Return the parameters with addresses beside the names.

    Our resolver keeps a hanging name server from holding up other probes; libpq still checks
    certificates against the name.
    """
    ready: dict[str, Any] = {"gssencmode": "disable", **parameters, "application_name": APPLICATION}
    names = hosts(parameters)
    if "hostaddr" in parameters or len(names) > 1 or names[0].startswith("/") or literal(names[0]):
        return ready
    addresses = await resolve(names[0], guard=False, progress=progress)
    count = len(addresses)
    ready["host"] = ",".join(names * count)
    ready["port"] = ",".join(ports(parameters)[:1] * count)
    ready["hostaddr"] = ",".join(addresses)
    if count > 1:
        ready.setdefault("connect_timeout", "2")
    return ready
