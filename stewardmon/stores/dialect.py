"""What SQLite and PostgreSQL do differently; everything else is common to both."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from stewardmon.errors import StoreError


class Dialect(Protocol):
    """How one database is claimed, opened, checked and understood."""

    patience: float | None
    """Seconds after which a job is taken to hang; None where the database sees to it itself."""

    def hold(self) -> None:
        """Claim the state for this process; raises StoreError where another one has it."""

    def release(self) -> None:
        """Let another process have the state."""

    def connect(self) -> Connection:
        """Return a new connection; raises StoreError or SQLAlchemyError."""

    def check(self, connection: Connection) -> None:
        """Raise StoreError where the database is damaged."""

    def lock(self, connection: Connection) -> None:
        """Keep other processes from migrating and re-ordering until the transaction ends."""

    def size(self, connection: Connection) -> int:
        """Return the bytes in use on disk, 0 where that is somebody else's care."""

    def interrupt(self, connection: Connection) -> None:
        """Make a call fail that hangs in another thread."""

    def explain(self, error: SQLAlchemyError) -> StoreError:
        """Return the sentence for a person about what went wrong."""
