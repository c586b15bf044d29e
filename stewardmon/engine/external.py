"""Takes alerts from other programs, keeps them until they end, and hands them to the responder."""

from __future__ import annotations

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


class FullError(StewardmonError):
    """More alerts than are held at once."""


class External:
    """The alerts of others by fingerprint. An alert is durable when `take` returns.

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

    def restore(self, alerts: Iterable[Alert], *, now: datetime) -> None:
        """Take up the alerts of a former process, each with time to be sent again."""
        for alert in alerts:
            if is_external(alert):
                lasts = max(alert.ends_at or now, now + RESOLVE_TIMEOUT)
                firing = alert.state is AlertState.FIRING
                self.alerts[alert.fingerprint] = replace(alert, ends_at=lasts) if firing else alert

    async def take(self, posted: Sequence[Posted], *, now: datetime) -> None:
        """Take alerts as they were sent. Raises FullError where there are too many."""
        if len(self.alerts) + len(posted) > AT_MOST:
            raise FullError(f"{AT_MOST} alerts from outside are the most that are held at once")
        changed: dict[str, Alert] = {}
        for one in posted:
            mark = one.labels.fingerprint()
            own = self._responder.firing.get(mark)
            if own is not None and not is_external(own):
                continue  # a rule of ours says the same, and will say when it is over
            known = self.alerts.get(mark)
            after = heard(one, known, now=now)
            if after is None:
                continue
            self.alerts[mark] = after
            if known is None or known.state is not after.state:
                changed[mark] = after
        await self._responder.report(tuple(changed.values()), now=now)

    async def sweep(self, *, now: datetime) -> None:
        """Resolve what was not sent again in time, and forget what has been over for long."""
        ended, gone = [], []
        for mark, alert in self.alerts.items():
            if alert.state is AlertState.FIRING:
                if alert.ends_at is not None and alert.ends_at <= now:
                    ended.append((mark, over(alert, at=alert.ends_at, now=now)))
            elif alert.resolved_at is not None and now - alert.resolved_at > RESOLVED_KEPT_FOR:
                gone.append(alert)
        self.alerts.update(ended)
        for alert in gone:
            del self.alerts[alert.fingerprint]
        if ended or gone:
            await self._responder.report([one for _, one in ended], now=now, forgotten=gone)

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.sweep(now=self._clock.now())
            self._beat()
            await self._clock.sleep(LOOK_EVERY)
