"""The way to the store that outlives the store: commits, claims, and paging from memory."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident
from stewardmon.domain.notification import Delivery, DeliveryState
from stewardmon.errors import DeposedError, StoreError
from stewardmon.ports import Saved, Store

log = structlog.get_logger()

PRUNE_EVERY: Final = timedelta(days=1)
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
        self.deposed = asyncio.Event()
        self._pruned_at: datetime | None = None
        self._open: dict[str, Delivery] = {}
        self._of: dict[str, set[str]] = defaultdict(set)  # incidents' keys in `_open`
        self._withdrawn: dict[str, str] = {}  # taken back while a sender held them: key → why
        self._backlog: deque[Change] = deque(maxlen=BACKLOG_LIMIT)
        self._writing = asyncio.Lock()

    @property
    def healthy(self) -> bool:
        """Say whether decisions are durable at the moment."""
        return not self.trouble

    async def load(self) -> Saved:
        """Return what was saved, and take up what was still to be sent.

        Whoever held a row is no more: it is sent again at once, not when its lease runs out.
        """
        saved = await self.store.load()
        await self.store.release()
        for row in await self.store.unsettled():
            self._put(row)
        self.news.set()
        return saved

    async def commit(self, change: Change) -> None:
        """Make the change durable; if the store cannot, keep it and go on from memory."""
        if not change:
            return
        change = self._obeying(change)
        async with self._writing:
            if not self._backlog:
                try:
                    await self.store.commit(change)
                except StoreError as error:
                    self._fail(error)
                    self._keep(change)
            else:
                self._keep(change)
                await self._mend()
            self._mirror(change)

    async def mend(self) -> bool:
        """Try to write what waits; return whether everything is durable now."""
        async with self._writing:
            return await self._mend()

    async def _mend(self) -> bool:
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
                rows = await self.store.claim(now=now, lease=lease, limit=limit, busy=busy)
            except StoreError as error:
                self._fail(error)
            else:
                return self._leased(rows)
        return self._from_memory(now=now, until=now + lease, limit=limit, busy=busy)

    def waiting(self) -> tuple[Delivery, ...]:
        """Return everything that is still to be sent."""
        return tuple(self._open.values())

    def waiting_of(self, incident: str) -> tuple[Delivery, ...]:
        """Return what is still to be sent about one incident."""
        return tuple(self._open[key] for key in self._of.get(incident, ()))

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        """Return one incident's outbox rows; while the store fails, those that still wait."""
        try:
            return await self.store.deliveries(incident)
        except StoreError as error:
            self._fail(error)
            return self.waiting_of(incident)

    async def incident(self, ident: str) -> Incident | None:
        """Return an incident that memory no longer holds, None where there is none."""
        try:
            return await self.store.incident(ident)
        except StoreError as error:
            self._fail(error)
            return None

    async def tend(self, *, now: datetime) -> None:
        """Forget what ended long ago, once a day; a store that fails forgets it another day."""
        if self._pruned_at is not None and now - self._pruned_at < PRUNE_EVERY:
            return
        self._pruned_at = now
        try:
            await self.store.prune(now=now)
        except StoreError as error:
            log.warning("prune_failed", error=str(error))

    def _from_memory(
        self, *, now: datetime, until: datetime, limit: int, busy: frozenset[str]
    ) -> Sequence[Delivery]:
        seen: set[tuple[str, str, str]] = set()
        rows = []
        for row in sorted(self._open.values(), key=lambda one: (one.created_at, one.order)):
            place = (row.incident, row.channel, row.to)
            free = row.lease_until is None or row.lease_until <= now
            if place not in seen and free and row.due_at <= now and row.channel not in busy:
                rows.append(replace(row, lease_until=until))
            seen.add(place)
        return self._leased(rows[:limit])

    def _leased(self, rows: Sequence[Delivery]) -> Sequence[Delivery]:
        """Note who is being sent; memory and store must agree on that when either one fails."""
        for row in rows:
            self._put(row)
        return rows

    def _obeying(self, change: Change) -> Change:
        """Return the change without second tries of what was taken back during the first."""
        if not self._withdrawn:
            return change
        return replace(change, deliveries=tuple(self._final(row) for row in change.deliveries))

    def _final(self, row: Delivery) -> Delivery:
        why = self._withdrawn.pop(row.dedup_key, None)
        if why is None or row.state is not DeliveryState.PENDING:
            return row
        return replace(row, state=DeliveryState.CANCELLED, error=why, lease_until=None)

    def _mirror(self, change: Change) -> None:
        for incident, why in (change.cancels or {}).items():
            for row in self.waiting_of(incident):
                if row.pages:
                    self._take_back(row, why)
        for row in change.deliveries:
            if row.state is not DeliveryState.PENDING:
                self._drop(row)
            elif row.dedup_key in change.replaces or row.dedup_key not in self._open:
                self._put(row)
        if change.deliveries:
            self.news.set()

    def _take_back(self, row: Delivery, why: str) -> None:
        if row.lease_until is not None:
            self._withdrawn[row.dedup_key] = why
        self._drop(row)

    def _put(self, row: Delivery) -> None:
        self._open[row.dedup_key] = row
        self._of[row.incident].add(row.dedup_key)

    def _drop(self, row: Delivery) -> None:
        if self._open.pop(row.dedup_key, None) is None:
            return
        keys = self._of[row.incident]
        keys.discard(row.dedup_key)
        if not keys:
            del self._of[row.incident]

    def _keep(self, change: Change) -> None:
        if len(self._backlog) == BACKLOG_LIMIT:
            metrics.SHED.labels("store_backlog").inc()
        self._backlog.append(change)

    def _fail(self, error: StoreError) -> None:
        metrics.STORE_ERRORS.inc()
        if isinstance(error, DeposedError):
            # Not a failing disk: whoever leads now pages. Going on from memory would page twice.
            self.deposed.set()
            raise error
        if not self.trouble:
            log.error("store_failing", error=str(error))
        self.trouble = str(error)
