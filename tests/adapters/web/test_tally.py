"""Availability by day: counted, kept over a restart, and read from history where it began later."""

from __future__ import annotations

from datetime import UTC, timedelta

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.stores.memory import MemoryHistory, MemoryStore
from stewardmon.web.tally import DAYS, Tally
from tests.support.daemon import running
from tests.support.virtual import EPOCH

SUCCESS = Labels({NAME: "probe_success", "job": "app", "instance": "app", "probe": "app"})


async def test_what_was_counted_outlives_a_restart() -> None:
    store = MemoryStore()
    async with running(store=store) as daemon:
        live = daemon.running.live
        tally = Tally(live)
        live.observations.listeners.append(tally.observe)
        today = live.clock.now().astimezone(UTC).date()
        while not tally.course("app", today=today)[-1].good:
            await live.clock.sleep(0.05)
        await tally.save()
        counted = tally.course("app", today=today)[-1].good
    async with running(store=store) as daemon:
        again = Tally(daemon.running.live)
        await again.restore()
        assert again.course("app", today=today)[-1].good == counted


async def test_days_from_before_come_from_history() -> None:
    history = MemoryHistory(keep=timedelta(days=400))
    for back, good in ((1, 1.0), (3, 0.0)):
        at = milliseconds(EPOCH - timedelta(days=back))
        await history.write([(SUCCESS, [(at + place, good) for place in range(10)])])
    async with running(history=history) as daemon:
        tally = Tally(daemon.running.live)
        await tally.restore()
        today = EPOCH.date()
        course = tally.course("app", today=today)
        assert [(one.good, one.bad) for one in course[-4:-1]] == [(0, 10), (0, 0), (10, 0)]
        quarter = tally.quarter("app", today=today)
        assert (len(quarter.tones), quarter.tones[-4:-1]) == (DAYS, ("bad", "none", "fine"))
        assert quarter.share is not None
