"""A weekly report of 14 days in a real SQLite, held against figures that plain SQL computes."""

from __future__ import annotations

import asyncio
import json
import math
import random
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from click.testing import CliRunner, Result

from stewardmon.cli import stewardmon
from stewardmon.clock import milliseconds
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, EventKind, IncidentState
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.oncall import Person
from stewardmon.domain.report import Report, ReportKind, Row, as_record, as_text, from_record
from stewardmon.engine.reports import Reporter
from stewardmon.ports import History, Store
from stewardmon.stores import open_store
from tests.contracts.store_values import incident

END = datetime(2026, 11, 23, 8, tzinfo=UTC)
WEEK = timedelta(days=7)
EVERY = 120_000  # milliseconds
HOLE = (END - timedelta(days=3), END - timedelta(days=3) + timedelta(hours=3))
TOOK = "metric = 'probe_duration_seconds' AND probe = ? AND at >= ? AND at < ?"
UTC_ZONE = ZoneInfo("UTC")

Sample = tuple[str, str, int, float]  # metric, probe, instant, value


def samples() -> Iterator[Sample]:
    """Fourteen days of three probes; nothing is recorded of any of them in HOLE."""
    chance = random.Random(7)
    start, end = milliseconds(END - 2 * WEEK), milliseconds(END)
    hits = reads = 0.0
    for at in range(start, end, EVERY):
        if milliseconds(HOLE[0]) <= at < milliseconds(HOLE[1]):
            continue
        late = at >= milliseconds(END - WEEK)
        for probe, failing in (("app", 0.08 if late else 0.02), ("database", 0.01)):
            fails = chance.random() < failing
            yield "probe_success", probe, at, float(not fails)
            timed_out = fails and chance.random() < 0.3
            took = math.inf if timed_out else chance.lognormvariate(-1, 0.6)
            yield "probe_duration_seconds", probe, at, took
        hits, reads = hits + chance.randrange(900, 1000), reads + chance.randrange(50)
        if chance.random() < 0.0005:
            hits = reads = 0.0  # somebody reset the statistics
        yield "pg_stat_database_blks_hit", "database", at, hits
        yield "pg_stat_database_blks_read", "database", at, reads
        grown = (at - start) / 1000 / 86_400 * 50e6
        yield "pg_database_size_bytes", "database", at, 4e9 + grown + chance.uniform(-1e6, 1e6)
        yield "stewardmon_pg_capacity_bytes", "database", at, 8e9
        yield "stewardmon_security_score", "security", at, 85.0 if late else 75.0


def labels(metric: str, probe: str) -> Labels:
    """The labels that the watch loop would give."""
    where = {"datname": "steward"} if metric.startswith("pg_") else {}
    return Labels({NAME: metric, "probe": probe, "job": probe, **where})


@pytest.fixture(scope="module")
def recorded() -> list[Sample]:
    return list(samples())


@pytest.fixture(scope="module")
def sql(recorded: list[Sample]) -> Iterator[sqlite3.Connection]:
    """The same raw samples as a plain table."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE sample (metric, probe, at INTEGER, value REAL)")
        connection.executemany("INSERT INTO sample VALUES (?, ?, ?, ?)", recorded)
        yield connection


@pytest_asyncio.fixture
async def state(tmp_path: Path, recorded: list[Sample]) -> AsyncIterator[tuple[Store, History]]:
    store, history = open_store(str(tmp_path / "state.db"))
    await store.open()
    await history.open()
    by_series: dict[Labels, list[tuple[int, float]]] = {}
    for metric, probe, at, value in recorded:
        by_series.setdefault(labels(metric, probe), []).append((at, value))
    await history.write(list(by_series.items()))
    yield store, history
    await history.close()
    await store.close()


def row(report: Report, name: str) -> Row:
    return next(one for section in report.sections for one in section.rows if one.name == name)


def bounds(weeks_back: int) -> tuple[int, int]:
    end = END - weeks_back * WEEK
    return milliseconds(end - WEEK), milliseconds(end)


def one(sql: sqlite3.Connection, query: str, *values: object) -> float:
    found = sql.execute(query, values).fetchone()
    return float(found[0])


def percentile(sql: sqlite3.Connection, probe: str, share: float, weeks_back: int) -> float:
    """The linear percentile by SQL: the two ranks around it."""
    span = bounds(weeks_back)
    count = one(sql, f"SELECT count(*) FROM sample WHERE {TOOK}", probe, *span)  # noqa: S608
    rank = share * (count - 1)
    low, high = sql.execute(
        f"SELECT min(value), max(value) FROM (SELECT value FROM sample WHERE {TOOK}"  # noqa: S608
        " ORDER BY value LIMIT 2 OFFSET ?)",
        (probe, *span, int(rank)),
    ).fetchone()
    return float(low if low == high else low + (high - low) * (rank - int(rank)))


async def made(state: tuple[Store, History], **more: object) -> Report:
    return await Reporter(*state, **more).make(ReportKind.WEEKLY, END, zone=UTC_ZONE)  # type: ignore[arg-type]


async def test_the_figures_are_those_that_sql_finds(
    state: tuple[Store, History], sql: sqlite3.Connection
) -> None:
    report = await made(state)
    mean = """
        SELECT avg(value) FROM sample
        WHERE metric = 'probe_success' AND probe = ? AND at >= ? AND at < ?
    """
    for probe in ("app", "database"):
        available = row(report, f"{probe}: available")
        assert available.value == pytest.approx(one(sql, mean, probe, *bounds(0)))
        assert available.before == pytest.approx(one(sql, mean, probe, *bounds(1)))
        assert row(report, f"{probe}: errors").value == pytest.approx(
            1 - one(sql, mean, probe, *bounds(0))
        )
        for percent in (50, 95, 99):
            shown = row(report, f"{probe}: p{percent}")
            assert shown.value == pytest.approx(percentile(sql, probe, percent / 100, 0))
            assert shown.before == pytest.approx(percentile(sql, probe, percent / 100, 1))
    rise = """
        SELECT sum(CASE WHEN value >= before THEN value - before ELSE value END) FROM (
          SELECT value, lag(value) OVER (ORDER BY at) AS before FROM sample
          WHERE metric = ? AND at >= ? AND at < ?) WHERE before IS NOT NULL
    """
    hit, read = (one(sql, rise, f"pg_stat_database_blks_{x}", *bounds(0)) for x in ("hit", "read"))
    assert row(report, "blocks found in memory").value == pytest.approx(hit / (hit + read))
    slope = """
        SELECT (avg(x * y) - avg(x) * avg(y)) / (avg(x * x) - avg(x) * avg(x)) FROM (
          SELECT (at - ?) / 86400000.0 AS x, value - 4e9 AS y FROM sample
          WHERE metric = 'pg_database_size_bytes' AND at >= ? AND at < ?)
    """
    growth = one(sql, slope, bounds(0)[0], *bounds(0))
    newest = one(
        sql, "SELECT value FROM sample WHERE metric = 'pg_database_size_bytes' ORDER BY at DESC"
    )
    assert row(report, "steward: growth a day").value == pytest.approx(growth, rel=1e-6)
    full = row(report, "steward: days to full").value
    assert full == pytest.approx((8e9 - newest) / growth, rel=1e-6)
    score = row(report, "score of security")
    assert (score.value, score.before, score.change) == (85.0, 75.0, "+13.3 %")


async def test_a_hole_is_said_and_counts_neither_as_up_nor_as_down(
    state: tuple[Store, History],
) -> None:
    report = await made(state)
    assert row(report, "app: available").note == "no data for 3 h"
    assert row(report, "app: p95").note == "no data for 3 h"


async def test_an_empty_history_is_said_to_be_one(tmp_path: Path) -> None:
    store, history = open_store(str(tmp_path / "state.db"))
    await store.open()
    await history.open()
    report = await made((store, history))
    await history.close()
    await store.close()
    words = as_text(report)
    assert "no probe was recorded  no data" in words
    assert "no response time was recorded  no data" in words
    assert "0 %" not in words
    assert "100 %" not in words


async def test_incidents_pages_and_nights(state: tuple[Store, History]) -> None:
    store, _ = state
    night = END - timedelta(days=1, hours=6)  # 02:00 UTC
    handled = replace(
        incident("a"),
        opened_at=night,
        acknowledged_at=night + timedelta(minutes=4),
        acknowledged_by="dev",
        resolved_at=night + timedelta(minutes=30),
        state=IncidentState.RESOLVED,
        next_step_at=None,
    )
    missed = replace(handled, id="b", opened_at=END - timedelta(days=2), acknowledged_at=None)
    former = replace(handled, id="c", opened_at=END - timedelta(days=9))
    sent = [
        Event(
            incident=ident,
            at=at,
            kind=EventKind.SENT,
            detail=f"page to dev over {channel}, attempt 1",
        )
        for ident, at, channel in (("a", night, "pager"), ("b", night - timedelta(hours=12), "sms"))
    ]
    await store.commit(Change(incidents=(handled, missed, former), events=tuple(sent)))
    dev = Person(id="dev", name="Developer", timezone=UTC_ZONE)
    report = await made(state, people=lambda: {"dev": dev}, overdue=lambda _: ["Security audit: x"])
    assert (row(report, "incidents").value, row(report, "incidents").before) == (2, 1)
    assert row(report, "until acknowledged, median").value == 240
    assert row(report, "until resolved, median").value is not None
    paged = row(report, "Developer")
    assert (paged.value, paged.note) == (2, "1 at night, in 1 nights")
    assert row(report, "overdue").words == "Security audit: x"
    assert from_record(json.loads(json.dumps(as_record(report)))) == report


def invoked(*arguments: str) -> Result:
    return CliRunner().invoke(stewardmon, ["report", "weekly", *arguments])


async def test_the_command_prints_one_from_a_state(
    state: tuple[Store, History], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = await made(state)
    for part in reversed(state):
        await part.close()
    monkeypatch.setenv("NEXT_PUBLIC_APP_URL", "https://steward.example.org")
    arguments = ["--at", END.isoformat(), "--state", str(tmp_path / "state.db")]
    shown = await asyncio.to_thread(invoked, *arguments)
    assert shown.exit_code == 0, shown.output
    assert shown.output.strip() == as_text(expected)
    plain = await asyncio.to_thread(invoked, "--json", *arguments)
    assert json.loads(plain.stdout) == as_record(expected)


def test_samples_are_enough_to_tell(recorded: Sequence[Sample]) -> None:
    assert len(recorded) > 80_000
