"""Every probe that asks a database, against everything that can be wrong with one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import pytest_asyncio

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUERY: Final = "SELECT count(*) AS receipts FROM receipts"
ALONE: Final = ("postgres", "postgres_depth", "postgres_query", "encryption")
BESIDE: Final = ("supabase", "agent", "agent_contract", "agent_metrics")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A platform on a server of its own: `postgres` says whether it can be."""
    async with Platform(limits=Limits(per_address=None, per_user=None)) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    yield running
    await running.faults.clear()


def settings(kind: str, url: str, platform: Platform | None = None) -> dict[str, Any]:
    """Return the least that a kind needs to ask the database at `url`."""
    match kind:
        case "postgres_query":
            return {"url": url, "query": QUERY}
        case "encryption":
            return {"url": url, "columns": [{"table": "receipts", "column": "merchant"}]}
        case "postgres" | "postgres_depth":
            return {"url": url}
    assert platform is not None
    signed = {"anon_key": platform.identity.anon_key, "email": platform.user.email}
    signed["password"] = platform.user.password
    if kind == "supabase":
        return {"url": platform.supabase_url, "tables": ["receipts"], "database": url, **signed}
    more = {"supabase_url": platform.supabase_url, "database": url}
    return {"url": platform.app_url, **more, **signed}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What a probe of the database alone must say of a fault, by kind where they differ.

    `timeout` is in seconds: what it costs where an answer never comes.
    """

    reasons: frozenset[Reason]
    timeout: float = 4.0
    numbers: Mapping[str, float] = field(default_factory=dict)


def trouble(*reasons: Reason, **more: Any) -> Trouble:
    return Trouble(reasons=frozenset(reasons), **more)


BRIEF: Final = 0.7
TROUBLES: Final[Mapping[Fault, Trouble]] = {
    Fault.DATABASE_DOWN: trouble(Reason.REFUSED),
    Fault.DATABASE_REFUSING: trouble(Reason.AUTH),
    Fault.DATABASE_WRONG_PASSWORD: trouble(Reason.AUTH),
    Fault.DATABASE_OUT_OF_CONNECTIONS: trouble(Reason.TOO_MANY_CONNECTIONS),
    # Who only reads is well; what only a reader of the mode sees is said by `postgres`.
    Fault.DATABASE_READ_ONLY: trouble(Reason.READ_ONLY, Reason.OK, Reason.FINDING),
    Fault.DATABASE_SLOW: trouble(
        Reason.OK, Reason.FINDING, Reason.SLOW, Reason.TIMEOUT, numbers={"seconds": 0.1}
    ),
    Fault.DATABASE_FROZEN: trouble(Reason.TIMEOUT, timeout=BRIEF),
    Fault.DATABASE_TRICKLE: trouble(Reason.TIMEOUT, timeout=BRIEF),
    Fault.DATABASE_RESET: trouble(Reason.RESET),
    Fault.DATABASE_CUT: trouble(Reason.RESET),
    Fault.DATABASE_MISSING_TABLE: trouble(Reason.OK, Reason.FINDING, Reason.MISSING),
    Fault.DATABASE_LOCKED_TABLE: trouble(
        Reason.OK, Reason.SLOW, Reason.FINDING, Reason.TIMEOUT, timeout=2.0
    ),
}


def sound(outcome: Outcome, platform: Platform | None, *, timeout: float) -> None:
    """Fail unless the outcome has come in time, says what it saw, and gives nothing away."""
    assert outcome.reason is not Reason.INTERNAL, outcome
    assert outcome.success or outcome.detail
    assert "\n" not in outcome.detail
    assert outcome.duration < timeout + 8  # a busy machine
    secrets = [] if platform is None else [platform.user.password, platform.identity.anon_key]
    if platform is not None:
        secrets.append(platform.identity.database_password)
    assert not [one for one in secrets if one in repr(outcome)]


@pytest.mark.parametrize("fault", TROUBLES, ids=str)
async def test_every_probe_says_what_is_wrong(platform: Platform, fault: Fault) -> None:
    trouble = TROUBLES[fault]
    await platform.faults.on(fault.value, **trouble.numbers)
    kinds = (*ALONE, *BESIDE)
    url = platform.database_url
    outcomes = await asyncio.gather(
        *(asked(kind, timeout=trouble.timeout, **settings(kind, url, platform)) for kind in kinds)
    )
    for kind, outcome in zip(kinds, outcomes, strict=True):
        sound(outcome, platform, timeout=trouble.timeout)
        if kind in ALONE:
            assert outcome.reason in trouble.reasons, (kind, outcome.reason, outcome.detail)


async def test_a_role_without_rights(platform: Platform) -> None:
    await platform.faults.on(Fault.DATABASE_NO_RIGHTS.value)
    url = platform.monitor_database_url
    told = {kind: await asked(kind, **settings(kind, url)) for kind in ALONE}
    for outcome in told.values():
        sound(outcome, platform, timeout=5)
    assert told["postgres"].state is not State.DOWN  # to connect takes no right to read
    assert told["postgres_depth"].reason is Reason.PERMISSION
    for kind in ("postgres_query", "encryption"):
        assert told[kind].state is State.MISCONFIGURED, kind
        assert told[kind].reason is Reason.PERMISSION, kind


async def test_a_server_that_restarts_in_the_middle(own_postgres: PostgresServer) -> None:
    """Asked without a pause while it stops, is away, starts and is back."""
    server = own_postgres
    url = server.url
    over = asyncio.Event()
    seen: dict[str, list[Outcome]] = {kind: [] for kind in ALONE}

    async def keep_asking(kind: str) -> None:
        while not over.is_set():
            seen[kind].append(await asked(kind, timeout=3, **settings(kind, url)))

    async with asyncio.TaskGroup() as group:
        for kind in ALONE:
            group.create_task(keep_asking(kind), name=kind)
        await asyncio.to_thread(server.restart)
        over.set()
    # What a restart says to whoever is connected, to whoever comes, and while it recovers.
    away = {Reason.REFUSED, Reason.RESET, Reason.STARTING, Reason.TIMEOUT}
    for kind, outcomes in seen.items():
        for outcome in outcomes:
            sound(outcome, None, timeout=3)
            assert server.password not in repr(outcome)
            if outcome.state is State.DOWN:
                assert outcome.reason in away, (kind, outcome)
        assert any(one.state is State.DOWN for one in outcomes)
    assert (await asked("postgres", **settings("postgres", url))).success
