"""Restore drills by the calendar: due on their day, kept over a restart, no success forgotten."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stewardmon.clock import SystemClock
from stewardmon.domain.restoration import Restored, RestoreError, Table, from_record, record_of
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.restores import KIND, Restores
from stewardmon.ports import Clock, ProbeSpec
from stewardmon.probes.restore import RestoreSettings
from stewardmon.probes.restore_drill import Plan
from stewardmon.stores.memory import MemoryStore

FIRST = datetime(2026, 11, 1, 4, tzinfo=UTC)
TABLE = Table(name="receipts", rows=3, source_rows=4, newest=FIRST, source_newest=FIRST)
SPEC = ProbeSpec(
    name="drill",
    kind=KIND,
    job="drill",
    instance="/backups",
    interval=timedelta(hours=1),
    timeout=timedelta(seconds=5),
    settings=RestoreSettings.model_validate(
        {
            "folder": "/backups",
            "into": "postgresql://u:p@db/postgres",
            "day": 1,
            "at": "04:00",
            "timezone": "Europe/Berlin",
        }
    ),
)


async def test_a_drill_is_due_on_its_day_and_its_result_is_kept() -> None:
    results = [
        Restored(at=FIRST, took=2.5, backup="b.dump", tables=(TABLE,), success_at=FIRST),
        Restored(at=FIRST + timedelta(days=30), wrong=("it is torn",)),
    ]
    plans: list[Plan] = []

    async def scripted(plan: Plan, _clock: Clock) -> Restored:
        plans.append(plan)
        return results.pop(0)

    store = MemoryStore()
    await store.open()
    restores = Restores(Ledger(store), SystemClock(), drill=scripted)
    (job,) = restores.jobs([SPEC])
    assert job.when.after(FIRST) == datetime(2026, 12, 1, 3, tzinfo=UTC)
    await job.run(FIRST)
    assert plans[0].folder == Path("/backups")
    change = await job.run(FIRST)
    last = restores.last("drill")
    assert last is not None
    # The failure shows, and when it last went well is not forgotten.
    assert (last.succeeded, last.success_at) == (False, FIRST)
    again = Restores(Ledger(store), SystemClock())
    records = {key: one for key, one in (change.records or {}).items() if one is not None}
    again.restore(records)
    assert again.last("drill") == last


def test_a_result_comes_back_from_the_state_as_it_was() -> None:
    whole = Restored(at=FIRST, took=2.5, backup="b", tables=(TABLE, Table(name="n", rows=0)))
    assert from_record("drill", record_of(whole)) == whole
    for broken in ({}, {"at": "yesterday"}, {**record_of(whole), "tables": [{}]}):
        with pytest.raises(RestoreError):
            from_record("drill", broken)
