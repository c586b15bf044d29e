"""How long readings stay in memory: as far back as a rule looks at that metric, and no longer."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import AlertRule, RecordingRule, RuleGroup
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.record import Recorder
from stewardmon.engine.running import prepare, reaches
from stewardmon.stores.memory import MemoryHistory
from tests.support.daemon import ALERTS, running
from tests.support.virtual import VirtualClock

MINUTE = 60_000
DAY = 24 * 60 * MINUTE


def looking(*expressions: str) -> dict[str, int]:
    rules = tuple(
        RecordingRule(name=f"r{n}", group="g", expr=expr) for n, expr in enumerate(expressions)
    )
    group = RuleGroup(name="g", rules=rules)
    return dict(reaches(prepare([group], interval=timedelta(seconds=1))))


def test_each_metric_is_looked_at_as_far_back_as_its_own_rules_say() -> None:
    found = looking("avg_over_time(slow[3d])", "quick > 5", "rate(quick[10m] offset 5m)")
    assert found == {"slow": 3 * DAY, "quick": 15 * MINUTE}


def test_a_subquery_adds_its_range_to_what_is_inside() -> None:
    assert looking("max_over_time(rate(inner[5m])[1h:1m] offset 1h)") == {"inner": 125 * MINUTE}


def test_a_selector_without_a_name_holds_for_every_metric() -> None:
    assert looking('count_over_time({job="app"}[30m])') == {"": 30 * MINUTE}


def test_what_a_clear_condition_looks_at_is_held_too() -> None:
    rule = AlertRule(name="a", group="g", expr="m > 1", clear_expr="max_over_time(m[2h]) < 1")
    group = RuleGroup(name="g", rules=(rule,))
    found = reaches(prepare([group], interval=timedelta(seconds=1)))
    assert found == {"m": 120 * MINUTE}


def test_a_long_look_at_one_metric_does_not_hold_the_others() -> None:
    store = SeriesStore(retention_ms=20 * MINUTE)
    store.longer = {"slow": DAY}
    for at_ms in range(0, DAY, MINUTE):
        for name in ("slow", "quick"):
            store.append(Labels({NAME: name}), at_ms, 1.0)
    store.trim(DAY)
    held = {one.labels.value(NAME): len(one.times) for one in store.select(())}
    assert held["slow"] > 1000
    assert held["quick"] < 300


async def test_after_a_restart_each_metric_comes_back_as_far_as_it_is_looked_at() -> None:
    history, clock = MemoryHistory(), VirtualClock()
    end = int(clock.now().timestamp() * 1000)
    points = [(at_ms, 1.0) for at_ms in range(end - DAY + MINUTE, end, 10 * MINUTE)]
    await history.write([(Labels({NAME: name}), points) for name in ("slow", "quick")])
    store = SeriesStore(retention_ms=60 * MINUTE)
    store.longer = {"slow": DAY}
    count = await Recorder(history, clock).refill(store)
    held = {one.labels.value(NAME): len(one.times) for one in store.select(())}
    assert held == {"slow": len(points), "quick": 6}
    assert count == len(points) + 6


async def test_the_daemon_holds_long_what_is_looked_at_and_the_rest_for_minutes() -> None:
    async with running(alerts=ALERTS) as daemon:
        held = daemon.running.live.series.held_ms
        assert held("probe_success") == (5 + 20) * MINUTE
        assert held("probe_duration_seconds") == 20 * MINUTE
        assert held("pg_stat_database_blks_hit") >= 15 * MINUTE
        assert held("probe_http_version") == 6 * MINUTE
