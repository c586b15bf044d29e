"""Stores and histories put together: which dialect, which files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from stewardmon.ports import Store
from stewardmon.stores.history import SqlHistory
from stewardmon.stores.leadership import Alone, Leadership
from stewardmon.stores.sql import SqlStore
from stewardmon.stores.sqlite import SqliteDialect


def sqlite(path: Path) -> tuple[SqlStore, SqlHistory]:
    """Return a state that waits for the disk at every commit, and a history that need not.

    The history is a file of its own, so that its batches never hold up a decision.
    """
    history = SqliteDialect(history_path(path), durable=False, exclusive=False)
    return SqlStore(SqliteDialect(path, durable=True, exclusive=True)), SqlHistory(history)


def postgres(url: str) -> tuple[SqlStore, SqlHistory]:
    """Return a state and a history in one database, over connections of their own."""
    # psycopg: 9 MB that a state in a file does without.
    from stewardmon.stores.postgres import PostgresDialect  # noqa: PLC0415

    return SqlStore(PostgresDialect(url)), SqlHistory(PostgresDialect(url))


async def recorded(store: Store) -> Mapping[tuple[str, str], Mapping[str, object]]:
    """Return a state's records without claiming it; nothing where there is no state."""
    if not isinstance(store, SqlStore) or not store.dialect.exists():
        return {}
    return await store.records()


def leadership(store: Store, *, holder: str) -> Leadership:
    """Return the right to decide over a state; `holder` names this process for people."""
    if not isinstance(store, SqlStore) or isinstance(store.dialect, SqliteDialect):
        return Alone()
    from stewardmon.stores.leader import AdvisoryLeadership  # noqa: PLC0415 - PostgreSQL alone

    return AdvisoryLeadership(store, store.dialect, holder=holder)


def history_path(state: Path) -> Path:
    """Return the history's file beside a state's: `state.db` → `state.history.db`."""
    state = state.absolute()  # a bare "." has no name to stand beside
    return state.with_name(f"{state.stem}.history{state.suffix or '.db'}")
