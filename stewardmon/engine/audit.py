"""The auditor: is any escalation step or message overdue and unsent?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.domain import escalation
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.notices import delivery
from stewardmon.domain.notification import Delivery
from stewardmon.engine.deliver import Delivering
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.responder import Responder
from stewardmon.ports import Clock

log = structlog.get_logger()

LOOK_EVERY: Final = 5.0  # seconds
AT_ONCE: Final = 32  # pages sent past a stalled loop at one look
NOTED_WITHIN: Final = 5.0  # seconds
STEP_GRACE: Final = timedelta(seconds=10)
MESSAGE_GRACE: Final = timedelta(seconds=90)  # a lease and a half: longer than any send may take


class Standing:
    """How long things that are due have been seen standing there, by their names.

    Counted from the first look, not from when they were due: after a stop or a sleep of the whole
    machine everything is late, and the loop whose work it is must have had its chance.
    """

    def __init__(self, grace: timedelta) -> None:
        self._grace = grace
        self._seen: dict[str, datetime] = {}

    def overdue(self, names: Sequence[str], *, now: datetime) -> frozenset[str]:
        """Return which of the names, all that are due now, have stood for longer than allowed."""
        self._seen = {name: self._seen.get(name, now) for name in names}
        return frozenset(name for name, at in self._seen.items() if now - at >= self._grace)


def due_steps(incidents: tuple[Incident, ...], *, now: datetime) -> dict[str, Incident]:
    """Return the incidents whose next step is due, by a name that changes with every step."""
    return {
        f"{one.id}@{one.next_step_at}": one
        for one in incidents
        if one.next_step_at is not None and one.next_step_at <= now
    }


def due_pages(waiting: tuple[Delivery, ...], *, now: datetime) -> dict[str, Delivery]:
    """Return the pages that are due, by a name that changes with every attempt.

    One that waits its turn behind another to the same address is not overdue: that one is tried.
    """
    first: dict[tuple[str, str, str], Delivery] = {}
    for row in sorted(waiting, key=lambda one: (one.created_at, one.order)):
        first.setdefault((row.incident, row.channel, row.to), row)
    return {
        f"{row.dedup_key}@{row.due_at}": row
        for row in first.values()
        if row.pages and row.due_at <= now
    }


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
        self._steps, self._pages = Standing(STEP_GRACE), Standing(MESSAGE_GRACE)
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
        due, pending = due_steps(self._responder.open(), now=now), self._ledger.waiting()
        steps = [due[name] for name in sorted(self._steps.overdue(tuple(due), now=now))]
        rows = due_pages(pending, now=now)
        pages = [rows[name] for name in sorted(self._pages.overdue(tuple(rows), now=now))]
        for incident in steps:
            log.error("step_overdue", incident=incident.id, due_at=incident.next_step_at)
        for row in pages:
            log.error("page_overdue", key=row.dedup_key, due_at=row.due_at)
        stalled = self._delivering is not None and self._delivering.stalled(now)
        calls = [row for one in steps for row in self._calls(one, now=now)]
        await self._send_beside([*calls, *(pages if stalled else ())], now=now)
        metrics.OVERDUE.set(len(steps) + len(pages))
        oldest = min((row.created_at for row in pending), default=now)
        metrics.OUTBOX_AGE.set((now - oldest).total_seconds())

    def _calls(self, incident: Incident, *, now: datetime) -> list[Delivery]:
        """Return the pages of a step that nobody has taken, as the step would make them."""
        step = escalation.step(incident, roster=self._responder.book.roster, now=now)
        desk = self._responder.desk()
        return [delivery(call, step.incident, desk=desk, now=now) for call in step.calls]

    async def _send_beside(self, late: Sequence[Delivery], *, now: datetime) -> None:
        """Send what is overdue past the loops that should have sent it, each once."""
        self._rescued &= {row.dedup_key for row in late}
        fresh = [row for row in late if row.dedup_key not in self._rescued]
        if self._delivering is None or not fresh:
            return
        batch = fresh[:AT_ONCE]
        self._rescued |= {row.dedup_key for row in batch}
        await asyncio.gather(*(self._delivering.rescue(row) for row in batch))
        with suppress(TimeoutError):  # whatever holds up the loops may hold up the state as well
            async with asyncio.timeout(NOTED_WITHIN):
                await self._ledger.commit(Change(events=tuple(_overdue(row, now) for row in batch)))


def _overdue(row: Delivery, now: datetime) -> Event:
    detail = (
        f"{row.event.value} of level {row.level} to {row.person} was due at "
        f"{row.due_at:%H:%M:%S} UTC and not sent: called directly, over another channel"
    )
    return Event(incident=row.incident, at=now, kind=EventKind.OVERDUE, detail=detail)
