"""SQLite: one file, one daemon, nothing to install."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stewardmon.errors import StoreError
from stewardmon.stores.checkpoints import CEILING, Checkpoints
from stewardmon.stores.dialect import Connection, Row

BUSY_SECONDS: Final = 5.0
CACHE: Final = 512  # KiB a connection, of which there are five; the system caches the file anyway
PRIVATE: Final = 0o600


class SqliteConnection:
    """A connection to a file; `wrote` is called after each transaction that may have written."""

    for_share = ""
    skip_locked = ""
    lost = False

    def __init__(self, raw: sqlite3.Connection, wrote: Callable[[], None] | None) -> None:
        self._raw = raw
        self._wrote = wrote
        self._reads = False

    def execute(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Sequence[Row]:
        """Return the rows of a statement, whose parameters are written `?` or `:name`."""
        return self._raw.execute(statement, values).fetchall()

    def begin(self, *, reads: bool) -> None:
        """Take the right to write at once: taken later, it can fail in the middle."""
        self._reads = reads
        self._raw.execute("BEGIN" if reads else "BEGIN IMMEDIATE")

    def commit(self) -> None:
        """End the transaction, durably."""
        self._raw.execute("COMMIT")
        if self._wrote is not None and not self._reads:
            self._wrote()

    def rollback(self) -> None:
        """End the transaction and keep nothing of it; SQLite may have done so itself."""
        if self._raw.in_transaction:
            self._raw.execute("ROLLBACK")

    def interrupt(self) -> None:
        """Do nothing: SQLite waits for a lock only as long as its timeout says."""

    def close(self) -> None:
        """Let go of the file."""
        self._raw.close()


class SqliteDialect:
    """A database file; `durable` makes every commit wait until the disk has it.

    `exclusive` keeps a second daemon out; readers beside it are always let in.
    """

    patience: float | None = None
    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    types: Mapping[str, str] = {"NUMBER": "INTEGER PRIMARY KEY AUTOINCREMENT", "BYTES": "BLOB"}

    def __init__(self, path: Path, *, durable: bool, exclusive: bool) -> None:
        self._path = path
        self._durable = durable
        self._exclusive = exclusive
        self._lock: int | None = None
        self._checkpoints = Checkpoints(self._open) if durable else None

    def hold(self) -> None:
        """Claim the state for this process; raises StoreError where another one has it."""
        if not self._exclusive or self._lock is not None:
            return
        self._look()
        # A file of its own: closing the database file would drop SQLite's own locks on it.
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise StoreError(
                f"the state {self._path} is in use by another stewardmon: stop that one, or start "
                "this one with another --state"
            ) from None
        self._lock = lock

    def release(self) -> None:
        """Let another process have the state."""
        if self._checkpoints is not None:
            self._checkpoints.stop()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def exists(self) -> bool:
        """Return whether there is a file."""
        return self._path.exists()

    def connect(self) -> Connection:
        """Return a new connection; raises StoreError or sqlite3.Error."""
        self._look()
        keeper = self._checkpoints
        return SqliteConnection(self._open(), None if keeper is None else keeper.wrote)

    def check(self, connection: Connection) -> None:
        """Raise StoreError where the database is damaged."""
        if connection.execute("PRAGMA quick_check(1)") != [("ok",)]:
            raise self._damaged()

    def lock(self, connection: Connection) -> None:
        """Do nothing: a transaction that may write keeps every other one out."""

    def has(self, connection: Connection, table: str) -> bool:
        """Return whether there is a table of this name."""
        named = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(connection.execute(named, (table,)))

    def size(self, connection: Connection) -> int:
        """Return the bytes of the file that hold anything."""
        names = ("page_count", "freelist_count", "page_size")
        ((pages,),), ((free,),), ((page,),) = (
            connection.execute(f"PRAGMA {name}") for name in names
        )
        return int(pages - free) * int(page)

    def explain(self, error: Exception) -> StoreError:
        """Return the sentence for a person about what went wrong."""
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return self._damaged()
        for start, sentence in _SENTENCES.items():
            if name.startswith(start):
                return StoreError(sentence.format(path=self._path))
        return StoreError(f"the state {self._path} could not be used: {error}")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute(f"PRAGMA cache_size = -{CACHE}")
            if self._durable:
                connection.execute(f"PRAGMA wal_autocheckpoint = {CEILING}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _look(self) -> None:
        """Make the file, for its owner only, or say why it cannot be."""
        path = self._path
        if path.is_dir():
            raise StoreError(f"the state {path} is a directory: name a file in it")
        if not path.parent.is_dir():
            raise StoreError(f"the state's directory {path.parent} does not exist: create it")
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE))
        except OSError as error:
            raise StoreError(
                f"the state {path} cannot be written ({error.strerror}): give this user the right "
                "to write there, or name another --state"
            ) from None

    def _damaged(self) -> StoreError:
        return StoreError(
            f"the state {self._path} is damaged or not a database: restore it from a backup, or "
            "move it away and start with an empty one"
        )


_SENTENCES: Final = {
    "SQLITE_FULL": "the disk of the state {path} is full: free some space",
    "SQLITE_IOERR": "the disk of the state {path} is full or fails: see what the system's log says",
    "SQLITE_BUSY": "the state {path} is locked by another program: let go of it there",
    "SQLITE_LOCKED": "the state {path} is locked by another program: let go of it there",
    "SQLITE_READONLY": "the state {path} cannot be written: check its rights and its disk",
    "SQLITE_CANTOPEN": "the state {path} cannot be opened: check its rights and its directory's",
    "SQLITE_TOOBIG": "the state {path} was handed more than it can keep in one row",
}
