"""Reports of a real SQLite state: incidents and pages, an empty history, the command."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import AsyncIterator, Iterator
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
EVERY = 1_200_000  # milliseconds
UTC_ZONE = ZoneInfo("UTC")

Sample = tuple[str, str, int, float]  # metric, probe, instant, value


def samples() -> Iterator[Sample]:
    """Fourteen days of a probe; whether its figures are right, test_weekly_figures.py says."""
    chance = random.Random(7)
    for at in range(milliseconds(END - 2 * WEEK), milliseconds(END), EVERY):
        fails = chance.random() < 0.05
        yield "probe_success", "app", at, float(not fails)
        took = math.inf if fails else chance.lognormvariate(-1, 0.6)
        yield "probe_duration_seconds", "app", at, took


def labels(metric: str, probe: str) -> Labels:
    """The labels that the watch loop would give."""
    return Labels({NAME: metric, "probe": probe, "job": probe})


@pytest.fixture(scope="module")
def recorded() -> list[Sample]:
    return list(samples())


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


async def made(state: tuple[Store, History], **more: object) -> Report:
    return await Reporter(*state, **more).make(ReportKind.WEEKLY, END, zone=UTC_ZONE)  # type: ignore[arg-type]


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
    last_week = replace(sent[0], at=night - WEEK, detail="page to ops over pager, attempt 1")
    sent += [last_week, replace(last_week, at=last_week.at - timedelta(hours=1))]
    await store.commit(Change(incidents=(handled, missed, former), events=tuple(sent)))
    dev = Person(id="dev", name="Developer", timezone=UTC_ZONE)
    report = await made(state, people=lambda: {"dev": dev}, overdue=lambda _: ["Security audit: x"])
    assert (row(report, "incidents").value, row(report, "incidents").before) == (2, 1)
    assert row(report, "until acknowledged, median").value == 240
    assert row(report, "until resolved, median").value is not None
    paged = row(report, "Developer")
    assert (paged.value, paged.before, paged.note) == (2, 0, "1 at night, in 1 nights")
    assert (row(report, "ops").value, row(report, "ops").before) == (0, 2)
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
