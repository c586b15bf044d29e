"""The guide's `test:load`: so many users at once, for a while, against its benchmarks.

It costs whoever is asked: a target off this machine must be named and confirmed, and count, users
and time are bounded. Only GET, and by default only the front page: it costs no AI query.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final

from stewardmon.domain.course import quantile
from stewardmon.domain.outcome import Outcome
from stewardmon.errors import UsageError
from stewardmon.network.endpoint import parse_url
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, number
from stewardmon.rehearsal.checks.page import outside

LIST: Final = "load"
SLOW: Final = 2.0  # seconds: the guide's benchmark of API answers
DB_SLOW: Final = 0.5  # seconds: the guide's benchmark of the database
ERRORS: Final = 0.05  # the guide's alert on the error rate
ENOUGH: Final = 20  # fewer answers judge nothing
_DB_EVERY: Final = 1.0  # seconds
_LIMITED: Final = 429


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What is asked, by how many at once, and where it ends; times are seconds."""

    url: str
    paths: tuple[str, ...] = ("/",)
    users: int = 10
    requests: int = 200
    seconds: float = 30.0
    timeout: float = 10.0

    def address(self, path: str) -> str:
        """Return where a path is asked."""
        return self.url.rstrip("/") + path


@dataclass(slots=True)
class Tally:
    """What came back: times of good answers in seconds, failures by what they were."""

    times: list[float] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    limited: int = 0
    database: list[float] = field(default_factory=list)
    database_failed: str = ""
    took: float = 0.0

    @property
    def asked(self) -> int:
        """Return how many requests came to an end."""
        return len(self.times) + self.failed.total() + self.limited

    def add(self, outcome: Outcome | str) -> None:
        """Count one request's outcome. What the app's own limiter refuses is no failure."""
        status = int(number(outcome, "probe_http_status_code") or 0)
        if isinstance(outcome, str):
            self.failed[outcome] += 1
        elif outcome.success:
            self.times.append(outcome.duration)
        elif status == _LIMITED:
            self.limited += 1
        else:
            self.failed[f"status {status}" if status else outcome.reason.value] += 1


def guard(load: Load, confirmed: str) -> None:
    """Let a run against this machine pass, any other only by its host's name. Raises UsageError.

    Names are not looked up: what a name leads to can change between the look and the run.
    """
    if wrong := [path for path in load.paths if not path.startswith("/")]:
        raise UsageError(f"a path begins with /, not as {wrong[0][:40]!r}")
    try:
        host = {parse_url(load.address(path)).host for path in load.paths}.pop()
    except ValueError as error:
        raise UsageError(str(error)) from None
    if _loopback(host) or confirmed == host:
        return
    if confirmed:
        raise UsageError(f"--confirm names {confirmed!r}, the load would go to {host!r}")
    raise UsageError(
        f"{host} is not this machine: a load run costs whoever is asked."
        f" If {host} is meant, write the URL and --confirm {host}"
    )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


async def run(load: Load, flight: Flight) -> Tally:
    """Ask until the count or the time is used up; requests under way may still be answered."""
    tally = Tally()
    clock = flight.shared.clock
    started = clock.monotonic()
    turns = iter(range(load.requests))
    over = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_ask_database(flight, tally, over), name="load:database")
        try:
            async with asyncio.TaskGroup() as users:
                for user in range(load.users):
                    asking = _ask(load, flight, tally, turns, started + load.seconds)
                    users.create_task(asking, name=f"load:user:{user}")
        finally:
            tally.took = clock.monotonic() - started
            over.set()
    return tally


async def _ask(load: Load, flight: Flight, tally: Tally, turns: Iterator[int], ends: float) -> None:
    for turn in turns:
        if flight.shared.clock.monotonic() >= ends:
            return
        url = load.address(load.paths[turn % len(load.paths)])
        expect = {"status": ["2xx", "3xx"]}
        tally.add(await flight.probe("http", url=url, expect=expect, follow_redirects=False))


async def _ask_database(flight: Flight, tally: Tally, over: asyncio.Event) -> None:
    """Time `SELECT 1` on the app's own path while others load it; nothing without its address."""
    url = flight.value("DATABASE_URL")
    while url is not None and not over.is_set():
        outcome = await flight.probe("postgres", url=url, figures=False)
        took = number(outcome, "stewardmon_pg_query_duration_seconds")
        if took is not None:
            tally.database.append(took)
        else:
            tally.database_failed = outcome if isinstance(outcome, str) else outcome.detail
        with suppress(TimeoutError):
            async with asyncio.timeout(_DB_EVERY):
                await over.wait()


async def judge(tally: Tally, flight: Flight) -> list[Found]:
    """Return a line a benchmark: met, missed, or why that cannot be said."""
    return [
        _errors(tally),
        _times(tally),
        *_limits(tally),
        _database(tally),
        (
            "cache hit rate",
            Verdict.UNKNOWN,
            "a page says nothing of the AI answers' cache: see stewardmon preflight cache",
        ),
        *await outside(flight),
    ]


def _errors(tally: Tally) -> Found:
    check = "answers"
    judged = len(tally.times) + tally.failed.total()
    pace = f"{tally.asked / tally.took:.0f} a second" if tally.took else "at once"
    said = f"{tally.failed.total()} of {judged} failed, {pace}"
    if tally.failed:
        kinds = (f"{count} × {what}" for what, count in tally.failed.most_common(4))
        said = f"{said}: {', '.join(kinds)}"
    if judged < ENOUGH:
        return check, Verdict.UNKNOWN, f"{said}; fewer than {ENOUGH} answers judge nothing"
    share = tally.failed.total() / judged
    return check, Verdict.PASS if share <= ERRORS else Verdict.FAIL, said


def _times(tally: Tally) -> Found:
    check = "their time"
    ordered = sorted(tally.times)
    shares = {share: quantile(ordered, share) for share in (0.5, 0.95, 0.99)}
    said = ", ".join(
        f"p{share * 100:.0f} {value * 1000:.0f} ms"
        for share, value in shares.items()
        if value is not None
    )
    slow = shares[0.95]
    if slow is None or len(ordered) < ENOUGH:
        said = f"{said}; " if said else ""
        return check, Verdict.UNKNOWN, f"{said}fewer than {ENOUGH} good answers judge nothing"
    said = f"{said}; at most {SLOW * 1000:.0f} ms at p95 wanted"
    return check, Verdict.PASS if slow <= SLOW else Verdict.FAIL, said


def _limits(tally: Tally) -> Iterator[Found]:
    if tally.limited:
        said = f"the app's limiter refused {tally.limited} of {tally.asked}: judged is the rest"
        yield "rate limit", Verdict.UNKNOWN, said


def _database(tally: Tally) -> Found:
    check = "the database meanwhile"
    if tally.database_failed:
        return check, Verdict.FAIL, tally.database_failed
    if not tally.database:
        return check, Verdict.UNKNOWN, "set DATABASE_URL to have it timed"
    slowest = max(tally.database)
    said = f"SELECT 1 took {slowest * 1000:.0f} ms at most, {DB_SLOW * 1000:.0f} ms wanted"
    return check, Verdict.PASS if slowest <= DB_SLOW else Verdict.FAIL, said
