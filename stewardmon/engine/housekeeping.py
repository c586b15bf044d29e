"""The housekeeping loop: how long samples are held in memory, and letting go of what is old."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.alert import AlertState
from stewardmon.engine import evidence, running
from stewardmon.engine.evaluator import Evaluator
from stewardmon.engine.live import Live

EVERY: Final = 10.0  # seconds
HELD_MS: Final = 6 * 60_000  # of metrics that nobody looks far back at: the lookback, and some
CHARTED_MS: Final = 20 * 60_000  # what the charts on pages show, and messages about rules
#: Metrics that pages look back at whatever the rules do.
CHARTED: Final = ("probe_duration_seconds", "stewardmon_deployment_info")
_COUNTED: Final = (AlertState.PENDING, AlertState.FIRING)


class Housekeeping:
    """Lets old samples and records go, and keeps the gauges of what is held up to date.

    Of a storm there are thousands of each: between any two parts, people go first.
    """

    def __init__(self, live: Live, *, beat: Callable[[], None] = lambda: None) -> None:
        self._live = live
        self._beat = beat

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._let_go()
            await self._count()
            self._beat()
            await self._live.clock.sleep(EVERY)

    async def _let_go(self) -> None:
        live = self._live
        now_ms = milliseconds(live.clock.now())
        for _ in live.series.trimming(now_ms):
            await live.responder.turns.rest()
        live.evaluator.forget(now_ms - CHARTED_MS)
        now = live.clock.now()
        for records in (live.ledger, live.silences, live.rota, live.drills, live.tasks):
            await records.tend(now=now)

    async def _count(self) -> None:
        live = self._live
        metrics.SERIES.set(live.series.series_count)
        states = Counter(one.state.value for one in live.responder.open())
        for name in ("open", "acknowledged"):
            metrics.INCIDENTS.labels(name).set(states[name])
        alerts = Counter[AlertState]()
        for one in live.evaluator.rules():
            for state in _COUNTED:
                alerts[state] += sum(alert.state is state for alert in one.active.values())
            await live.responder.turns.rest()
        for state in _COUNTED:
            metrics.ALERTS.labels(state.value).set(alerts[state])


def retention(evaluator: Evaluator) -> tuple[int, Mapping[str, int]]:
    """Return for how long any metric is held, and which are held longer, in milliseconds.

    What rules measure is drawn too: on pages, and in messages.
    """
    measured = {
        name: reach + CHARTED_MS if name else reach
        for name, reach in running.reaches(evaluator.groups).items()
    }
    evident = running.reaches_of((planned, 0) for planned in evidence.plans())
    looked_at = {**evident, **dict.fromkeys(CHARTED, CHARTED_MS)}
    longer = {
        name: max(measured.get(name, 0), looked_at.get(name, 0)) for name in {*measured, *looked_at}
    }
    return max(longer.pop("", 0), HELD_MS), longer
