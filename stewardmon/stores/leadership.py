"""The right to decide, and the case in which nobody else wants it."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Leadership(Protocol):
    """The right to decide: at most one process has it."""

    async def acquire(self, *, now: datetime) -> bool:
        """Ask to lead; say whether this process leads now. Raises StoreError."""

    async def renew(self, *, now: datetime) -> bool:
        """Say whether this process still leads; never raises."""

    async def release(self) -> None:
        """Let another process lead."""


class Alone:
    """Always leads: nobody shares the state (SQLite's lock and memory see to that)."""

    async def acquire(self, *, now: datetime) -> bool:
        """Return True."""
        del now
        return True

    async def renew(self, *, now: datetime) -> bool:
        """Return True."""
        del now
        return True

    async def release(self) -> None:
        """Return at once."""
