"""For every fault: exactly the expected alerts, at their severity and reason, one page a cause.

Real probes look at the real platform with the fault on; what they say is replayed to a whole
daemon with the shipped rules, whose hours pass in a second.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

import pytest

from stewardmon.config.alerts import load_rule_file
from stewardmon.config.shipped import shipped
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.scenarios import Action, list_scenarios
from stewardmon.domain.outcome import Outcome
from stewardmon.domain.rule import AlertRule
from tests.matrix.living import Life, Paged, live
from tests.matrix.looking import Looked
from tests.matrix.table import DAILY, MATRIX, Row
from tests.matrix.world import World
from tests.support.virtual import run_virtually

# Every fault takes minutes: CI tries them all, `make test` a fault of every area.
TRIED = list(MATRIX) if os.environ.get("STEWARDMON_MATRIX") == "all" else list(DAILY)
pytestmark = pytest.mark.asyncio(loop_scope="session")
HOLDS = {
    rule.name: rule.hold
    for group in load_rule_file(shipped() / "alerts.yml").groups
    for rule in group.rules
    if isinstance(rule, AlertRule)
}
# What alone may differ between two looks at a healthy platform.
_LIVELY = ("seconds", "_total", "pg_stat_", "pg_database_", "stewardmon_log_", "pg_locks_", "wal")


@pytest.mark.parametrize("fault", TRIED, ids=str)
async def test_a_fault_pages_for_its_cause_alone(world: World, fault: Fault) -> None:
    row = MATRIX[fault]
    async with world.suffering(fault, row):
        broken = await world.watched.look(hangs=row.hangs, slow=row.slow, passes=row.passes)
    differ = [name for name, one in broken.items() if _gist(one) != _gist(world.healthy[name])]
    # What differs in its numbers alone is as it was before.
    after = {**world.healthy, **await world.watched.look(differ, passes=row.passes)}
    life = await asyncio.to_thread(
        run_virtually,
        live(world.watched, world.healthy, broken, after, ages=row.ages, later=row.later),
    )
    _judge(life, row, broken, differ)


async def test_every_fault_stands_in_the_matrix() -> None:
    assert set(MATRIX) == set(Fault)
    assert set(DAILY) <= set(Fault)
    assert all(bool(one.pages) != bool(one.quiet) for one in MATRIX.values())


async def test_every_scenario_of_the_demo_plays_faults_that_its_probes_see() -> None:
    """The matrix looks with the demo's own probes: who is in it with a page shows there."""
    for scenario in list_scenarios():
        played = {step.subject for step in scenario.steps if step.action is Action.ON}
        assert played, scenario.name
        assert all(MATRIX[Fault(one)].pages or MATRIX[Fault(one)].quiet for one in played)


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
