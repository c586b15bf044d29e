"""The way to the store that outlives the store: commits, claims, and paging from memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.errors import StoreError
from stewardmon.ports import Saved, Store

log = structlog.get_logger()

BACKLOG_LIMIT: Final = 10_000  # changes kept while the store fails; older ones are shed, counted


class Ledger:
    """Makes changes durable, and keeps what must be sent in memory too.

    While the store fails, changes wait in a bounded backlog, deliveries are claimed from memory,
    and `healthy` is False with the reason in `trouble`: pages go out, but a crash would forget.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trouble = ""
        self.news = asyncio.Event()
        self._open: dict[str, Delivery] = {}
        self._backlog: deque[Change] = deque(maxlen=BACKLOG_LIMIT)

    @property
    def healthy(self) -> bool:
        """Say whether decisions are durable at the moment."""
        return not self.trouble

    async def load(self) -> Saved:
        """Return what was saved, and take up what was still to be sent."""
        saved = await self.store.load()
        self._open = {row.dedup_key: row for row in await self.store.unsettled()}
        self.news.set()
        return saved

    async def commit(self, change: Change) -> None:
        """Make the change durable; if the store cannot, keep it and go on from memory."""
        if not change:
            return
        if self._backlog:
            self._keep(change)
            await self.mend()
        else:
            try:
                await self.store.commit(change)
            except StoreError as error:
                self._fail(error)
                self._keep(change)
        self._mirror(change)

    async def mend(self) -> bool:
        """Try to write what waits; return whether everything is durable now."""
        try:
            while self._backlog:
                await self.store.commit(self._backlog[0])
                self._backlog.popleft()
        except StoreError as error:
            self._fail(error)
            return False
        if self.trouble:
            log.warning("store_recovered", trouble=self.trouble)
            self.trouble = ""
        return True

    async def claim(
        self, *, now: datetime, lease: timedelta, limit: int, busy: frozenset[str]
    ) -> Sequence[Delivery]:
        """Return the deliveries to send now, leased; from memory while the store fails."""
        if self.healthy:
            try:
                return await self.store.claim(now=now, lease=lease, limit=limit, busy=busy)
            except StoreError as error:
                self._fail(error)
        return self._from_memory(now=now, limit=limit, busy=busy)

    def next_due(self) -> datetime | None:
        """Return when the next unsettled delivery may be tried, None when there is none."""
        return min((row.due_at for row in self._open.values()), default=None)

    def waiting(self) -> tuple[Delivery, ...]:
        """Return everything that is still to be sent."""
        return tuple(self._open.values())

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        """Return one incident's outbox rows; while the store fails, those that still wait."""
        try:
            return await self.store.deliveries(incident)
        except StoreError as error:
            self._fail(error)
            return [row for row in self._open.values() if row.incident == incident]

    async def incident(self, ident: str) -> Incident | None:
        """Return an incident that memory no longer holds, None where there is none."""
        try:
            return await self.store.incident(ident)
        except StoreError as error:
            self._fail(error)
            return None

    def _from_memory(
        self, *, now: datetime, limit: int, busy: frozenset[str]
    ) -> Sequence[Delivery]:
        seen: set[tuple[str, str, str]] = set()
        rows = []
        for row in sorted(self._open.values(), key=lambda one: (one.created_at, one.order)):
            place = (row.incident, row.channel, row.to)
            if place not in seen and row.due_at <= now and row.channel not in busy:
                rows.append(row)
            seen.add(place)
        return rows[:limit]

    def _mirror(self, change: Change) -> None:
        for incident in change.cancels or ():
            for key in [k for k, row in self._open.items() if row.incident == incident]:
                if self._open[key].pages:
                    del self._open[key]
        for row in change.deliveries:
            if row.state is not DeliveryState.PENDING:
                self._open.pop(row.dedup_key, None)
            elif row.dedup_key in change.replaces or row.dedup_key not in self._open:
                self._open[row.dedup_key] = row
        if change.deliveries:
            self.news.set()

    def _keep(self, change: Change) -> None:
        if len(self._backlog) == BACKLOG_LIMIT:
            metrics.SHED.labels("store_backlog").inc()
        self._backlog.append(change)

    def _fail(self, error: StoreError) -> None:
        metrics.STORE_ERRORS.inc()
        if not self.trouble:
            log.error("store_failing", error=str(error))
        self.trouble = str(error)
