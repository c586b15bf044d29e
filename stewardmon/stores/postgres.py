"""PostgreSQL: the state of a daemon that has outgrown one machine."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from stewardmon.errors import StoreError
from stewardmon.stores.schema import PARTIAL, PENDING

# A frozen server or a cut cable must become an error, or pages would wait for it for ever.
PATIENCE: Final = {
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

for _index in PARTIAL:
    _index.dialect_options["postgresql"]["where"] = PENDING


class PostgresDialect:
    """A database on a server; the address may hold a password, which no message shows."""

    def __init__(self, url: str, *, patience: float = HANGS_AFTER) -> None:
        self.patience: float | None = patience
        try:
            parsed = make_url(url).set(drivername="postgresql+psycopg")
            self._place = f"{parsed.host or 'local'}:{parsed.port or 5432}/{parsed.database or ''}"
        except (ArgumentError, ValueError):
            raise StoreError(
                "the state's address is not a PostgreSQL URL: write "
                "postgresql://user:password@host:5432/database"
            ) from None
        self._engine = create_engine(
            parsed, poolclass=NullPool, connect_args={**PATIENCE, "prepare_threshold": None}
        )

    def hold(self) -> None:
        """Do nothing: several processes may share the state (see stores.leader)."""

    def release(self) -> None:
        """Do nothing: nothing was claimed."""

    def connect(self) -> Connection:
        """Return a new connection; raises SQLAlchemyError."""
        connection = self._engine.connect()
        with connection.begin():
            connection.execute(text(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}"))
            connection.execute(text(f"SET lock_timeout = {LOCK_TIMEOUT_MS}"))
        return connection

    def check(self, connection: Connection) -> None:
        """Do nothing: PostgreSQL watches over its own files."""

    def lock(self, connection: Connection) -> None:
        """Keep other processes from migrating and re-ordering until the transaction ends."""
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})

    def size(self, connection: Connection) -> int:
        """Return 0: PostgreSQL reuses deleted rows' space after its own clock."""
        del connection
        return 0

    def interrupt(self, connection: Connection) -> None:
        """Shut the socket: a frozen server keeps its connections open for ever."""
        raw: Any = connection.connection.dbapi_connection
        if not isinstance(raw, psycopg.Connection) or raw.closed:
            return
        with suppress(OSError), socket.socket(fileno=os.dup(raw.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)

    def explain(self, error: SQLAlchemyError) -> StoreError:
        """Return the sentence for a person about what went wrong."""
        cause = getattr(error, "orig", None)
        line = str(cause or error).strip().partition("\n")[0]
        if isinstance(error, (OperationalError, InterfaceError)):
            return StoreError(f"the state's database {self._place} cannot be used: {line}")
        return StoreError(f"the state's database {self._place} refused: {line}")
