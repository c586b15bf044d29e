"""PostgreSQL: the state of a daemon that has outgrown one machine."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from stewardmon.errors import StoreError
from stewardmon.stores.dialect import Connection, Row

# A frozen server or a cut cable must become an error, or pages would wait for it for ever.
PATIENCE: Final[Mapping[str, Any]] = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "application_name": "stewardmon",
}
HANGS_AFTER: Final = 20.0  # seconds: longer than the server's own timeouts
STATEMENT_TIMEOUT_MS: Final = 15_000
LOCK_TIMEOUT_MS: Final = 5_000
LOCK: Final = 0x57E3A4D  # any number that nobody else takes


class PostgresConnection:
    """A connection to a server."""

    for_share = " FOR SHARE"
    skip_locked = " FOR UPDATE OF outbox SKIP LOCKED"

    def __init__(self, raw: psycopg.Connection[Row]) -> None:
        self._raw = raw

    def execute(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Sequence[Row]:
        """Return the rows of a statement, whose parameters are written `?` or `:name`."""
        cursor = self._raw.execute(_written(statement), values)
        return cursor.fetchall() if cursor.description else []

    def begin(self, *, reads: bool) -> None:
        """Do nothing: the first statement begins the transaction."""

    def commit(self) -> None:
        """End the transaction, durably."""
        self._raw.commit()

    def rollback(self) -> None:
        """End the transaction and keep nothing of it."""
        self._raw.rollback()

    def interrupt(self) -> None:
        """Shut the socket: a frozen server keeps its connections open for ever."""
        if self._raw.closed:
            return
        with suppress(OSError), socket.socket(fileno=os.dup(self._raw.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the server."""
        self._raw.close()

    @property
    def lost(self) -> bool:
        """Whether the server has gone away under the connection."""
        return self._raw.closed


@lru_cache(maxsize=256)
def _written(statement: str) -> str:
    """Return a statement with its parameters as psycopg writes them."""
    escaped = statement.replace("%", "%%").replace("?", "%s")
    return re.sub(r"(?<!:):(\w+)", r"%(\1)s", escaped)


class PostgresDialect:
    """A database on a server; the address may hold a password, which no message shows."""

    errors: tuple[type[Exception], ...] = (psycopg.Error,)
    types: Mapping[str, str] = {"NUMBER": "BIGSERIAL PRIMARY KEY", "BYTES": "BYTEA"}

    def __init__(self, url: str, *, patience: float = HANGS_AFTER) -> None:
        self.patience: float | None = patience
        self._url = url.replace("+psycopg", "", 1)
        self._place = _place(self._url)

    def hold(self) -> None:
        """Do nothing: several processes may share the state (see stores.leader)."""

    def release(self) -> None:
        """Do nothing: nothing was claimed."""

    def exists(self) -> bool:
        """Return True: a server is asked."""
        return True

    def connect(self) -> Connection:
        """Return a new connection; raises psycopg.Error."""
        # A pooler may hand every transaction to another server: nothing is prepared there.
        raw = psycopg.connect(self._url, prepare_threshold=None, **PATIENCE)
        connection = PostgresConnection(raw)
        try:
            connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
            connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
            connection.commit()
        except psycopg.Error:
            connection.close()
            raise
        return connection

    def check(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL watches over its own files."""

    def lock(self, connection: Connection) -> None:
        """Keep other processes from migrating and re-ordering until the transaction ends."""
        connection.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))

    def has(self, connection: Connection, table: str) -> bool:
        """Return whether there is a table of this name."""
        ((found,),) = connection.execute("SELECT to_regclass(?)", (table,))
        return found is not None

    def size(self, connection: Connection) -> int:
        """Return 0: PostgreSQL reuses deleted rows' space after its own clock."""
        del connection
        return 0

    def explain(self, error: Exception) -> StoreError:
        """Return the sentence for a person about what went wrong."""
        line = str(error).strip().partition("\n")[0]
        if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
            return StoreError(f"the state's database {self._place} cannot be used: {line}")
        return StoreError(f"the state's database {self._place} refused: {line}")


def _place(url: str) -> str:
    """Return where a database is, without what lets one in; raises StoreError."""
    try:
        parsed = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parsed = {"port": "?"}
    host, ports = parsed.get("host") or "local", str(parsed.get("port") or 5432)
    if not all(port.isdecimal() for port in ports.split(",")):
        raise StoreError(
            "the state's address is not a PostgreSQL URL: write "
            "postgresql://user:password@host:5432/database"
        )
    return f"{host}:{ports}/{parsed.get('dbname') or ''}"
