"""The guide's check-lists against the platform: all well, broken in each way, and not there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.ports import Context
from stewardmon.rehearsal.preflight import (
    BY_NAME,
    LISTS,
    NAMES,
    PARTS,
    ROTATED,
    Flight,
    Line,
    Verdict,
    preflight,
)
from tests.support.probing import CLOCK
from tests.support.servers import hangs, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform without its request limits: every test asks some sixty times."""
    async with Platform(limits=Limits(per_address=None, per_user=None)) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    yield running
    await running.faults.clear()


async def fly(platform: Platform, *lists: str, version: str = "", **more: str) -> list[Line]:
    today = f"{CLOCK.now():%Y-%m-%d}"
    keys = {f"{name}_ROTATED_AT": today for name in ROTATED}
    environ = {**platform.environment(), **keys, **more}
    flight = Flight(environ=environ, shared=Context(clock=CLOCK), version=version, timeout=6)
    return await preflight(lists, flight)


def failing(lines: list[Line]) -> list[Line]:
    return [line for line in lines if line.verdict is FAIL]


async def test_all_is_well(platform: Platform) -> None:
    lines = await fly(platform, "all", version="1.4.2")
    assert failing(lines) == []
    unknown = {(line.list, line.check) for line in lines if line.verdict is UNKNOWN}
    # Neither can be known of an app on loopback, without TLS and without its own figures.
    assert unknown - {("db", "inside")} == {
        ("security", "tls"),
        ("performance", "memory and processor"),
    }
    assert {line.list for line in lines} == set(LISTS) - BY_NAME


@pytest.mark.parametrize(
    ("fault", "name", "says"),
    [
        (Fault.DATABASE_REFUSING, "db", "auth"),
        (Fault.DATABASE_READ_ONLY, "db", "takes no writes"),
        (Fault.DATABASE_FROZEN, "db", "timeout"),
        (Fault.DATABASE_FAILED_MIGRATION, "db", "migration"),
        (Fault.DATABASE_INVALID_INDEX, "db", "is not valid"),
        (Fault.DATA_NEGATIVE_TOTAL, "db", "below zero"),
        (Fault.OPENAI_KEY, "openai", "the key is refused"),
        (Fault.OPENAI_QUOTA, "openai", "quota"),
        (Fault.OPENAI_MODEL_MISSING, "openai", "gpt-4o-mini"),
        (Fault.OPENAI_BROKEN_STREAM, "openai", "incomplete"),
        (Fault.OPENAI_INCIDENT, "openai", "Chat Completions"),
        (Fault.OPENAI_RATE, "openai", "rate limit"),
        (Fault.OPENAI_UNAVAILABLE, "openai", "503"),
        (Fault.OPENAI_DOWN, "openai", "refused"),
        (Fault.OPENAI_BAD_REQUEST, "openai", "400"),
        (Fault.OPENAI_RETIRED_MODEL, "openai", "is switched off in"),
        (Fault.OPENAI_LOW_HEADROOM, "openai", "is left"),
        (Fault.DATABASE_WRONG_PASSWORD, "db", "refuses the user or the password"),
        (Fault.DATABASE_OUT_OF_CONNECTIONS, "db", "no connection left"),
        (Fault.DATABASE_RESET, "db", "cut the connection"),
        (Fault.DATABASE_BLOCKED, "db", "for a lock of"),
        (Fault.DATABASE_MISSING_INDEX, "db", "no valid index"),
        (Fault.DATABASE_MISSING_TABLE, "db", "no table receipts"),
        (Fault.DATABASE_DEAD_TUPLES, "db", "dead rows"),
        (Fault.DATABASE_INACTIVE_SLOT, "db", "nobody reads the replication slot"),
        (Fault.DATABASE_NO_RIGHTS, "db", "could not be checked"),
        (Fault.DATA_STUCK_RECEIPT, "db", "stuck"),
        (Fault.DATA_FUTURE_DATE, "db", "in the future"),
        (Fault.DATA_UNVALIDATED_CONSTRAINT, "db", "never validated"),
        (Fault.SUPABASE_REST_DOWN, "auth", "503"),
        (Fault.SUPABASE_STORAGE_DOWN, "auth", "503"),
        (Fault.APP_RESET, "post", "cut the connection"),
        (Fault.APP_GARBAGE, "post", "does not speak HTTP"),
        (Fault.APP_REDIRECT_LOOP, "post", "redirects"),
        (Fault.SUPABASE_AUTH_DOWN, "auth", "503"),
        (Fault.SECURITY_AUTH_BYPASS, "auth", "without a session"),
        (Fault.SECURITY_INSECURE_COOKIE, "auth", "lacks Secure"),
        (Fault.SECURITY_MISSING_HEADERS, "security", "Strict-Transport-Security"),
        (Fault.SECURITY_CORS_REFLECTION, "security", "evil.example"),
        (Fault.SECURITY_STACK_TRACE, "security", "a connection string"),
        (Fault.SECURITY_SECRET_IN_JS, "security", "service-role key"),
        (Fault.SECURITY_DEBUG_ROUTES, "security", "/api/debug"),
        (Fault.SECURITY_RLS_OPEN, "security", "strangers can read receipts"),
        (Fault.PAGE_HEAVY, "performance", "the page weighs"),
        (Fault.COMPRESSION_OFF, "performance", "is not compressed"),
        (Fault.BACKUP_STALE, "backup", "old"),
        (Fault.BACKUP_EMPTY, "backup", "0 B"),
        (Fault.BACKUP_TRUNCATED, "backup", "not whole"),
        (Fault.BACKUP_SHRUNK, "backup", "of the size of the one before"),
        (Fault.APP_DOWN, "post", "refused"),
        (Fault.HEALTH_MISSING, "post", "not_found"),
        (Fault.HEALTH_FROZEN_TIMESTAMP, "post", "stale"),
        (Fault.HEALTH_CACHED, "post", "cached"),
        (Fault.AGENT_200_WITH_ERROR, "agent", "error_in_200"),
        (Fault.AGENT_BARE_COMPLETE, "agent", "bare_complete"),
        (Fault.AGENT_WRONG_AMOUNT, "agent", "SQL says"),
        (Fault.AGENT_UNVALIDATED_INPUT, "agent", "1001 characters"),
        (Fault.SECURITY_OBJECT_ACCESS, "agent", "another's /api/receipts"),
        (Fault.METRICS_404, "agent", "not_found"),
    ],
)
async def test_what_is_broken_is_named(
    platform: Platform, fault: Fault, name: str, says: str
) -> None:
    await platform.faults.on(fault.value)
    lines = await fly(platform, name)
    assert any(says in line.detail for line in failing(lines)), lines
    for secret in (platform.identity.openai_key, platform.identity.database_password):
        assert secret not in repr(lines)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DATABASE_URL", "", "it is not set"),
        ("DATABASE_URL", "postgresql://username:password@host:port/database", "placeholder"),
        ("DATABASE_URL", "mysql://u:p@db/steward", "begins with mysql://"),
        ("DATABASE_URL", "postgresql://u:p@db:6543/steward", "pgbouncer=true"),
        ("DIRECT_URL", "postgresql://u:p@db:6543/s?pgbouncer=true", "direct port"),
        ("SUPABASE_URL", "https://your-project.supabase.co", "placeholder"),
        ("SUPABASE_ANON_KEY", "not-a-key", "no key for the role anon"),
        ("SUPABASE_SERVICE_ROLE_KEY", "not-a-key", "no key for the role service_role"),
        ("OPENAI_API_KEY", "sk-your_openai_api_key", "placeholder"),
        ("OPENAI_API_KEY", "abc", "begin with sk-"),
        ("NEXT_PUBLIC_APP_URL", "http://steward.example", "https://"),
        ("NODE_ENV", "development", "expected production"),
        ("LOG_LEVEL", "debug", "too much for production"),
        ("SENTRY_DSN", "https://sentry.example/1", "a DSN is written"),
    ],
)
async def test_a_variable_that_cannot_be_right(
    platform: Platform, name: str, value: str, says: str
) -> None:
    lines = await fly(platform, "env", **{name: value})
    (line,) = failing(lines)
    assert (line.check, says in line.detail) == (name, True), line
    assert not value or name in ("NODE_ENV", "LOG_LEVEL") or value not in line.detail


@pytest.mark.parametrize(
    ("given", "verdict", "says"),
    [
        ("2020-01-01", FAIL, "at most 90 wanted"),
        ("2999-01-01", FAIL, "in the future"),
        ("soon", FAIL, "no day such as"),
    ],
)
async def test_a_key_that_is_not_fresh_is_named(
    platform: Platform, given: str, verdict: Verdict, says: str
) -> None:
    lines = await fly(platform, "security", OPENAI_API_KEY_ROTATED_AT=given)
    (line,) = [one for one in lines if one.check == "OPENAI_API_KEY is fresh"]
    assert (line.verdict, says in line.detail) == (verdict, True), line


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (None, ""),
        (Fault.CERTIFICATE_EXPIRED, "expired"),
        (Fault.CERTIFICATE_WRONG_NAME, "other names"),
    ],
)
async def test_the_certificate_of_an_app_on_tls_is_judged(
    platform: Platform, fault: Fault | None, says: str
) -> None:
    if fault is not None:
        await platform.faults.on(fault.value)
    lines = await fly(platform, "security", NEXT_PUBLIC_APP_URL=platform.app_tls_url)
    (line,) = [one for one in lines if one.check == "the certificate of NEXT_PUBLIC_APP_URL"]
    assert line.verdict is (PASS if fault is None else FAIL), line
    assert says in line.detail


async def test_the_service_key_in_the_browsers_place(platform: Platform) -> None:
    key = platform.identity.service_role_key
    lines = await fly(platform, "env", SUPABASE_ANON_KEY=key, NEXT_PUBLIC_SUPABASE_KEY=key)
    assert {line.check for line in failing(lines)} == {
        "SUPABASE_ANON_KEY",
        "NEXT_PUBLIC_SUPABASE_KEY",
    }
    assert key not in repr(lines)


async def test_what_costs_others_something_runs_when_it_is_named(platform: Platform) -> None:
    await platform.backups.make()  # the tests before this one have added rows
    scratch = platform.database.server.url_of("postgres")
    (well,) = await fly(platform, "restore", SCRATCH_DATABASE_URL=scratch)
    assert (well.verdict, "rows" in well.detail) == (PASS, True), well
    (unset,) = await fly(platform, "restore")
    assert (unset.verdict, "SCRATCH_DATABASE_URL" in unset.detail) == (UNKNOWN, True)
    await platform.faults.on(Fault.BACKUP_TRUNCATED.value)
    (cut,) = await fly(platform, "restore", SCRATCH_DATABASE_URL=scratch)
    assert cut.verdict is FAIL, cut
    (unlimited,) = await fly(platform, "burst")
    assert (unlimited.verdict, "no rate limit" in unlimited.detail) == (FAIL, True), unlimited


async def test_another_version_than_the_expected_one(platform: Platform) -> None:
    (line,) = failing(await fly(platform, "post", version="2.0.0"))
    assert line.detail == "wrong_answer: version 1.4.2 answers, expected 2.0.0"


async def test_every_name_is_a_list_or_a_part() -> None:
    assert set(NAMES) == set(LISTS) | set(PARTS)
    assert all(one in LISTS for parts in PARTS.values() for one in parts)


async def test_a_platform_that_never_answers_takes_less_than_ten_seconds() -> None:
    async with serving(hangs) as server:
        place = f"127.0.0.1:{server.port}"
        environ = {
            "DATABASE_URL": f"postgresql://u:p@{place}/app",
            "SUPABASE_URL": f"http://{place}",
            "SUPABASE_ANON_KEY": "sb_publishable_anything",
            "OPENAI_BASE_URL": f"http://{place}/v1",
            "OPENAI_STATUS_URL": f"http://{place}",
            "OPENAI_API_KEY": "sk-" + "a" * 30,
            "NEXT_PUBLIC_APP_URL": f"http://{place}",
            "SUPABASE_ACCESS_TOKEN": "sbp_anything",
            "SUPABASE_API_URL": f"http://{place}",
        }
        started = CLOCK.monotonic()
        lines = await preflight(["all"], Flight(environ=environ, shared=Context(clock=CLOCK)))
        took = CLOCK.monotonic() - started
    assert took < 10
    assert not [line for line in lines if line.verdict is PASS and line.list != "env"]
    assert len(failing(lines)) > 10
