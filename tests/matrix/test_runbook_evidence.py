"""Each of the guide's runbooks under a fault: its evidence, with values, on page and message.

Real probes look at the real platform with the fault on, and its real database testifies; both are
replayed to a whole daemon on virtual time with the shipped rules. Memory is what nobody can look at
from outside: there a real process grows, and pushes what it holds to the daemon's own address.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import unescape

import httpx
import pytest

from stewardmon.clock import SystemClock
from stewardmon.demo.catalogue import Fault
from stewardmon.domain.incident import EventKind
from stewardmon.domain.runbooks import DATABASE, ERROR_RATES, MEMORY, RESPONSE_TIMES, RUNBOOKS
from stewardmon.engine import evidence
from stewardmon.web.links import Links
from stewardmon.web.site import build
from tests.matrix.growing import HEARTBEAT, growing, possible
from tests.matrix.living import CALM, living
from tests.matrix.looking import Looked, Tape
from tests.matrix.table import MATRIX
from tests.matrix.world import World
from tests.support.daemon import Daemon
from tests.support.peers import missing
from tests.support.virtual import run_virtually

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOREVER = timedelta(days=9).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The alert that leads to a runbook, the fault that leads to the alert, and what is shown.

    Without a fault of the platform it is a process beside it that leaks memory.
    `known` is in memory when the page is written; `heard` has to be asked of the database.
    """

    alert: str
    fault: Fault | None
    known: tuple[str, ...]
    heard: tuple[str, ...] = ()


CASES: Mapping[str, Case] = {
    RESPONSE_TIMES: Case(
        alert="Slow Response Time",
        fault=Fault.APP_HANGING,
        known=(
            r"app: down \(timeout\), .+ \[\d+ s ago\]",
            r"phases of app: .*connect [\d.]+ m?s.* in all",
            r"the database's own answer to SELECT 1: [\d.]+ m?s",
            r"blocks that PostgreSQL found in memory, 15 min: [\d.]+ %",
            r"AI provider, first token after: [\d.]+ m?s",
            r"AI provider, whole answer: [\d.]+ m?s",
            r"openai-status: up, .+",
            r"deployment \S+: unchanged for as long as is remembered",
        ),
        heard=(r"top statement: [\d.]+ .?s in \d+ calls, [\d.]+ .?s each: .+",),
    ),
    ERROR_RATES: Case(
        alert="High Error Rate",
        fault=Fault.APP_ERROR_SHARE,
        known=(
            r"app: down \(status\), .+ \[\d+ s ago\]",
            r"failed answers by class, 10 min: status \d+.*",
            r"database: up.*",
            r"openai-status: up, .+",
            r"deployment \S+: unchanged for as long as is remembered",
            r"logs: .+",
        ),
        heard=(r"connections now: \d+ of \d+, \d+ active, \d+ idle in a transaction",),
    ),
    DATABASE: Case(
        alert="Database Sessions Blocked",
        fault=Fault.DATABASE_BLOCKED,
        known=(
            r"database-activity: .+ \[\d+ s ago\]",
            r"connections by state: [a-z].* \d+.*",
            r"connections that the server allows: \d+",
            r"the database's own answer to SELECT 1: [\d.]+ m?s",
            r"blocks that PostgreSQL found in memory, 15 min: [\d.]+ %",
            r"transactions a second, 5 min: [\d.]+",
            r"backends that wait for a lock: 1",
        ),
        heard=(
            r"connections now: \d+ of \d+, .+",
            r"process \d+ has waited .+ for process \d+ \(.+, in its transaction for .+\): .+",
        ),
    ),
    MEMORY: Case(
        alert="Memory Usage High",
        fault=None,
        known=(
            r"memory of a process: [78]\d\d MB",
            r"its growth in an hour, going by 15 min: [\d.]+ [MG]B",
        ),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What became of one life: when the page was written and sent, what it and the page show."""

    paged_after: timedelta
    sent_after: timedelta
    gathered_after: timedelta
    message: str
    page: str


async def test_every_runbook_has_a_case() -> None:
    assert set(CASES) == set(RUNBOOKS)


@pytest.mark.parametrize("runbook", RUNBOOKS)
async def test_a_runbooks_evidence_is_on_the_page_and_delays_nothing(
    world: World, runbook: str
) -> None:
    case = CASES[runbook]
    broken, words = await _seen(world, case, runbook)

    start = SystemClock().now()

    async def told(**how: float) -> Told:
        tape = Tape(world.watched, world.healthy)
        life = _life(tape, case, broken, words, start=start, **how)
        return await asyncio.to_thread(run_virtually, life)

    prompt = await told(after=1.5)
    for shown in (prompt.message, prompt.page):
        for line in (*case.known, *case.heard):
            assert _stands(line, shown), f"{line}\nis not among\n{shown}"
    assert prompt.gathered_after <= timedelta(seconds=1)

    # Where nobody has to be asked, nothing can come late.
    late = await told(after=1.5, ahead=-1) if case.heard else prompt
    for line in case.heard:
        # A warning waits half a minute for company: what comes meanwhile is in its message.
        assert _stands(line, late.message) is (late.gathered_after < timedelta(0))
        assert _stands(line, late.page), f"{line}\nis not among\n{late.page}"
    assert all(_stands(line, late.message) for line in case.known)

    hanging = await told(after=FOREVER, ahead=-1)
    if case.heard:
        assert "could not be asked: no answer within 2 s" in hanging.page
    bound = timedelta(seconds=evidence.BOUND + evidence.LONGEST_WAIT)
    for one in (late, hanging):
        assert one.gathered_after <= bound
        assert (one.paged_after, one.sent_after) == (prompt.paged_after, prompt.sent_after)


async def _seen(
    world: World, case: Case, runbook: str
) -> tuple[Looked, Mapping[str, tuple[str, ...]]]:
    """Return what the probes see of a fault, and what the witnesses say meanwhile."""
    if case.fault is None:
        return world.healthy, await world.watched.hear(runbook)
    row = MATRIX[case.fault]
    async with world.suffering(case.fault, row):
        broken = await world.watched.look(hangs=row.hangs, slow=row.slow)
        return broken, await world.watched.hear(runbook)


async def _life(
    tape: Tape,
    case: Case,
    broken: Looked,
    words: Mapping[str, tuple[str, ...]],
    *,
    start: datetime,
    after: float,
    ahead: float = evidence.AHEAD.total_seconds(),
) -> Told:
    tape.words, tape.after = words, after
    async with _breaking(tape, case, broken, start=start) as (daemon, begin):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(evidence, "LONGEST_WAIT", 1.0)
            patch.setattr(evidence, "AHEAD", timedelta(seconds=ahead))
            await daemon.after(seconds=CALM.total_seconds())
            began = daemon.clock.now()
            begin()
            while not _pages(daemon, case.alert):
                assert daemon.clock.now() - began < timedelta(minutes=30), "nobody was paged"
                await daemon.after(seconds=10)
            await daemon.after(seconds=20)
            return await _told(daemon, case.alert, began)


@asynccontextmanager
async def _breaking(
    tape: Tape, case: Case, broken: Looked, *, start: datetime
) -> AsyncIterator[tuple[Daemon, Callable[[], None]]]:
    """A daemon to which nothing has happened yet, and what lets it happen."""
    if case.fault is not None:
        async with living(tape, start=start) as daemon:
            yield daemon, lambda: tape.show(broken)
        return
    if not possible():
        missing("/proc, by which a process knows its memory")
    async with living(tape, start=start, beside=HEARTBEAT) as daemon, growing(daemon) as leak:
        yield daemon, leak.begin


async def _told(daemon: Daemon, alert: str, began: datetime) -> Told:
    sent_at, ident, lines = _pages(daemon, alert)[0]
    events = await daemon.store.events(ident)
    at = {event.kind: event.at for event in reversed(events)}
    gathered = at.get(EventKind.EVIDENCE, at[EventKind.PAGED])
    return Told(
        paged_after=at[EventKind.PAGED] - began,
        sent_after=sent_at - began,
        gathered_after=gathered - at[EventKind.PAGED],
        message="\n".join(lines),
        page=await _page(daemon, ident),
    )


def _pages(daemon: Daemon, alert: str) -> list[tuple[datetime, str, tuple[str, ...]]]:
    return [
        (at, one.incident, one.evidence) for at, _, one in daemon.pager.sent if alert in one.title
    ]


async def _page(daemon: Daemon, ident: str) -> str:
    """Return what a browser shows under Evidence, a line each."""
    links = Links("a-secret-for-tests", "http://watch", SystemClock())
    site = build(daemon.running.live, links=links)
    transport = httpx.ASGITransport(app=site.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        answered = await client.get(f"/incidents/{ident}")
    assert answered.status_code == 200
    _, _, rest = answered.text.partition('id="evidence"')
    listed, _, _ = rest.partition("</ul>")
    return "\n".join(unescape(one.partition("</li>")[0]) for one in listed.split("<li>")[1:])


def _stands(line: str, shown: str) -> bool:
    return any(re.fullmatch(line, one) for one in shown.splitlines())
