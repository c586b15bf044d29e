"""Supabase, Vercel, Sentry, the status page, the log streams and the backups of the platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked, measured

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform, on a server of its own: `postgres` says whether there can be one."""
    async with Platform() as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well, with fresh logs."""
    for file in running.log_dir.iterdir():
        file.unlink()
    running.logs.make()
    yield running
    await running.faults.clear()


async def ask(platform: Platform, kind: str) -> Outcome:
    identity = platform.identity
    settings: dict[str, dict[str, Any]] = {
        "backup": {"folder": str(platform.backup_dir)},
        "backup_api": {
            "project": "simulated",
            "token": identity.supabase_access_token,
            "api_url": platform.supabase_url,
        },
        "supabase": {
            "url": platform.supabase_url,
            "anon_key": identity.anon_key,
            "tables": ["receipts", "agent_logs", "nothing_of_the_kind"],
            "database": platform.direct_database_url,
            "email": platform.user.email,
            "password": platform.user.password,
        },
        "page": {"url": platform.app_url + "/"},
        "statuspage": {"url": platform.status_url, "components": ["Chat Completions"]},
        "sentry": {
            "dsn": platform.sentry_dsn,
            "events_url": platform.sentry_url + "/api/0/projects/steward/app/events/",
            "max_age": "24h",
        },
        "logs": {
            "folder": str(platform.log_dir),
            "streams": ["application", "error", "performance", "access"],
            "max_errors": 0.2,
        },
        "vercel": {"url": platform.app_url, "version": "1.4.2"},
    }
    return await asked(kind.partition("_")[0], timeout=10, **settings[kind])


KINDS = ["backup", "backup_api", "supabase", "statuspage", "sentry", "logs", "vercel", "page"]


@pytest.mark.parametrize("kind", KINDS)
async def test_nothing_is_wrong(platform: Platform, kind: str) -> None:
    outcome = await ask(platform, kind)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome


@pytest.mark.parametrize(
    ("fault", "kind", "state", "reason"),
    [
        (Fault.BACKUP_STALE, "backup", State.DOWN, Reason.STALE),
        (Fault.BACKUP_EMPTY, "backup", State.DOWN, Reason.EMPTY),
        (Fault.BACKUP_TRUNCATED, "backup", State.DOWN, Reason.INCOMPLETE),
        (Fault.BACKUP_SHRUNK, "backup", State.DEGRADED, Reason.FINDING),
        (Fault.BACKUP_STALE, "backup_api", State.DOWN, Reason.STALE),
        (Fault.SUPABASE_AUTH_DOWN, "supabase", State.DOWN, Reason.STATUS),
        (Fault.SUPABASE_REST_DOWN, "supabase", State.DOWN, Reason.STATUS),
        (Fault.SUPABASE_STORAGE_DOWN, "supabase", State.DOWN, Reason.STATUS),
        (Fault.SECURITY_RLS_OPEN, "supabase", State.DOWN, Reason.EXPOSED),
        (Fault.OPENAI_INCIDENT, "statuspage", State.DEGRADED, Reason.PROVIDER),
        (Fault.SENTRY_DOWN, "sentry", State.DOWN, Reason.STATUS),
        (Fault.SENTRY_STALE, "sentry", State.DEGRADED, Reason.STALE),
        (Fault.PAGE_HEAVY, "page", State.DEGRADED, Reason.FINDING),
        (Fault.COMPRESSION_OFF, "page", State.DEGRADED, Reason.FINDING),
        (Fault.APP_DOWN, "vercel", State.DOWN, Reason.REFUSED),
    ],
)
async def test_a_fault_has_its_state_and_reason(
    platform: Platform, fault: Fault, kind: str, state: State, reason: Reason
) -> None:
    await platform.faults.on(fault.value)
    outcome = await ask(platform, kind)
    assert (outcome.state, outcome.reason) == (state, reason), (outcome.detail, outcome.findings)
    for secret in (platform.identity.anon_key, platform.identity.database_password):
        assert secret not in repr(outcome)


@pytest.mark.parametrize(
    ("fault", "state", "reason", "requests"),
    [
        (Fault.LOGS_STALE, State.DEGRADED, Reason.STALE, 0),
        (Fault.LOGS_ERRORS, State.DEGRADED, Reason.FINDING, 40),
        (Fault.LOGS_SECRET, State.DOWN, Reason.EXPOSED, 1),
        (Fault.LOGS_UNSTRUCTURED, State.DEGRADED, Reason.BODY, 40),
    ],
)
async def test_a_fault_of_the_logs(
    platform: Platform, fault: Fault, state: State, reason: Reason, requests: int
) -> None:
    await platform.faults.on(fault.value)
    for _ in range(requests):
        platform.logs.request("/api/health", 200, 0.01)
    limit = "0ms" if fault is Fault.LOGS_STALE else "15m"
    outcome = await asked("logs", folder=str(platform.log_dir), max_age=limit, max_errors=0.2)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.findings
    assert platform.identity.openai_key not in repr(outcome)
    assert platform.user.email not in repr(outcome)


async def test_a_new_version_is_seen(platform: Platform) -> None:
    before = measured(await ask(platform, "vercel"))
    assert any("version=1.4.2" in name for name in before)
    platform.deploy("1.5.0")
    try:
        outcome = await ask(platform, "vercel")
    finally:
        platform.deploy("1.4.2")
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.WRONG_ANSWER)
    assert outcome.detail == "version 1.5.0 answers, expected 1.4.2"


async def test_a_wrong_key_is_our_setup(platform: Platform) -> None:
    outcome = await asked("supabase", url=platform.supabase_url, anon_key="wrong")
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.AUTH)


async def test_what_was_counted_is_told(platform: Platform) -> None:
    numbers = measured(await ask(platform, "supabase"))
    assert numbers["stewardmon_supabase_service_up{service=auth}"] == 1
    assert numbers["stewardmon_supabase_rls_exposed{table=receipts}"] == 0
    await platform.faults.on(Fault.SECURITY_RLS_OPEN.value)
    numbers = measured(await ask(platform, "supabase"))
    assert numbers["stewardmon_supabase_rls_exposed{table=receipts}"] == 1


async def test_a_user_who_cannot_sign_in_is_told(platform: Platform) -> None:
    outcome = await asked(
        "supabase",
        url=platform.supabase_url,
        anon_key=platform.identity.anon_key,
        email=platform.user.email,
        password="wrong",
    )
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.AUTH)
    assert measured(outcome)["stewardmon_supabase_service_up{service=sign-in}"] == 0
