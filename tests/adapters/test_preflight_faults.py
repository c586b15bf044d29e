"""Every fault of the simulated platform: the process `stewardmon preflight` says no, and why."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Final

import pytest

from stewardmon.demo.catalogue import HARMLESS, Fault
from stewardmon.demo.logs import Logs
from stewardmon.demo.platform import Platform
from stewardmon.rehearsal.checks.flight import IDLE
from tests.support.preflighting import PASS, called, failing, fly, variables
from tests.support.waiting import until_async

pytestmark = pytest.mark.asyncio(loop_scope="module")
F = Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How a fault is brought about and looked at, where it takes more than switching it on.

    `timeout` is what a question waits, in seconds: what it costs where an answer never comes.
    `limit` is how many questions a user may ask in a minute. `more` are variables, `along` what
    must be broken besides: a lie shows beside something that is broken only.
    """

    timeout: float = 6
    numbers: Mapping[str, float] = field(default_factory=dict)
    tls: bool = False
    limit: int | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    along: Fault | None = None


PLAIN: Final = How()
BRIEF: Final = How(timeout=0.5)
TLS: Final = How(tls=True)
LYING: Final = How(along=F.DATABASE_REFUSING)
SLOW: Final = How(timeout=2.5, numbers={"seconds": 2.05})

# Each fault: the list that must name it, what must stand in a line that fails, and how.
SEEN: Final[Mapping[Fault, tuple[str, str, How]]] = {
    F.APP_DOWN: ("post", "refused", PLAIN),
    F.APP_ERROR_SHARE: ("post", "500", How(numbers={"share": 1})),
    F.APP_SLOW: ("performance", "at most 2000 ms wanted", SLOW),
    F.APP_HANGING: ("post", "no answer within", BRIEF),
    F.APP_RESET: ("post", "cut the connection", PLAIN),
    F.APP_GARBAGE: ("post", "does not speak HTTP", PLAIN),
    F.APP_DRIP: ("post", "no answer within", BRIEF),
    F.APP_REDIRECT_LOOP: ("post", "redirects", PLAIN),
    F.HEALTH_FROZEN_TIMESTAMP: ("post", "timestamp is", PLAIN),
    F.HEALTH_LIES: ("post", "it says healthy, but", LYING),
    F.HEALTH_SHAPE_C: ("post", "it says healthy, but", LYING),
    F.HEALTH_CACHED: ("post", "cache", PLAIN),
    F.HEALTH_MISSING: ("post", "answered 404", PLAIN),
    F.RATE_LIMIT_MISMATCH: ("agent", "limit", How(limit=10)),
    F.COMPRESSION_OFF: ("performance", "is not compressed", PLAIN),
    F.PAGE_HEAVY: ("performance", "the page weighs", PLAIN),
    F.METRICS_401: ("agent", "auth", PLAIN),
    F.METRICS_404: ("agent", "not_found", PLAIN),
    F.METRICS_429: ("agent", "429", PLAIN),
    F.METRICS_500: ("agent", "500", PLAIN),
    F.AGENT_200_WITH_ERROR: ("agent", "error_in_200", PLAIN),
    F.AGENT_BARE_COMPLETE: ("agent", "bare_complete", PLAIN),
    F.AGENT_TRUNCATED_STREAM: ("agent", "incomplete", PLAIN),
    F.AGENT_BUFFERED_STREAM: ("agent", "all at once", PLAIN),
    F.AGENT_WRONG_AMOUNT: ("agent", "SQL says", PLAIN),
    F.AGENT_GATEWAY_TIMEOUT: ("agent", "504", PLAIN),
    F.AGENT_UNVALIDATED_INPUT: ("agent", "1001 characters", PLAIN),
    F.CACHE_TTL_SHORT: ("cache", "left the cache within 4s", PLAIN),
    F.CACHE_TTL_LONG: ("cache", "still cached after", PLAIN),
    F.CACHE_CROSS_USER: ("cache", "another user is given", PLAIN),
    F.DATABASE_DOWN: ("db", "refused", PLAIN),
    F.DATABASE_REFUSING: ("db", "auth", PLAIN),
    F.DATABASE_WRONG_PASSWORD: ("db", "refuses the user or the password", PLAIN),
    F.DATABASE_OUT_OF_CONNECTIONS: ("db", "no connection left", PLAIN),
    F.DATABASE_READ_ONLY: ("db", "takes no writes", PLAIN),
    F.DATABASE_FROZEN: ("db", "timeout", BRIEF),
    F.DATABASE_SLOW: ("db", "at most 500 ms wanted", How(timeout=4.8, numbers={"seconds": 0.51})),
    F.DATABASE_RESET: ("db", "cut the connection", PLAIN),
    F.DATABASE_CUT: ("db", "cut the connection", PLAIN),
    F.DATABASE_TRICKLE: ("db", "no answer within", BRIEF),
    F.DATABASE_BLOCKED: ("db", "for a lock of", PLAIN),
    F.DATABASE_LOCKED_TABLE: ("db", "could not be checked", PLAIN),
    F.DATABASE_IDLE_TRANSACTION: ("db", "idle in transaction", PLAIN),
    F.DATABASE_INVALID_INDEX: ("db", "is not valid", PLAIN),
    F.DATABASE_MISSING_INDEX: ("db", "no valid index", PLAIN),
    F.DATABASE_MISSING_TABLE: ("db", "no table receipts", PLAIN),
    F.DATABASE_FAILED_MIGRATION: ("db", "migration", PLAIN),
    F.DATABASE_MIGRATION_DRIFT: ("db", "is not what the source holds", PLAIN),
    F.DATABASE_DEAD_TUPLES: ("db", "dead rows", PLAIN),
    F.DATABASE_INACTIVE_SLOT: ("db", "nobody reads the replication slot", PLAIN),
    F.DATABASE_NO_RIGHTS: ("db", "could not be checked", PLAIN),
    F.DATA_NEGATIVE_TOTAL: ("db", "below zero", PLAIN),
    F.DATA_STUCK_RECEIPT: ("db", "stuck", PLAIN),
    F.DATA_FUTURE_DATE: ("db", "in the future", PLAIN),
    F.DATA_ORPHAN: ("db", "that is not in auth.users", PLAIN),
    F.DATA_UNVALIDATED_CONSTRAINT: ("db", "never validated", PLAIN),
    F.OPENAI_KEY: ("openai", "the key is refused", PLAIN),
    F.OPENAI_QUOTA: ("openai", "quota", PLAIN),
    F.OPENAI_RATE: ("openai", "rate limit", PLAIN),
    F.OPENAI_PROVIDER: ("openai", "500", PLAIN),
    F.OPENAI_UNAVAILABLE: ("openai", "503", PLAIN),
    F.OPENAI_TIMEOUT: ("openai", "no answer within", BRIEF),
    F.OPENAI_DOWN: ("openai", "refused", PLAIN),
    F.OPENAI_BAD_REQUEST: ("openai", "400", PLAIN),
    F.OPENAI_MODEL_MISSING: ("openai", "gpt-4o-mini", PLAIN),
    F.OPENAI_SLOW_FIRST_TOKEN: ("openai", "at most 2000 ms wanted", SLOW),
    F.OPENAI_STALLED_STREAM: ("openai", "no answer within", BRIEF),
    F.OPENAI_BROKEN_STREAM: ("openai", "incomplete", PLAIN),
    F.OPENAI_MISSING_HEADERS: ("openai", "headroom cannot be watched", PLAIN),
    F.OPENAI_LOW_HEADROOM: ("openai", "is left", PLAIN),
    F.OPENAI_RETIRED_MODEL: ("openai", "is switched off in", PLAIN),
    F.OPENAI_INCIDENT: ("openai", "Chat Completions", PLAIN),
    F.OPENAI_COST_SPIKE: ("openai", "a usual day", PLAIN),
    F.SUPABASE_AUTH_DOWN: ("auth", "503", PLAIN),
    F.SUPABASE_REST_DOWN: ("auth", "503", PLAIN),
    F.SUPABASE_STORAGE_DOWN: ("auth", "503", PLAIN),
    F.CERTIFICATE_EXPIRING: ("security", "days", TLS),
    F.CERTIFICATE_EXPIRED: ("security", "expired", TLS),
    F.CERTIFICATE_WRONG_NAME: ("security", "other names", TLS),
    F.CERTIFICATE_UNTRUSTED: ("security", "issuer", TLS),
    F.SECURITY_MISSING_HEADERS: ("security", "Strict-Transport-Security", PLAIN),
    F.SECURITY_CORS_REFLECTION: ("security", "evil.example", PLAIN),
    F.SECURITY_STACK_TRACE: ("security", "a connection string", PLAIN),
    F.SECURITY_RLS_OPEN: ("security", "strangers can read receipts", PLAIN),
    F.SECURITY_SECRET_IN_JS: ("security", "service-role key", PLAIN),
    F.SECURITY_DEBUG_ROUTES: ("security", "/api/debug", PLAIN),
    F.SECURITY_AUTH_BYPASS: ("auth", "without a session", PLAIN),
    F.SECURITY_OBJECT_ACCESS: ("agent", "another's /api/receipts", PLAIN),
    F.SECURITY_INSECURE_COOKIE: ("auth", "lacks Secure", PLAIN),
    F.BACKUP_STALE: ("backup", "old", PLAIN),
    F.BACKUP_EMPTY: ("backup", "0 B", PLAIN),
    F.BACKUP_TRUNCATED: ("backup", "not whole", PLAIN),
    F.BACKUP_SHRUNK: ("backup", "of the size of the one before", PLAIN),
    F.SENTRY_DOWN: ("monitoring", "503", PLAIN),
    F.SENTRY_STALE: ("monitoring", "stale", How(more={"PLATFORM_SENTRY_MAX_AGE": "24h"})),
    F.LOGS_STALE: ("monitoring", "application", PLAIN),
    F.LOGS_ERRORS: ("monitoring", "errors", PLAIN),
    F.LOGS_SECRET: ("monitoring", "key", PLAIN),
    F.LOGS_UNSTRUCTURED: ("monitoring", "have the fields", PLAIN),
}

# CI tries them all, `make test` one a list: each is a process, which takes a second to start.
ALL: Final = os.environ.get("STEWARDMON_MATRIX") == "all"
TRIED: Final = SEEN if ALL else {name: fault for fault, (name, _, _) in SEEN.items()}.values()


async def test_every_fault_that_is_one_is_seen() -> None:
    assert set(SEEN) == set(Fault) - HARMLESS


@pytest.mark.parametrize("fault", TRIED)
async def test_a_fault_makes_it_exit_1_and_is_named(platform: Platform, fault: Fault) -> None:
    name, says, how = SEEN[fault]
    platform.limits.per_user = how.limit
    await platform.faults.on(fault.value, **how.numbers)
    if how.along is not None:
        await platform.faults.on(how.along.value)
    if fault is F.DATABASE_IDLE_TRANSACTION:
        await until_async(partial(idles, platform), what="a session that idles too long")
    write_logs(platform)
    more = {"NEXT_PUBLIC_APP_URL": platform.app_tls_url} if how.tls else {**how.more}
    if name == "security":
        more["PROJECT_DIR"] = ""  # npm takes a second to start, and sees none of this
    environ = {**variables(platform), **more}
    code, out, err = await called("preflight", name, "--timeout", f"{how.timeout}", environ=environ)
    assert (code, err) == (1, ""), out
    noes = [line for line in out.splitlines() if line.startswith("  fail")]
    assert any(says in line for line in noes), out
    assert out.endswith(": no\n")
    for secret in (platform.identity.openai_key, platform.identity.database_password):
        assert secret not in out


@pytest.mark.parametrize("fault", sorted(HARMLESS)[: None if ALL else 1])
async def test_what_is_no_fault_fails_nothing(platform: Platform, fault: Fault) -> None:
    await platform.faults.on(fault.value)
    words = ("preflight", "post", "--version", "1.4.2")
    code, out, _ = await called(*words, environ=variables(platform))
    noes = [line for line in out.splitlines() if line.startswith("  fail")]
    # A benchmark may be missed for this machine's load alone.
    assert [line for line in noes if "ms wanted" not in line] == []
    assert (code, out.endswith(", 0 unknown: go\n")) == (bool(noes), not noes), out
    assert "\n  pass     health " in out


async def test_health_that_lies_does_not_hide_what_is_broken(platform: Platform) -> None:
    for fault in (Fault.HEALTH_LIES, Fault.DATABASE_REFUSING, Fault.OPENAI_KEY):
        await platform.faults.on(fault.value)
    lines = await fly(platform, "post", "db", "openai")
    assert [line.verdict for line in lines if line.check == "health"] == [PASS]
    assert {"db", "openai"} <= {line.list for line in failing(lines)}


def write_logs(platform: Platform) -> None:
    """Let the streams begin anew under the fault that is on, an hour ago where they went silent."""
    silent = timedelta(hours=1) if Fault.LOGS_STALE in platform.faults else timedelta(0)
    logs = Logs(
        platform.log_dir,
        faults=platform.faults,
        identity=platform.identity,
        deployment=platform.deployment,
        now=lambda: platform.now() - silent,
    )
    for file in platform.log_dir.iterdir():
        file.unlink()
    logs.make()
    for _ in range(20):
        logs.request("/", 200, 0.1)


async def idles(platform: Platform) -> bool:
    """Say whether a session has idled in its transaction for longer than is put up with."""
    stuck = (
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        " AND state_change < clock_timestamp() - %s"
    )
    async with await platform.database.admin() as admin:
        found = await (await admin.execute(stuck, [IDLE])).fetchone()
    return bool(found and found[0])
