"""Takes alerts from other programs, keeps them until they end, and hands them to the responder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from stewardmon.domain.alert import RESOLVED_KEPT_FOR, Alert, AlertState
from stewardmon.domain.external import RESOLVE_TIMEOUT, Posted, heard, is_external, over
from stewardmon.engine.responder import Responder
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock

AT_MOST: Final = 50_000  # alerts from outside held at once
LOOK_EVERY: Final = 1.0  # seconds
AT_ONCE: Final = 64  # alerts between two turns of the loop: half a millisecond


class FullError(StewardmonError):
    """More alerts than are held at once."""


class External:
    """The alerts of others by fingerprint. An alert is durable when `take` returns.

    One sender after the other: whoever sends what another is just sending is answered when it is
    on disk. What could not be reported is not known: sent again, or swept again, it is reported.

    Sent again it only lasts longer, which is kept in memory: after a restart every alert gets the
    time to be sent again.
    """

    def __init__(
        self, responder: Responder, clock: Clock, *, beat: Callable[[], None] = lambda: None
    ) -> None:
        self._responder = responder
        self._clock = clock
        self._beat = beat
        self.alerts: dict[str, Alert] = {}
        self._taking = asyncio.Lock()

    def restore(self, alerts: Iterable[Alert], *, now: datetime) -> None:
        """Take up the alerts of a former process, each with time to be sent again."""
        for alert in alerts:
            if is_external(alert):
                lasts = max(alert.ends_at or now, now + RESOLVE_TIMEOUT)
                firing = alert.state is AlertState.FIRING
                self.alerts[alert.fingerprint] = replace(alert, ends_at=lasts) if firing else alert

    async def take(self, posted: Sequence[Posted], *, now: datetime) -> None:
        """Take alerts as they were sent. Raises FullError where there are too many."""
        async with self._taking:
            if len(self.alerts) + len(posted) > AT_MOST:
                raise FullError(f"{AT_MOST} alerts from outside are the most that are held at once")
            told = await self._told(posted, now=now)
            changed = [one for mark, one in told.items() if self._is_news(mark, one)]
            await self._responder.report(changed, now=now)
            self.alerts.update(told)

    async def _told(self, posted: Sequence[Posted], *, now: datetime) -> dict[str, Alert]:
        told: dict[str, Alert] = {}
        for place, one in enumerate(posted):
            if place % AT_ONCE == AT_ONCE - 1:
                await self._responder.turns.rest()
            mark = one.labels.fingerprint()
            own = self._responder.firing.get(mark)
            if own is not None and not is_external(own):
                continue  # a rule of ours says the same, and will say when it is over
            after = heard(one, told.get(mark) or self.alerts.get(mark), now=now)
            if after is not None:
                told[mark] = after
        return told

    def _is_news(self, mark: str, alert: Alert) -> bool:
        known = self.alerts.get(mark)
        return known is None or known.state is not alert.state

    async def sweep(self, *, now: datetime) -> None:
        """Resolve what was not sent again in time, and forget what has been over for long."""
        async with self._taking:
            ended: dict[str, Alert] = {}
            gone = []
            for mark, alert in self.alerts.items():
                if alert.state is AlertState.FIRING:
                    if alert.ends_at is not None and alert.ends_at <= now:
                        ended[mark] = over(alert, at=alert.ends_at, now=now)
                elif alert.resolved_at is not None and now - alert.resolved_at > RESOLVED_KEPT_FOR:
                    gone.append(alert)
            if ended or gone:
                await self._responder.report(tuple(ended.values()), now=now, forgotten=gone)
            self.alerts.update(ended)
            for alert in gone:
                del self.alerts[alert.fingerprint]

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.sweep(now=self._clock.now())
            self._beat()
            await self._clock.sleep(LOOK_EVERY)
