"""Every figure of a weekly report, held against plain SQL over the same 14 days of rows.

The rows are written to a real SQLite state (and a real PostgreSQL), of which the report is made;
the same rows stand in one plain table, of which SQL makes every figure anew.
"""

from __future__ import annotations

import math
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.report import Report, ReportKind, as_text
from stewardmon.engine.reports import Reporter
from stewardmon.stores import open_store

# Across the end of summer time, at an hour of Berlin's.
END = datetime(2026, 10, 26, 7, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
WEEK = timedelta(days=7)
EVERY = 300_000  # milliseconds
HOLE = (END - timedelta(days=3), END - timedelta(days=3) + timedelta(hours=3))
MOVED = END - timedelta(days=2)  # the app's and the database's address was changed
DAY = 86_400.0

Sample = tuple[str, str, str, str, int, float]  # metric, probe, instance, part, at, value


def samples() -> Iterator[Sample]:
    """Two weeks of every metric that a report reads; nothing of any of them in HOLE."""
    chance = random.Random(11)
    start = milliseconds(END - 2 * WEEK)
    counters = {"hit": 0.0, "read": 0.0}
    for at in range(start, milliseconds(END), EVERY):
        if milliseconds(HOLE[0]) <= at < milliseconds(HOLE[1]):
            continue
        late = at >= milliseconds(END - WEEK)
        instance = "new" if at >= milliseconds(MOVED) else "old"
        for probe, failing in (("app", 0.08 if late else 0.02), ("database", 0.01)):
            fails = chance.random() < failing
            yield "probe_success", probe, instance, "", at, float(not fails)
            took = math.inf if fails and chance.random() < 0.3 else chance.lognormvariate(-1, 0.6)
            yield "probe_duration_seconds", probe, instance, "", at, took
        yield from _database(chance, at, instance, (at - start) / 1000 / DAY, counters)
        for metric in ("operation_duration_seconds", "operation_time_to_first_chunk_seconds"):
            took = chance.lognormvariate(0.3 if late else 0, 0.4)
            yield f"gen_ai_client_{metric}", "openai", "", "", at, took
        yield "stewardmon_agent_error_ratio", "agent", "", "", at, chance.uniform(0, 0.1)
        yield "stewardmon_agent_cache_hit_ratio", "agent", "", "", at, chance.uniform(0.6, 1)
        yield "stewardmon_security_score", "security", "", "", at, 85.0 if late else 75.0
        for check in ("headers", "cors"):
            found = float(chance.randrange(4))
            yield "stewardmon_security_findings", "security", "", check, at, found
        yield from _backups(chance, at)


def _database(
    chance: random.Random, at: int, instance: str, days: float, counters: dict[str, float]
) -> Iterator[Sample]:
    took = chance.lognormvariate(-5, 0.5)
    yield "stewardmon_pg_query_duration_seconds", "database", instance, "", at, took
    for name in ("hit", "read"):
        counters[name] += chance.randrange(900, 1000) if name == "hit" else chance.randrange(50)
        if chance.random() < 0.001:
            counters[name] = 0.0  # somebody reset the statistics
        metric = f"pg_stat_database_blks_{name}"
        yield metric, "database", instance, "steward", at, counters[name]
    for state in ("active", "idle"):
        count = float(chance.randrange(30))
        yield "pg_stat_activity_count", "database", instance, state, at, count
    yield "pg_settings_max_connections", "database", instance, "", at, 100.0
    yield "stewardmon_pg_blocked", "database", instance, "", at, float(chance.random() < 0.01)
    size = 4e9 + days * 50e6 + chance.uniform(-1e6, 1e6)
    yield "pg_database_size_bytes", "database", instance, "steward", at, size
    yield "stewardmon_pg_capacity_bytes", "database", instance, "steward", at, 8e9


def _backups(chance: random.Random, at: int) -> Iterator[Sample]:
    night = at // 86_400_000 * 86_400_000
    yield "stewardmon_backup_newest_timestamp_seconds", "dumps", "", "", at, night / 1000
    size = 1e6 + night / 86_400_000 + chance.random()
    yield "stewardmon_backup_size_bytes", "dumps", "", "", at, size
    last = at >= milliseconds(END - timedelta(hours=5))
    yield "stewardmon_backup_complete", "dumps", "", "", at, float(not last)
    yield "stewardmon_restore_success", "drill", "", "", at, float(not last)
    done = milliseconds(END - timedelta(days=20)) / 1000
    yield "stewardmon_restore_last_success_timestamp_seconds", "drill", "", "", at, done


def labels(metric: str, probe: str, instance: str, part: str) -> Labels:
    """The labels that the watch loop would give."""
    name = {"pg_stat_activity_count": "state", "stewardmon_security_findings": "check"}
    more = {name.get(metric, "datname"): part} if part else {}
    return Labels({NAME: metric, "probe": probe, "job": probe, "instance": instance, **more})


@pytest.fixture(scope="module")
def recorded() -> list[Sample]:
    return list(samples())


@pytest.fixture(scope="module")
def sql(recorded: list[Sample]) -> Iterator[sqlite3.Connection]:
    """The same raw samples as a plain table."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE s (metric, probe, instance, part, at INTEGER, v REAL)")
        connection.executemany("INSERT INTO s VALUES (?, ?, ?, ?, ?, ?)", recorded)
        connection.execute("CREATE INDEX by_metric ON s (metric, at)")
        yield connection


@asynccontextmanager
async def reporter(address: str, recorded: list[Sample]) -> AsyncIterator[Reporter]:
    """A reporter over a state in which the samples are."""
    store, history = open_store(address)
    await store.open()
    await history.open()
    by_series: dict[Labels, list[tuple[int, float]]] = {}
    for *names, at, value in recorded:
        by_series.setdefault(labels(*names), []).append((at, value))
    await history.write(list(by_series.items()))
    yield Reporter(store, history)
    await history.close()
    await store.close()


def figures(sql: sqlite3.Connection, weeks_back: int) -> dict[str, float]:  # noqa: PLR0915 - one list
    """Every figure of one week, by the name of its row, as SQL finds it."""
    end = END - weeks_back * WEEK
    span = (milliseconds(end - WEEK), milliseconds(end))

    def one(query: str, metric: str, more: str = "") -> float:
        """`rows` is the metric's rows of the week."""
        rows = f"rows AS (SELECT * FROM s WHERE metric = ? AND at >= ? AND at < ? {more})"  # noqa: S608
        return float(sql.execute(f"WITH {rows} {query}", (metric, *span)).fetchone()[0])

    def percentile(share: float, metric: str, more: str = "") -> float:
        """The linear percentile: the two ranks around it."""
        rank = share * (one("SELECT count(*) FROM rows", metric, more) - 1)
        low, high = (
            one(f"SELECT v FROM rows ORDER BY v LIMIT 1 OFFSET {at}", metric, more)  # noqa: S608
            for at in (int(rank), int(rank) + 1)
        )
        return low if low == high else low + (high - low) * (rank - int(rank))

    newest = "SELECT v FROM rows ORDER BY at DESC LIMIT 1"
    found: dict[str, float] = {}
    for probe in ("app", "database"):
        mine = f"AND probe = '{probe}'"
        found[f"{probe}: available"] = one("SELECT avg(v) FROM rows", "probe_success", mine)
        found[f"{probe}: errors"] = 1 - found[f"{probe}: available"]
        for percent in (50, 95, 99):
            took = percentile(percent / 100, "probe_duration_seconds", mine)
            found[f"{probe}: p{percent}"] = took
    found["SELECT 1, p95"] = percentile(0.95, "stewardmon_pg_query_duration_seconds")
    rise = """
        SELECT sum(CASE WHEN v >= before THEN v - before ELSE v END) FROM (
          SELECT v, lag(v) OVER (PARTITION BY instance ORDER BY at) AS before FROM rows)
        WHERE before IS NOT NULL
    """
    hit, read = (one(rise, f"pg_stat_database_blks_{name}") for name in ("hit", "read"))
    found["blocks found in memory"] = hit / (hit + read)
    together = "SELECT max(n) FROM (SELECT sum(v) AS n FROM rows GROUP BY at)"
    found["connections, most at once"] = one(together, "pg_stat_activity_count")
    most = "SELECT max(v) FROM rows"
    found["connections that are allowed"] = one(most, "pg_settings_max_connections")
    found["waiting for a lock, most at once"] = one(most, "stewardmon_pg_blocked")
    found["size at the end"] = one(newest, "pg_database_size_bytes")
    first = "gen_ai_client_operation_time_to_first_chunk_seconds"
    found["first token, p95"] = percentile(0.95, first)
    found["whole answer, p95"] = percentile(0.95, "gen_ai_client_operation_duration_seconds")
    mean = "SELECT avg(v) FROM rows"
    found["agent requests that fail"] = one(mean, "stewardmon_agent_error_ratio")
    found["agent answers from the cache"] = one(mean, "stewardmon_agent_cache_hit_ratio")
    found["score of security"] = one(newest, "stewardmon_security_score")
    at_end = "SELECT sum(v) FROM rows WHERE at = (SELECT max(at) FROM rows)"
    found["findings at the end"] = one(at_end, "stewardmon_security_findings")
    made = one(newest, "stewardmon_backup_newest_timestamp_seconds")
    found["dumps: age of the newest"] = end.timestamp() - made
    found["dumps: size"] = one(newest, "stewardmon_backup_size_bytes")
    restored = one(newest, "stewardmon_restore_last_success_timestamp_seconds")
    found["drill: since a restore went well"] = end.timestamp() - restored
    slope = """
        SELECT (avg(x * y) - avg(x) * avg(y)) / (avg(x * x) - avg(x) * avg(x)) FROM (
          SELECT (at - (SELECT min(at) FROM rows)) / 86400000.0 AS x, v - 4e9 AS y FROM rows)
    """
    growth = one(slope, "pg_database_size_bytes")
    found["steward: growth a day"] = growth
    found["steward: days to full"] = (8e9 - found["size at the end"]) / growth
    return found


# What a week is not compared in with the one before: an age, a rate that the size's change shows.
_ALONE = ("age of", "since a restore", "growth", "days to full")


def _told(report: Report) -> Mapping[str, tuple[float | None, float | None]]:
    rows = [row for section in report.sections for row in section.rows]
    assert len({row.name for row in rows}) == len(rows), "two rows of one name"
    # These are held against SQL in test_weekly_people.py, the tasks' one line in test_reports.py.
    counted = {"Incidents", "Pages by person", "Maintenance tasks"}
    return {
        row.name: (row.value, row.before)
        for section in report.sections
        if section.title not in counted
        for row in section.rows
        if row.name != "security alerts"
    }


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_every_figure_is_the_one_that_sql_finds(
    kind: str,
    tmp_path: Path,
    recorded: list[Sample],
    sql: sqlite3.Connection,
    request: pytest.FixtureRequest,
) -> None:
    address = str(tmp_path / "state.db")
    if kind == "postgres":
        address = request.getfixturevalue("database")
    async with reporter(address, recorded) as over:
        report = await over.make(ReportKind.WEEKLY, END, zone=BERLIN)
    now, before = figures(sql, 0), figures(sql, 1)
    told = _told(report)
    assert set(told) == set(now)
    for name, (value, former) in told.items():
        assert value == pytest.approx(now[name], rel=1e-6), name
        alone = any(one in name for one in _ALONE)
        assert former == (None if alone else pytest.approx(before[name], rel=1e-6)), name
    assert report.title == "Weekly report, 19 Oct 09:00 to 26 Oct 2026 08:00"


async def test_what_the_figures_do_not_cover_is_said(
    tmp_path: Path, recorded: list[Sample], sql: sqlite3.Connection
) -> None:
    async with reporter(str(tmp_path / "state.db"), recorded) as over:
        report = await over.make(ReportKind.WEEKLY, END, zone=BERLIN)
    notes = {row.name: row.note for section in report.sections for row in section.rows}
    for name in ("app: available", "app: p95", "database: errors", "steward: growth a day"):
        assert notes[name] == "no data for 3 h", name
    for name in ("SELECT 1, p95", "connections, most at once", "waiting for a lock, most at once"):
        assert notes[name] == "no data for 3 h", name
    for name in ("first token, p95", "agent requests that fail", "blocks found in memory"):
        assert notes[name] == "no data for 3 h", name
    assert notes["score of security"] == "no data for 3 h"
    assert notes["dumps: age of the newest"] == "the newest is not whole"
    assert notes["drill: since a restore went well"] == "the newest drill failed"
    change = (figures(sql, 0)["app: p50"] / figures(sql, 1)["app: p50"] - 1) * 100
    assert f"({change:+.1f} %)" in next(x for x in as_text(report).splitlines() if "app: p50" in x)


async def test_a_week_of_which_nothing_is_left_is_not_made_up(
    tmp_path: Path, recorded: list[Sample]
) -> None:
    late = [one for one in recorded if one[4] >= milliseconds(END - WEEK)]
    async with reporter(str(tmp_path / "state.db"), late) as over:
        report = await over.make(ReportKind.WEEKLY, END, zone=BERLIN)
        told = _told(report)
        former = await over.make(ReportKind.WEEKLY, END - WEEK, zone=BERLIN)
    assert all(before is None for _, before in told.values())
    assert not any(row.change for section in report.sections for row in section.rows if row.unit)
    assert all(value is None for value, _ in _told(former).values())
