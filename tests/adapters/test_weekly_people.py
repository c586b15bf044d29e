"""What a weekly report says of incidents and pages, held against SQL over the state's own tables.

Two weeks of incidents, their timelines and their messages stand in a real SQLite state (and a real
PostgreSQL). The report counts pages by the timelines; SQL counts them by the outbox.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import psycopg
import pytest

from stewardmon.domain.change import Change
from stewardmon.domain.incident import Address, Event, EventKind, Incident, IncidentState
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import Delivery, DeliveryState, NotificationEvent
from stewardmon.domain.oncall import Person
from stewardmon.domain.report import Report, ReportKind, Row
from stewardmon.domain.rule import AlertRule
from stewardmon.engine.reports import Reporter
from stewardmon.stores import open_store
from tests.contracts.store_values import delivery, incident

# Across the end of summer time, at an hour of Berlin's.
END: Final = datetime(2026, 10, 26, 7, tzinfo=UTC)
BERLIN: Final = ZoneInfo("Europe/Berlin")
WEEK: Final = timedelta(days=7)
PEOPLE: Final = {
    "dev": Person(id="dev", name="Developer", timezone=BERLIN),
    "lead": Person(id="lead", name="Lead", timezone=ZoneInfo("America/New_York")),
}
CLIMB: Final = ("dev", "lead", "ops")  # "ops" has left: no name and no clock of theirs is known
PAGES: Final = (NotificationEvent.PAGE, NotificationEvent.ESCALATED, NotificationEvent.REMINDER)
TITLES: Final = ("High Error Rate", "Strangers Let In", "Database Issues")
RULES: Final = (
    AlertRule(name="Strangers Let In", expr="stewardmon_security_findings > 0", group="g"),
    AlertRule(name="Database Issues", expr="pg_up == 0", group="g"),
)


def fortnight() -> Iterator[tuple[Incident, list[tuple[Delivery, Event]]]]:
    """Incidents from a day before the two weeks to an hour after them, each with its messages."""
    chance = random.Random(23)
    span = (2 * WEEK + timedelta(days=1)).total_seconds()
    opened = [END - timedelta(seconds=chance.uniform(-3600, span)) for _ in range(150)]
    edges = [END - 2 * WEEK, END - WEEK, END - WEEK - timedelta(microseconds=1), END]
    for number, opened_at in enumerate([*opened, *edges]):
        drill, muted = number % 13 == 0, number % 7 == 0
        acknowledged_at = resolved_at = None
        if chance.random() < 0.6:
            acknowledged_at = opened_at + timedelta(seconds=chance.expovariate(1 / 600))
        if chance.random() < 0.9:
            resolved_at = opened_at + timedelta(seconds=1200 + chance.expovariate(1 / 1800))
        messages = [] if muted else list(_messages(chance, f"i{number}", opened_at, drill=drill))
        title = chance.choice(TITLES)
        one = incident(
            f"i{number}",
            group_key=f"drill:matrix:{number}" if drill else f"route/{number}",
            title=title,
            group=Labels({"alertname": title}),
            opened_at=opened_at,
            base_at=opened_at,
            acknowledged_at=acknowledged_at,
            acknowledged_by="dev" if acknowledged_at else "",
            resolved_at=resolved_at,
            state=IncidentState.RESOLVED if resolved_at else IncidentState.OPEN,
            told=tuple(Address(row.person, row.channel, row.to) for row, _ in messages),
        )
        yield one, messages


def _messages(
    chance: random.Random, ident: str, opened_at: datetime, *, drill: bool
) -> Iterator[tuple[Delivery, Event]]:
    """Pages up the matrix, some that failed, and what is said besides pages."""
    steps = [(person, PAGES[min(level, 1)]) for level, person in enumerate(CLIMB)]
    steps = [*steps[: chance.randint(1, 3)], (chance.choice(CLIMB), PAGES[2])]
    if drill:
        steps = [("dev", NotificationEvent.DRILL)]
    for place, (person, event) in enumerate([*steps, ("dev", NotificationEvent.RESOLVED)]):
        at = opened_at + place * timedelta(minutes=30) + timedelta(seconds=chance.uniform(0, 20))
        failed = chance.random() < 0.2
        row = delivery(
            f"{ident}:{place}",
            incident=ident,
            event=event,
            person=person,
            to=person,
            due_at=at,
            created_at=at,
            attempts=chance.randint(1, 3),
            state=DeliveryState.FAILED if failed else DeliveryState.SENT,
            settled_at=at,
        )
        kind = EventKind.FAILED if failed else EventKind.SENT
        # As engine/deliver.py writes it.
        said = f"{event.value} to {person} over pager, attempt {row.attempts}: receipt"
        yield row, Event(incident=ident, at=at, kind=kind, detail=said)


async def report_of(address: str) -> Report:
    """Write the fortnight into a fresh state, and return the report that is made of it."""
    store, history = open_store(address)
    await store.open()
    await history.open()
    incidents, messages = zip(*fortnight(), strict=True)
    rows, events = zip(*(pair for pairs in messages for pair in pairs), strict=True)
    await store.commit(Change(incidents=incidents, deliveries=rows, events=events))
    reporter = Reporter(store, history, people=lambda: PEOPLE, rules=lambda: RULES)
    report = await reporter.make(ReportKind.WEEKLY, END, zone=BERLIN)
    await history.close()
    await store.close()
    return report


@dataclass(frozen=True, slots=True)
class Sql:
    """The state's tables, asked in the words that its database has for JSON and time."""

    connection: Any
    field: str  # of a column of JSON
    epoch: str  # seconds of a text

    @property
    def mine(self) -> str:
        """The incidents of a week that were no practice."""
        practice = self.field.format("body", "group_key")
        return f"SELECT * FROM incident WHERE $MINE AND {practice} NOT LIKE 'drill:%'"  # noqa: S608

    def all(self, query: str, weeks_back: int) -> list[tuple[Any, ...]]:
        """Return the rows of a query about one week."""
        end = END - weeks_back * WEEK
        start = end - WEEK
        low, high = (round(one.timestamp()) * 1_000_000 for one in (start, end))
        query = query.replace("$MINE", f"opened_at >= {low} AND opened_at < {high}")
        query = query.replace("$START", str(low)).replace("$END", str(high))
        return list(self.connection.execute(query).fetchall())

    def one(self, query: str, weeks_back: int) -> float:
        """Return the one figure of a query about one week."""
        ((value,),) = self.all(query, weeks_back)
        return float(value)

    def median(self, column: str, weeks_back: int) -> float:
        """Return the middle of how many seconds after its opening something befell an incident."""
        return self.one(
            f"""SELECT avg(took) FROM (
              SELECT took, row_number() OVER (ORDER BY took) AS place, count(*) OVER () AS n
              FROM (SELECT ({column} - opened_at) / 1e6 AS took FROM ({self.mine}) AS mine
                    WHERE {column} IS NOT NULL) AS known) AS ordered
            WHERE place IN ((n + 1) / 2, (n + 2) / 2)""",  # noqa: S608
            weeks_back,
        )

    def figures(self, weeks_back: int) -> dict[str, float]:
        """Return what is counted of one week's incidents, by the name of its row."""
        of, mine = self.one, self.mine
        paged = "EXISTS (SELECT 1 FROM outbox WHERE outbox.incident = mine.id AND outbox.pages)"
        unanswered = f"acknowledged_at IS NULL AND {paged}"
        guarded = "title = 'Strangers Let In'"
        count = f"SELECT count(*) FROM ({mine}) AS mine"  # noqa: S608
        return {
            "incidents": of(count, weeks_back),
            "until acknowledged, median": self.median("acknowledged_at", weeks_back),
            "until resolved, median": self.median("resolved_at", weeks_back),
            "nobody answered": of(f"{count} WHERE {unanswered}", weeks_back),
            "security alerts": of(f"{count} WHERE {guarded}", weeks_back),
        }

    def pages(self, weeks_back: int) -> dict[str, tuple[float, float, float]]:
        """Return each person's pages, those at night (22 to 6 by their clock), and the nights."""
        who, event, settled = (
            self.field.format("payload", name) for name in ("person", "event", "settled_at")
        )
        # Berlin's summer ended on 25 October 2026 at 1:00 UTC, New York's a week later.
        query = f"""
            WITH sent AS (
              SELECT {who} AS person, {self.epoch.format(settled)} AS at FROM outbox
              WHERE state = 'sent' AND {event} IN ('page', 'escalated', 'reminder')),
            local AS (
              SELECT person, at + 3600 * CASE
                WHEN person = 'dev' THEN CASE WHEN at < 1792890000 THEN 2 ELSE 1 END
                WHEN person = 'lead' THEN -4 ELSE 0 END AS clock
              FROM sent WHERE at * 1000000 >= $START AND at * 1000000 < $END),
            judged AS (
              SELECT person, CASE WHEN clock % 86400 >= 79200 OR clock % 86400 < 21600
                THEN (clock - 21600) / 86400 END AS night FROM local)
            SELECT person, count(*), count(night), count(DISTINCT night) FROM judged GROUP BY person
        """  # noqa: S608
        return {person: tuple(counts) for person, *counts in self.all(query, weeks_back)}

    def listed(self) -> list[tuple[datetime, tuple[str, str, str]]]:
        """Return the first twenty incidents: when, their title, who acknowledged, whether over."""
        who = self.field.format("body", "acknowledged_by")
        return [
            (
                datetime.fromtimestamp(at // 1_000_000, BERLIN),
                (title, f"acknowledged by {who} after" if who else "nobody acknowledged it", ends),
            )
            for at, title, who, ends in self.all(
                f"""SELECT opened_at, title, {who}, CASE WHEN resolved_at IS NULL THEN 'still open'
                    ELSE 'over after' END FROM ({self.mine}) AS mine ORDER BY opened_at LIMIT 20
                """,  # noqa: S608
                0,
            )
        ]


def asked(kind: str, address: str) -> Sql:
    """Open a state's tables as anybody could."""
    if kind == "sqlite":
        field, epoch = "json_extract({}, '$.{}')", "CAST(strftime('%s', {}) AS INTEGER)"
        return Sql(sqlite3.connect(address), field, epoch)
    epoch = "floor(extract(epoch FROM ({})::timestamptz))::bigint"
    return Sql(psycopg.connect(address), "({}::json ->> '{}')", epoch)


def section(report: Report, title: str) -> tuple[Row, ...]:
    return next(one.rows for one in report.sections if one.title == title)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_incidents_and_pages_are_what_sql_counts_in_the_state(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    address = str(tmp_path / "state.db")
    if kind == "postgres":
        address = request.getfixturevalue("database")
    report = await report_of(address)
    sql = asked(kind, address)
    with closing(sql.connection):
        counted = {row.name: row for row in section(report, "Incidents")}
        counted |= {row.name: row for row in section(report, "Security")}
        now, before = sql.figures(0), sql.figures(1)
        assert now["incidents"] > 50
        for name, value in now.items():
            assert counted[name].value == pytest.approx(value), name
            assert counted[name].before == pytest.approx(before[name]), name

        _pages_are(section(report, "Pages by person"), sql.pages(0), sql.pages(1))

        listed = section(report, "Incidents")[4:]
        assert listed[-1].words == f"and {now['incidents'] - 20:.0f} more"
        for row, (at, words) in zip(listed[:-1], sql.listed(), strict=True):
            assert row.name == f"{at:%d %b %H:%M}"  # by the clock of whoever reads it
            assert all(one in row.words for one in words), row


def _pages_are(
    rows: tuple[Row, ...],
    now: Mapping[str, tuple[float, float, float]],
    before: Mapping[str, tuple[float, float, float]],
) -> None:
    told = {row.name: row for row in rows}
    names = {person: known.name for person, known in PEOPLE.items()}
    assert set(told) == {names.get(person, person) for person in now}
    assert [row.value for row in rows] == sorted((one[0] for one in now.values()), reverse=True)
    for person, (pages, at_night, nights) in now.items():
        row = told[names.get(person, person)]
        assert (row.value, row.before) == (pages, before[person][0])
        assert row.note == f"{at_night} at night, in {nights} nights"
        assert 0 < nights < at_night < pages
