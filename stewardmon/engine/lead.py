"""Leading: of several processes on one state, only one decides and pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog

from stewardmon.engine.ledger import Ledger
from stewardmon.errors import DeposedError, StoreError
from stewardmon.ports import Clock
from stewardmon.stores.leadership import Leadership

log = structlog.get_logger()

LOOK_EVERY: Final = 5.0  # seconds
# A connection that broke may hold the lock until the server notices: not yet somebody else.
DOUBTED_FOR: Final = timedelta(seconds=30)


async def wait_to_lead(right: Leadership, clock: Clock) -> None:
    """Return once this process leads. Raises StoreError where the state cannot be asked."""
    waited = False
    while not await right.acquire(now=clock.now()):
        if not waited:
            log.warning("standing_by", reason="another stewardmon leads")
        waited = True
        await clock.sleep(LOOK_EVERY)
    if waited:
        log.warning("leading")


async def keep_leading(right: Leadership, ledger: Ledger, clock: Clock) -> None:
    """Renew the right to lead for as long as that can be; raise DeposedError once it cannot.

    While the state cannot be asked at all, nobody else can lead from it either, and pages go out
    from memory: that is no reason to stop.
    """
    doubted_at: datetime | None = None
    while True:
        await clock.wait(ledger.deposed, LOOK_EVERY)
        if ledger.deposed.is_set():
            raise DeposedError("another stewardmon leads now: this one stops")
        now = clock.now()
        if await _leads(right, now=now):
            doubted_at = None
            continue
        doubted_at = doubted_at or now
        if now - doubted_at >= DOUBTED_FOR:
            raise DeposedError("another stewardmon leads now: this one stops")


async def _leads(right: Leadership, *, now: datetime) -> bool:
    """Say whether this process may go on. Raises DeposedError where another led meanwhile."""
    if await right.renew(now=now):
        return True
    try:
        return await right.acquire(now=now)
    except DeposedError:
        raise
    except StoreError as error:
        log.warning("leadership_not_asked", error=str(error))
        return True
