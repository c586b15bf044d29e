"""Each fault of the simulated platform, and the state and reason that a probe gives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from stewardmon.clock import SystemClock
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.ports import Context
from tests.adapters.demo.world import Hand
from tests.support.probing import asked_in, measured

pytestmark = pytest.mark.asyncio(loop_scope="module")


class MovedClock(SystemClock):
    """The platform's own clock, which the tests turn past its rate limits' windows."""

    def now(self) -> datetime:
        return HAND.now()


HAND = Hand()
HEALTH: dict[str, Any] = {
    "status": [200],
    "json": {"status": {"in": ["healthy"]}, "services.*": {"in": ["healthy"]}},
    "fresh": {"path": "timestamp", "within": "30s"},
    "cached": False,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform, on a server and a clock of its own: `postgres` says whether it can be."""
    async with Platform(now=HAND.now) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    HAND.advance(minutes=2)
    yield running
    await running.faults.clear()


async def ask(platform: Platform, kind: str, timeout: float = 3.0) -> Outcome:
    key = platform.identity.openai_key
    settings: dict[str, dict[str, Any]] = {
        "http": {"url": f"{platform.app_url}/api/health", "expect": HEALTH},
        "https": {
            "url": f"{platform.app_tls_url}/api/health",
            "verify": str(platform.ca_file),
            "expect": {"tls": {"min_days": 14}},
        },
        "postgres": {"url": platform.database_url},
        "postgres_depth": {
            "url": platform.monitor_database_url,
            "limits": {"transaction_age": "10ms", "idle_transaction_age": "10ms"},
        },
        "openai": {"url": platform.openai_url, "key": key, "models": ["gpt-4o-mini"]},
        "openai_chat": {"url": platform.openai_url, "key": key, "model": "gpt-4o-mini"},
        "responses": {
            "url": platform.openai_url,
            "key": key,
            "model": "gpt-4o-mini",
            "api": "responses",
        },
        "openai_embeddings": {
            "url": platform.openai_url,
            "key": key,
            "model": "text-embedding-3-small",
            "dimensions": 8,
        },
        "openai_costs": {
            "url": platform.openai_url,
            "key": platform.identity.openai_admin_key,
            "daily_budget_usd": 3,
        },
    }
    name = {"https": "http", "responses": "openai_chat"}.get(kind, kind)
    return await asked_in(Context(clock=MovedClock()), name, timeout=timeout, **settings[kind])


AI = ("openai", "openai_chat", "responses", "openai_embeddings")


@pytest.mark.parametrize("kind", ["http", "https", "postgres", *AI, "openai_costs"])
async def test_nothing_is_wrong(platform: Platform, kind: str) -> None:
    outcome = await ask(platform, kind)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.detail


async def test_nothing_is_wrong_in_depth(platform: Platform) -> None:
    outcome = await ask(platform, "postgres_depth")
    assert outcome.state in (State.UP, State.DEGRADED)
    assert not [line for line in outcome.findings if "could not be checked" in line]


@pytest.mark.parametrize(
    ("fault", "kind", "state", "reason"),
    [
        (Fault.APP_DOWN, "http", State.DOWN, Reason.REFUSED),
        (Fault.APP_RESET, "http", State.DOWN, Reason.RESET),
        (Fault.APP_GARBAGE, "http", State.DOWN, Reason.PROTOCOL),
        (Fault.APP_HANGING, "http", State.DOWN, Reason.TIMEOUT),
        (Fault.APP_DRIP, "http", State.DOWN, Reason.TIMEOUT),
        (Fault.APP_REDIRECT_LOOP, "http", State.DOWN, Reason.REDIRECT),
        (Fault.HEALTH_FROZEN_TIMESTAMP, "http", State.DEGRADED, Reason.STALE),
        (Fault.HEALTH_CACHED, "http", State.DEGRADED, Reason.CACHED),
        (Fault.HEALTH_MISSING, "http", State.MISCONFIGURED, Reason.NOT_FOUND),
        (Fault.CERTIFICATE_EXPIRING, "https", State.DEGRADED, Reason.CERTIFICATE),
        (Fault.CERTIFICATE_EXPIRED, "https", State.DOWN, Reason.CERTIFICATE),
        (Fault.CERTIFICATE_WRONG_NAME, "https", State.DOWN, Reason.CERTIFICATE),
        (Fault.CERTIFICATE_UNTRUSTED, "https", State.DOWN, Reason.CERTIFICATE),
        (Fault.DATABASE_DOWN, "postgres", State.DOWN, Reason.REFUSED),
        (Fault.DATABASE_REFUSING, "postgres", State.DOWN, Reason.AUTH),
        (Fault.DATABASE_WRONG_PASSWORD, "postgres", State.DOWN, Reason.AUTH),
        (Fault.DATABASE_OUT_OF_CONNECTIONS, "postgres", State.DOWN, Reason.TOO_MANY_CONNECTIONS),
        (Fault.DATABASE_READ_ONLY, "postgres", State.DEGRADED, Reason.READ_ONLY),
        (Fault.DATABASE_FROZEN, "postgres", State.DOWN, Reason.TIMEOUT),
        (Fault.DATABASE_RESET, "postgres", State.DOWN, Reason.RESET),
        (Fault.DATABASE_CUT, "postgres", State.DOWN, Reason.RESET),
        (Fault.DATABASE_BLOCKED, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_IDLE_TRANSACTION, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_INVALID_INDEX, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_MISSING_INDEX, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_FAILED_MIGRATION, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_DEAD_TUPLES, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_INACTIVE_SLOT, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATA_NEGATIVE_TOTAL, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATA_STUCK_RECEIPT, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATA_FUTURE_DATE, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATA_ORPHAN, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_MISSING_TABLE, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATA_UNVALIDATED_CONSTRAINT, "postgres_depth", State.DEGRADED, Reason.FINDING),
        (Fault.DATABASE_NO_RIGHTS, "postgres_depth", State.DEGRADED, Reason.PERMISSION),
        *[
            (fault, kind, state, reason)
            for kind in AI
            for fault, state, reason in (
                (Fault.OPENAI_KEY, State.DOWN, Reason.AUTH),
                (Fault.OPENAI_QUOTA, State.DOWN, Reason.QUOTA),
                (Fault.OPENAI_RATE, State.DEGRADED, Reason.RATE_LIMIT),
                (Fault.OPENAI_PROVIDER, State.DOWN, Reason.PROVIDER),
                (Fault.OPENAI_UNAVAILABLE, State.DOWN, Reason.PROVIDER),
                (Fault.OPENAI_TIMEOUT, State.DOWN, Reason.TIMEOUT),
                (Fault.OPENAI_DOWN, State.DOWN, Reason.REFUSED),
            )
        ],
        *[
            (Fault.OPENAI_MODEL_MISSING, kind, State.MISCONFIGURED, Reason.MODEL)
            for kind in ("openai", "openai_chat", "responses")
        ],
        *[
            (fault, kind, state, reason)
            for kind in ("openai_chat", "responses")
            for fault, state, reason in (
                (Fault.OPENAI_BAD_REQUEST, State.MISCONFIGURED, Reason.REQUEST),
                (Fault.OPENAI_STALLED_STREAM, State.DOWN, Reason.TIMEOUT),
                (Fault.OPENAI_BROKEN_STREAM, State.DOWN, Reason.INCOMPLETE),
                (Fault.OPENAI_MISSING_HEADERS, State.UP, Reason.OK),
            )
        ],
        (Fault.OPENAI_DOWN, "openai_costs", State.DOWN, Reason.REFUSED),
    ],
)
async def test_a_fault_has_its_state_and_reason(
    platform: Platform, fault: Fault, kind: str, state: State, reason: Reason
) -> None:
    await platform.faults.on(fault.value)
    timeout = 0.7 if reason is Reason.TIMEOUT else 5.0
    outcome = await ask(platform, kind, timeout)
    assert (outcome.state, outcome.reason) == (state, reason), (outcome.detail, outcome.findings)
    for secret in (platform.identity.openai_key, platform.database_url.split("@")[0]):
        assert secret not in repr(outcome)


async def test_a_cost_spike_shows_against_the_usual_day_and_the_budget(platform: Platform) -> None:
    calm = measured(await ask(platform, "openai_costs"))
    await platform.faults.on(Fault.OPENAI_COST_SPIKE.value)
    found = measured(await ask(platform, "openai_costs"))
    today, usual = "stewardmon_openai_cost_usd_today", "stewardmon_openai_cost_usd_median"
    assert calm[today] < 3 * calm[usual]
    assert found[today] > 3 * found[usual]
    used = "stewardmon_openai_budget_used_ratio{period=day}"
    assert calm[used] < 1 < found[used]


async def test_costs_want_the_admin_key(platform: Platform) -> None:
    settings = {"url": platform.openai_url, "key": platform.identity.openai_key}
    outcome = await asked_in(Context(clock=MovedClock()), "openai_costs", timeout=3, **settings)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.AUTH)
