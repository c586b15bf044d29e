"""A week of outages and quiet leaves no more in memory than its first days did."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from datetime import timedelta

from stewardmon.stores.memory import KEPT_FOR, MemoryHistory, MemoryStore
from tests.support.daemon import ALERTS, QUICK, Daemon, running
from tests.support.virtual import VirtualClock

PROBES = """
defaults: {interval: 4m, timeout: 500ms}
probes:
  - {name: app, kind: scripted, job: app, target: app}
  - {name: database, kind: scripted, job: database, target: database}
  - {name: openai, kind: scripted, job: openai, target: openai}
"""
RULES = "evaluation_interval: 4m\n" + ALERTS
DAYS = 7
A_REPORT = 120  # objects; the newest 60 reports are kept
REPORTS = DAYS - 2 + 1  # since the second day: one of each day, one of the week
MESSAGES_KEPT = 8  # of the pager, which is the test's own


class Leisurely(VirtualClock):
    """A clock on which every loop turns once in four minutes: a week in seconds.

    Who only lets others have the loop goes on at once: a delivery would be overdue otherwise.
    """

    async def sleep(self, seconds: float) -> None:
        await super().sleep(max(seconds, 240.0) if seconds > 0 else 0.0)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await super().wait(event, max(seconds, 240.0))


async def test_a_week_leaves_no_more_in_memory_than_its_second_day() -> None:
    history = MemoryHistory(keep=timedelta(hours=1))
    store = MemoryStore()
    async with running(
        probes=PROBES,
        alerts=RULES,
        oncall=QUICK,
        history=history,
        store=store,
        clock=Leisurely(),
    ) as daemon:
        objects, samples = [], []
        for _ in range(DAYS):
            await _a_day(daemon)
            # What lies on a disk elsewhere: only the last day's may count here.
            await store.prune(now=daemon.clock.now() + KEPT_FOR - timedelta(days=1))
            objects.append(_held())
            samples.append(daemon.running.live.series.sample_count)
    grown = objects[-1] - objects[1]
    assert sum(grown.values()) < A_REPORT * REPORTS, grown.most_common(8)
    # Columns are cut some samples at a time, so that a count varies; a leak would be sevenfold.
    assert samples[-1] < 1.5 * samples[1]


async def _a_day(daemon: Daemon) -> None:
    """Four outages, each answered by somebody, and quiet between them."""
    for target in (daemon.platform.database, daemon.platform.openai) * 2:
        await daemon.after(hours=4)
        target.goes_down()
        await daemon.after(minutes=40)
        await daemon.acknowledge(by="dev-a")
        target.comes_back()
        await daemon.after(hours=1, minutes=20)
    assert len(daemon.pager.sent) >= MESSAGES_KEPT
    del daemon.pager.sent[:-MESSAGES_KEPT]


def _held() -> Counter[str]:
    """Count the objects that are alive, by type."""
    gc.collect()
    return Counter(type(one).__name__ for one in gc.get_objects())
