"""What SQLite and PostgreSQL do differently; everything else is common to both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from stewardmon.errors import StoreError

Row = tuple[Any, ...]


class Connection(Protocol):
    """A connection to a database, over which one transaction runs at a time."""

    for_share: str
    """What a SELECT ends with to keep its rows as they are; SQLite keeps everybody out anyway."""

    skip_locked: str
    """What a SELECT from the outbox ends with to take only rows that nobody else takes."""

    def execute(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()
    ) -> Sequence[Row]:
        """Return the rows of a statement, whose parameters are written `?` or `:name`."""

    def begin(self, *, reads: bool) -> None:
        """Start a transaction; one that only `reads` may run beside others."""

    def commit(self) -> None:
        """End it, durably."""

    def rollback(self) -> None:
        """End it and keep nothing of it."""

    def interrupt(self) -> None:
        """Make a call fail that hangs in another thread."""

    def close(self) -> None:
        """Let go of the database."""

    @property
    def lost(self) -> bool:
        """Whether the server has gone away under the connection."""


class Dialect(Protocol):
    """How one database is claimed, opened, checked and understood."""

    patience: float | None
    """Seconds after which a job is taken to hang; None where the database sees to it itself."""

    errors: tuple[type[Exception], ...]
    """What the driver raises."""

    types: Mapping[str, str]
    """How the database writes the words of stores.migrations."""

    def hold(self) -> None:
        """Claim the state for this process; raises StoreError where another one has it."""

    def release(self) -> None:
        """Let another process have the state."""

    def exists(self) -> bool:
        """Return whether there may be a database; connecting makes it where it can be made."""

    def connect(self) -> Connection:
        """Return a new connection; raises StoreError or one of `errors`."""

    def check(self, connection: Connection) -> None:
        """Raise StoreError where the database is damaged."""

    def lock(self, connection: Connection) -> None:
        """Keep other processes from migrating and re-ordering until the transaction ends."""

    def has(self, connection: Connection, table: str) -> bool:
        """Return whether there is a table of this name."""

    def size(self, connection: Connection) -> int:
        """Return the bytes in use on disk, 0 where that is somebody else's care."""

    def explain(self, error: Exception) -> StoreError:
        """Return the sentence for a person about what went wrong."""
