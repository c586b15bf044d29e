"""What SQLite and PostgreSQL say differently; everything else is common to both.

Many rows travel as one JSON parameter and are written by one statement: SQLite then does the
whole of it without Python's global lock. A row at a time would ask for that lock 10,000 times,
and beside a busy event loop each time may wait 5 ms (measured: 12 s instead of 0.1 s).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Boolean, Column, Connection, Integer, Table, TextClause, text
from sqlalchemy.exc import SQLAlchemyError

from stewardmon.errors import StoreError


class Dialect(Protocol):
    """How one database is opened, spoken to and understood."""

    def hold(self) -> None:
        """Claim the state for this process; raises StoreError where another one has it."""

    def release(self) -> None:
        """Let another process have the state."""

    def connect(self) -> Connection:
        """Return a new connection; raises StoreError or SQLAlchemyError."""

    def check(self, connection: Connection) -> None:
        """Raise StoreError where the database is damaged."""

    def lock_schema(self, connection: Connection) -> None:
        """Keep other processes from migrating until the transaction ends."""

    def explain(self, error: SQLAlchemyError) -> StoreError:
        """Return the sentence for a person about what went wrong."""

    def rows(self, columns: Sequence[Column[Any]]) -> str:
        """Return the SELECT over the JSON parameter `rows` (arrays in the columns' order)."""

    def keys(self) -> str:
        """Return the SELECT over the JSON parameter `keys` (an array of strings)."""


def insert(
    dialect: Dialect, table: Table, *, skip: Sequence[str] = (), on_conflict: str = ""
) -> TextClause:
    """Return the INSERT of the JSON parameter `rows` into the table's columns less `skip`."""
    columns = [column for column in table.columns if column.name not in skip]
    names = ", ".join(column.name for column in columns)
    return text(f"INSERT INTO {table.name} ({names}) {dialect.rows(columns)} {on_conflict}")


def upsert(dialect: Dialect, table: Table) -> TextClause:
    """Return the INSERT that replaces rows of equal primary key."""
    keys = ", ".join(column.name for column in table.primary_key)
    rest = [column.name for column in table.columns if not column.primary_key]
    return insert(dialect, table, on_conflict=f"ON CONFLICT ({keys}) DO UPDATE SET {taken(rest)}")


def delete(dialect: Dialect, table: Table, column: str, also: str = "") -> TextClause:
    """Return the DELETE of the rows whose column is in the JSON parameter `keys`."""
    return text(f"DELETE FROM {table.name} WHERE {column} IN ({dialect.keys()}) {also}")  # noqa: S608


def taken(names: Sequence[str]) -> str:
    """Return the assignments by which a conflicting row takes over the new row's columns."""
    return ", ".join(f"{name} = excluded.{name}" for name in names)


def type_name(column: Column[Any]) -> str:
    """Return the column's type as PostgreSQL writes it."""
    if isinstance(column.type, Boolean):
        return "boolean"
    return "bigint" if isinstance(column.type, Integer) else "text"
