"""For every fault: exactly the expected alerts, at their severity and reason, one page a cause.

Real probes look at the real platform with the fault on; what they say is replayed to a whole
daemon with the shipped rules, whose hours pass in a second.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import pytest_asyncio

from stewardmon.config.alerts import load_rule_file
from stewardmon.config.shipped import shipped
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome
from stewardmon.domain.rule import AlertRule
from tests.matrix.living import Life, Paged, live
from tests.matrix.looking import Looked, Watched, watched
from tests.matrix.table import DAILY, MATRIX, Row
from tests.support.virtual import run_virtually

# Every fault takes minutes: CI tries them all, `make test` a fault of every area.
TRIED = list(MATRIX) if os.environ.get("STEWARDMON_MATRIX") == "all" else list(DAILY)
pytestmark = pytest.mark.asyncio(loop_scope="module")
HOLDS = {
    rule.name: rule.hold
    for group in load_rule_file(shipped() / "alerts.yml").groups
    for rule in group.rules
    if isinstance(rule, AlertRule)
}
# What alone may differ between two looks at a healthy platform.
_LIVELY = ("seconds", "_total", "pg_stat_", "pg_database_", "stewardmon_log_", "pg_locks_", "wal")


@dataclass(frozen=True, slots=True)
class World:
    """The platform, its probes, and what they say while all is well."""

    platform: Platform
    watched: Watched
    healthy: Looked


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(postgres: PostgresServer) -> AsyncIterator[World]:
    """One platform on a server of its own for all faults: `postgres` says whether it can be."""
    async with Platform(limits=Limits(per_user=1000)) as platform:
        probes = watched(platform)
        await probes.look()  # the first ask of each pays for imports and contexts
        healthy = await probes.look()
        assert not {name: one for name, one in healthy.items() if not one.success}
        yield World(platform, probes, healthy)


@pytest.mark.parametrize("fault", TRIED, ids=str)
async def test_a_fault_pages_for_its_cause_alone(world: World, fault: Fault) -> None:
    row = MATRIX[fault]
    broken = await _with(world, fault, row)
    differ = [name for name, one in broken.items() if _gist(one) != _gist(world.healthy[name])]
    if row.gap:
        assert not differ, f"it shows in {differ} now: fill in its row"
        return
    # What differs in its numbers alone is as it was before.
    after = {**world.healthy, **await world.watched.look(differ)}
    life = await asyncio.to_thread(
        run_virtually,
        live(world.watched, world.healthy, broken, after, ages=row.ages, later=row.later),
    )
    _judge(life, row, broken, differ)


async def test_every_fault_stands_in_the_matrix() -> None:
    assert set(MATRIX) == set(Fault)
    assert set(DAILY) <= set(Fault)
    assert all(bool(one.pages) + bool(one.quiet) + bool(one.gap) == 1 for one in MATRIX.values())


def _judge(life: Life, row: Row, broken: Looked, differ: list[str]) -> None:
    """Hold what became of a fault against its row."""
    said = {name: _words(one, row.pages.get(name, "")) for name, one in life.paged.items()}
    assert (said, life.shown) == (row.pages, row.shown), _told(life, broken, differ)
    assert not life.left, f"not resolved: {life.left}"
    named = " ".join(symptom for one in life.paged.values() for symptom in one.shown)
    assert all(name in named for name in row.shown), f"{row.shown} are not all among {named}"
    for name, one in life.paged.items():
        assert one.times == 1, f"{name} paged {one.times} times"
        latest = HOLDS[name] + one.interval + row.later + timedelta(minutes=2)
        assert one.took <= latest, (name, one.took)


async def _with(world: World, fault: Fault, row: Row) -> dict[str, Outcome]:
    """Look once with the fault on, and leave the platform as it was."""
    platform = world.platform
    try:
        await platform.faults.on(fault.value, **row.numbers)
        for other in row.along:
            await platform.faults.on(other.value)
        for _ in range(row.requests):
            platform.logs.request("/api/health", 200, 0.01)
        return await world.watched.look(hangs=row.hangs, slow=row.slow)
    finally:
        await platform.faults.clear()
        for file in platform.log_dir.iterdir():
            file.unlink()
        platform.logs.make()
        async with await platform.database.admin() as admin:
            await admin.execute("SELECT pg_stat_statements_reset()")
            await admin.execute("DELETE FROM agent_logs WHERE timestamp > now() - interval '4m'")
            await admin.execute("VACUUM agent_logs")  # else a hundred rows' leavings are a finding


def _gist(outcome: Outcome) -> tuple[object, ...]:
    """Return what somebody sees at a glance."""
    return outcome.state, outcome.reason


def _words(one: Paged, expected: str) -> str:
    """Return severity and reason; of several reasons the expected one, where it is among them."""
    wanted = expected.partition(" ")[2]
    if not wanted:
        return one.severity
    reason = wanted if wanted in one.reasons else "/".join(sorted(one.reasons))
    return f"{one.severity} {reason}"


def _told(life: Life, broken: Looked, differ: list[str]) -> str:
    """Return all that is worth knowing where a row does not hold."""
    lines = [f"{name}: {broken[name].reason.value}: {broken[name].detail}" for name in differ]
    lines += [f"paged {name}: {one}" for name, one in life.paged.items()]
    return "\n".join([*lines, f"shown {sorted(life.shown)}", f"left {life.left}"])
