"""Evidence for real: a blocked and a frozen PostgreSQL, a failing app, on the incident's page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from threading import Thread

import httpx
import psycopg
import pytest

from stewardmon.demo.proxy import Disturbance, Proxy, Way
from stewardmon.domain.incident import Event, EventKind
from stewardmon.engine.evidence import BOUND
from stewardmon.probes.postgres_evidence import testify as ask_database
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.process import Running
from tests.support.http_receiver import HttpReceiver
from tests.support.live import listening
from tests.support.plain import NO_TLS
from tests.support.servers import answer, sends, serving
from tests.support.waiting import until, until_async

PROBES = """
defaults: {{interval: 1s, timeout: 700ms}}
probes:
  - {{name: app, kind: http, job: app, url: "{app}/api/health"}}
  - {{name: database, kind: postgres, job: database, url: "{database}"}}
  - {{name: deep, kind: postgres_depth, job: database, checks: [blocked], url: "{database}"}}
"""
RULES = """
groups:
  - name: g
    interval: 1s
    rules:
      - {alert: "Down", expr: "pg_up == 0", annotations: {runbook: database}}
      - {alert: "Blocked", expr: "stewardmon_pg_blocked > 0", annotations: {runbook: database}}
      - {alert: "Errors", expr: "probe_success == 0", annotations: {runbook: error-rates}}
      - {alert: "Slow", expr: "probe_http_ssl >= 0", annotations: {runbook: response-times}}
      - {alert: "Memory", expr: "probe_success == 0", annotations: {runbook: memory}}
"""
SECRET = "4711-pay-me"


@contextmanager
def blocked(url: str) -> Iterator[None]:
    """Let one process wait for another's lock until the block ends."""
    with psycopg.connect(url, autocommit=True) as first:
        first.execute("CREATE TABLE receipts (id int, note text)")
        first.execute("INSERT INTO receipts VALUES (1, '')")
        with psycopg.connect(url) as holder:
            # A literal, not a parameter: what stands in the statement must not be shown.
            holder.execute(b"UPDATE receipts SET note = '4711-pay-me' WHERE id = 1")

            def wait() -> None:
                with psycopg.connect(url, autocommit=True) as waiter:
                    waiter.execute("UPDATE receipts SET note = 'later' WHERE id = 1")

            thread = Thread(target=wait)
            thread.start()
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            until(lambda: (first.execute(waiting).fetchone() or [0])[0], what="somebody waits")
            yield
            holder.rollback()
            thread.join()


@asynccontextmanager
async def watching(
    folder: Path, *, app: str, database: str, only: str = ""
) -> AsyncIterator[tuple[Running, HttpReceiver]]:
    """A daemon over these targets; `only` is the one alert it has, all where none is named."""
    rules = RULES
    if only:
        head, *alerts = rules.split("      - ")
        rules = head + "".join(f"      - {one}" for one in alerts if f'"{only}"' in one)
    files = {"probes.yml": PROBES.format(app=app, database=database), "alerts.yml": rules}
    async with (
        HttpReceiver() as pager,
        listening(folder, pager=pager.url, files=files) as running,
    ):
        yield running, pager


async def gathered(running: Running, alert: str) -> tuple[str, list[Event]]:
    """Wait until an alert's incident has evidence; return its id and its timeline."""
    live = running.app.live

    async def look() -> tuple[str, list[Event]] | None:
        for incident in live.responder.incidents.values():
            events = list(await live.ledger.store.events(incident.id))
            if incident.title.startswith(alert) and any(
                event.kind is EventKind.EVIDENCE for event in events
            ):
                return incident.id, events
        return None

    found = await until_async(look, what=f"evidence for {alert}", within=30)
    assert found is not None
    return found


async def on_the_page(running: Running, ident: str) -> str:
    """Return the incident's page as a browser gets it."""
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        answered = await client.get(f"{running.url}/incidents/{ident}")
    assert answered.status_code == 200
    return answered.text


async def test_a_database_says_who_blocks_whom_and_no_value(database: str) -> None:
    with blocked(database):
        lines = await ask_database(parse_conninfo(database), "database")
    said = "\n".join(lines)
    assert "connections now: " in said
    assert "has waited" in said
    assert "UPDATE receipts SET note = ? WHERE id = ?" in said
    assert SECRET not in said


async def test_a_database_that_refuses_is_a_line() -> None:
    parameters = parse_conninfo("postgresql://u:hunter22@127.0.0.1:9/x")
    (line,) = await ask_database(parameters, "database")
    assert line.startswith("the database could not be asked: ")
    assert "hunter22" not in line


async def test_blockers_stand_on_the_page_of_the_incident(tmp_path: Path, database: str) -> None:
    async with serving(sends(answer(200))) as app:
        with blocked(database):
            async with watching(tmp_path, app=app.url, database=database) as (running, _):
                ident, _ = await gathered(running, "Blocked")
                shown = await on_the_page(running, ident)
    assert "has waited" in shown
    assert "connections now: " in shown
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("alert", "wanted"),
    [
        (
            "Errors",
            ["app: down (status)", "failed answers by class, 10 min: status", "database: up"],
        ),
        (
            "Slow",
            ["phases of app: ", "the database&#39;s own answer to SELECT 1: ", "top statement"],
        ),
        ("Memory", ["memory cannot be seen from outside"]),
    ],
)
async def test_each_runbook_has_its_evidence(
    tmp_path: Path, database: str, alert: str, wanted: list[str]
) -> None:
    async with (
        serving(sends(answer(503, b"{}"))) as app,
        watching(tmp_path, app=app.url, database=database, only=alert) as (running, _),
    ):
        ident, _ = await gathered(running, alert)
        shown = await on_the_page(running, ident)
    for one in wanted:
        assert one in shown


async def test_a_database_that_hangs_delays_no_page(tmp_path: Path, database: str) -> None:
    parts = httpx.URL(database)
    proxy = Proxy("127.0.0.1", lambda: (parts.host, parts.port or 5432))
    await proxy.open()
    through = database.replace(f"{parts.host}:{parts.port}", f"127.0.0.1:{proxy.port.number}")
    try:
        async with (
            serving(sends(answer(200))) as app,
            watching(tmp_path, app=app.url, database=through, only="Down") as (running, pager),
        ):
            with proxy.disturbed(Disturbance(Way.FROZEN)):
                _, events = await gathered(running, "Down")
            first = json.loads(pager.received[0].body)["stewardmon"]
    finally:
        await proxy.close()
    at = {event.kind: event.at for event in reversed(events)}
    late = (at[EventKind.SENT] - at[EventKind.PAGED]).total_seconds()
    after = (at[EventKind.EVIDENCE] - at[EventKind.PAGED]).total_seconds()
    assert late < BOUND / 2 < BOUND <= after < BOUND + 2
    assert any("no answer within" in line for line in first["evidence"])  # what memory knew
    evidence = next(event for event in events if event.kind is EventKind.EVIDENCE)
    assert "could not be asked: no answer within 2 s" in evidence.detail
