"""A state on a disk that fills up, and has room again, when the test says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.notification import Delivery
from stewardmon.errors import StoreError
from stewardmon.stores.memory import MemoryStore


class FailingStore(MemoryStore):
    """The memory store; while `full`, everything that is asked of it fails."""

    def __init__(self) -> None:
        super().__init__()
        self.full = False

    async def commit(self, change: Change) -> None:
        self._ask()
        await super().commit(change)

    async def claim(self, **asked: Any) -> Sequence[Delivery]:
        self._ask()
        return await super().claim(**asked)

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        self._ask()
        return await super().deliveries(incident)

    async def incident(self, ident: str) -> Incident | None:
        self._ask()
        return await super().incident(ident)

    async def events(self, incident: str) -> Sequence[Event]:
        self._ask()
        return await super().events(incident)

    async def prune(self, *, now: datetime) -> None:
        self._ask()
        await super().prune(now=now)

    def _ask(self) -> None:
        if self.full:
            raise StoreError("the disk is full: free some space")
