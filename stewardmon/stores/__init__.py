"""Where the state and the history are kept: SQLite, PostgreSQL, or memory for tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from stewardmon.errors import StoreError
from stewardmon.ports import History, Store
from stewardmon.stores.leadership import Alone, Leadership
from stewardmon.stores.memory import MemoryHistory, MemoryStore

_MEMORY: Final = "memory://"
_SQLITE: Final = "sqlite:///"
_POSTGRES: Final = ("postgresql://", "postgres://", "postgresql+psycopg://")


def open_store(url_or_path: str) -> tuple[Store, History]:
    """Return the state and the history that a path or URL names; neither is touched yet.

    A path or `sqlite:///path` is a file, with the history in a second file beside it;
    `postgresql://…` holds both; `memory://` forgets. Raises StoreError for anything else.
    """
    if url_or_path == _MEMORY:
        return MemoryStore(), MemoryHistory()
    # Only whoever opens a database pays for what it takes.
    from stewardmon.stores import databases  # noqa: PLC0415

    if url_or_path.startswith(_POSTGRES):
        return databases.postgres(url_or_path)
    path = url_or_path.removeprefix(_SQLITE)
    if "://" in path or not path:
        scheme = f"{path.partition('://')[0]}://…" if path else "an empty name"
        raise StoreError(
            f"a state cannot be kept at {scheme}: name a path, sqlite:///path or postgresql://…"
        )
    return databases.sqlite(Path(path))


async def recorded(url_or_path: str) -> Mapping[tuple[str, str], Mapping[str, object]]:
    """Return what people set at run time, read beside a daemon that may be running.

    Nothing where there is no state yet. Raises StoreError for one that cannot be read.
    """
    store, _ = open_store(url_or_path)
    if isinstance(store, MemoryStore):
        return {}
    from stewardmon.stores import databases  # noqa: PLC0415

    return await databases.recorded(store)


def leadership(store: Store, *, holder: str) -> Leadership:
    """Return the right to decide over a state; only on PostgreSQL somebody else may have it.

    `holder` names this process for people. Once led, a state raises DeposedError from commit
    and claim when another process has taken over.
    """
    if isinstance(store, MemoryStore):
        return Alone()
    from stewardmon.stores import databases  # noqa: PLC0415

    return databases.leadership(store, holder=holder)
