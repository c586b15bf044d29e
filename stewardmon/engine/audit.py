"""The auditor: is any escalation step or message overdue and unsent?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.domain.incident import Incident
from stewardmon.domain.notification import Delivery
from stewardmon.engine.deliver import Delivering
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.responder import Responder
from stewardmon.ports import Clock

log = structlog.get_logger()

LOOK_EVERY: Final = 5.0  # seconds
AT_ONCE: Final = 32  # pages sent past a stalled loop at one look
STEP_GRACE: Final = timedelta(seconds=10)
MESSAGE_GRACE: Final = timedelta(seconds=90)  # a lease and a half: longer than any send may take


def overdue_steps(incidents: tuple[Incident, ...], *, now: datetime) -> tuple[Incident, ...]:
    """Return the incidents whose next step should have been taken by now."""
    return tuple(
        one
        for one in incidents
        if one.next_step_at is not None and now - one.next_step_at > STEP_GRACE
    )


def overdue_pages(waiting: tuple[Delivery, ...], *, now: datetime) -> tuple[Delivery, ...]:
    """Return the pages that nobody has tried to send although they were due."""
    return tuple(row for row in waiting if row.pages and now - row.due_at > MESSAGE_GRACE)


class Auditor:
    """Looks every few seconds, apart from the loops it audits; rules page what it finds."""

    def __init__(
        self,
        responder: Responder,
        ledger: Ledger,
        clock: Clock,
        *,
        beat: Callable[[], None] = lambda: None,
        delivering: Delivering | None = None,
    ) -> None:
        self._delivering = delivering
        self._rescued: set[str] = set()
        self._responder = responder
        self._ledger = ledger
        self._clock = clock
        self._beat = beat

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.look()
            self._beat()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Count what is overdue, and try again to write what a failing store left waiting."""
        now = self._clock.now()
        if not self._ledger.healthy:
            await self._ledger.mend()
        metrics.STORE_HEALTHY.set(float(self._ledger.healthy))
        steps = overdue_steps(self._responder.open(), now=now)
        pages = overdue_pages(self._ledger.waiting(), now=now)
        for incident in steps:
            log.error("step_overdue", incident=incident.id, due_at=incident.next_step_at)
        for row in pages:
            log.error("page_overdue", key=row.dedup_key, due_at=row.due_at)
        await self._send_beside(pages, now=now)
        metrics.OVERDUE.set(len(steps) + len(pages))
        oldest = min((row.created_at for row in self._ledger.waiting()), default=now)
        metrics.OUTBOX_AGE.set((now - oldest).total_seconds())

    async def _send_beside(self, pages: tuple[Delivery, ...], *, now: datetime) -> None:
        """Send overdue pages past the delivery loop, each once, if that loop has stopped."""
        self._rescued &= {row.dedup_key for row in pages}
        fresh = [row for row in pages if row.dedup_key not in self._rescued]
        if self._delivering is None or not fresh or not self._delivering.stalled(now):
            return
        batch = fresh[:AT_ONCE]
        self._rescued |= {row.dedup_key for row in batch}
        await asyncio.gather(*(self._delivering.rescue(row) for row in batch))
