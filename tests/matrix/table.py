"""The fault matrix: what each fault of the simulated platform makes of the shipped rules.

`fault: {alert: "severity reason"}` are the pages, one incident each; `shown` are alerts that fire
too, and wake nobody: they stand on the incident of their cause. A row without pages is a fault that
must wake nobody, and says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from stewardmon.demo.catalogue import Fault
from tests.matrix.looking import HELD, RENEWED

F: Final = Fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault, how it is switched on, and what must come of it.

    `hangs` are probes that get no answer: they are cut off early. `slow` faults are those whose
    real durations count. `along` is switched on with it, `requests` are asked of the app before
    the look. `ages` are the numbers that grow while the fault lasts; so much `passes` between what
    the cache is asked first and what it says then. `quiet` says why nobody is woken.
    """

    pages: Mapping[str, str] = field(default_factory=dict)
    shown: frozenset[str] = frozenset()
    numbers: Mapping[str, float] = field(default_factory=dict)
    hangs: tuple[str, ...] = ()
    slow: bool = False
    along: tuple[Fault, ...] = ()
    requests: int = 0
    later: timedelta = timedelta(0)
    ages: frozenset[str] = RENEWED
    passes: timedelta = timedelta(0)
    quiet: str = ""


def row(pages: Mapping[str, str], *shown: str, **more: object) -> Row:
    """Return a row."""
    return Row(pages=pages, shown=frozenset(shown), **more)  # type: ignore[arg-type]


def quiet(why: str, **more: object) -> Row:
    """Return the row of a fault that wakes nobody."""
    return Row(quiet=why, **more)  # type: ignore[arg-type]


_ASKED: Final = ("agent", "agent-stream", "agent-contract", "agent-cache")
_AGENTS: Final = (*_ASKED, "agent-metrics")
_APP: Final = ("app", "page", "edge", "security", *_AGENTS)
_APP_BROKEN: Final = ("Agent Broken", "Agent Metrics Unreadable")
_DATABASE_BROKEN: Final = ("High Error Rate", *_APP_BROKEN)
_AI_BROKEN: Final = ("AI Service Down", "High Error Rate", "Agent Broken")
_NO_AI: Final = ("High Error Rate", "Agent Broken")
_GROWS: Final = timedelta(minutes=5)  # of a transaction: an age that only time gives
_DOWN: Final = {"Database Issues": "critical refused"}

MATRIX: Final[Mapping[Fault, Row]] = {
    # The app.
    F.APP_DOWN: row({"High Error Rate": "critical refused"}, *_APP_BROKEN),
    F.APP_ERROR_SHARE: row(
        {"High Error Rate": "critical status"},
        *_APP_BROKEN,
        "Agent Contract Broken",
        numbers={"share": 1},
    ),
    F.APP_SLOW: row(
        {"Slow Response Time": "critical timeout"},
        "High Error Rate",
        "Response Time Above Benchmark",
        slow=True,
    ),
    F.APP_HANGING: row(
        {"Slow Response Time": "critical timeout"},
        "High Error Rate",
        "Response Time Above Benchmark",
        *_APP_BROKEN,
        hangs=_APP,
    ),
    F.APP_RESET: row({"High Error Rate": "critical reset"}, *_APP_BROKEN),
    F.APP_GARBAGE: row({"High Error Rate": "critical protocol"}, *_APP_BROKEN),
    F.APP_DRIP: row(
        {"Slow Response Time": "critical timeout"},
        "High Error Rate",
        "Response Time Above Benchmark",
        *_APP_BROKEN,
        hangs=_APP,
    ),
    F.APP_REDIRECT_LOOP: row(
        {"High Error Rate": "critical redirect"},
        "Agent Metrics Unreadable",
        "Agent Contract Broken",
    ),
    F.HEALTH_LIES: row({**_DOWN, "HealthLies": "warning"}, *_APP_BROKEN, along=(F.DATABASE_DOWN,)),
    F.HEALTH_FROZEN_TIMESTAMP: row({"High Error Rate": "critical stale"}),
    F.HEALTH_CACHED: row({"High Error Rate": "critical cached"}),
    F.HEALTH_MISSING: row({"High Error Rate": "critical not_found"}),
    F.HEALTH_SHAPE_B: quiet("a shape of health, and healthy"),
    F.HEALTH_SHAPE_C: quiet("a shape of health, and healthy"),
    F.HEALTH_SHAPE_D: quiet("a shape of health, and healthy"),
    F.RATE_LIMIT_MISMATCH: row({"Agent Contract Broken": "warning finding"}),
    F.COMPRESSION_OFF: row({"Page Not Compressed": "warning finding"}),
    F.PAGE_HEAVY: row({"Page Too Heavy": "warning finding"}),
    F.METRICS_401: row({"Agent Metrics Unreadable": "warning auth"}),
    F.METRICS_404: quiet("it may not exist (PLATFORM.md, section 1): the figures come by SQL"),
    F.METRICS_429: quiet("it is there, and asks us to come later"),
    F.METRICS_500: row({"Agent Metrics Unreadable": "warning status"}),
    # The agent.
    F.AGENT_200_WITH_ERROR: row({"Agent Broken": "critical error_in_200"}),
    F.AGENT_BARE_COMPLETE: row({"Agent Broken": "critical bare_complete"}),
    F.AGENT_TRUNCATED_STREAM: row({"Agent Broken": "critical incomplete"}),
    F.AGENT_BUFFERED_STREAM: row({"Agent Stream Buffered": "warning slow"}),
    F.AGENT_WRONG_AMOUNT: row({"Agent Amount Wrong": "critical wrong_answer"}),
    F.AGENT_GATEWAY_TIMEOUT: row({"Agent Broken": "critical gateway_timeout"}),
    F.AGENT_UNVALIDATED_INPUT: row({"Agent Contract Broken": "warning finding"}),
    F.CACHE_TTL_SHORT: row({"Agent Cache Wrong": "warning cached"}, passes=timedelta(minutes=30)),
    F.CACHE_TTL_LONG: row({"Agent Cache Wrong": "warning cached"}, passes=timedelta(minutes=75)),
    F.CACHE_CROSS_USER: row({"Users See Others": "critical exposed"}),
    # The database, on the app's path.
    F.DATABASE_DOWN: row(_DOWN, *_DATABASE_BROKEN),
    F.DATABASE_REFUSING: row({"Database Issues": "critical auth"}, *_DATABASE_BROKEN),
    F.DATABASE_WRONG_PASSWORD: row({"Database Issues": "critical auth"}, *_DATABASE_BROKEN),
    F.DATABASE_OUT_OF_CONNECTIONS: row(
        {"Database Issues": "critical too_many_connections"}, *_DATABASE_BROKEN
    ),
    F.DATABASE_READ_ONLY: row({"Database Read Only": "critical read_only"}),
    F.DATABASE_FROZEN: row(
        {"Database Issues": "critical timeout"},
        "High Error Rate",
        "Slow Response Time",
        "Response Time Above Benchmark",
        *_APP_BROKEN,
        hangs=("app", "database", "database-activity", "database-depth", *_AGENTS),
    ),
    F.DATABASE_SLOW: row(
        {"Database Queries Slow": "warning ok"},
        "Response Time Above Benchmark",
        numbers={"seconds": 0.55},  # at 0.6 a busy machine takes the probe over its own 5 s
        slow=True,
        later=timedelta(seconds=30),  # half of five minutes' asks must be slow first
    ),
    F.DATABASE_RESET: row({"Database Issues": "critical reset"}, *_DATABASE_BROKEN),
    F.DATABASE_CUT: row({"Database Issues": "critical reset"}, *_DATABASE_BROKEN),
    F.DATABASE_TRICKLE: row(
        {"Database Issues": "critical timeout"},
        "High Error Rate",
        "Slow Response Time",
        "Response Time Above Benchmark",
        *_APP_BROKEN,
        hangs=("app", "database", "database-activity", "database-depth", *_AGENTS),
    ),
    # Inside it.
    F.DATABASE_BLOCKED: row(
        {
            "Database Sessions Blocked": "warning finding",
            "Database Transaction Stuck": "critical finding",
        },
        "Database Transaction Long",
        later=_GROWS,
        ages=RENEWED | HELD,
    ),
    F.DATABASE_LOCKED_TABLE: row(
        {
            "Database Sessions Blocked": "warning finding",
            "Database Transaction Stuck": "critical finding",
        },
        "Database Transaction Long",
        "Agent Broken",
        later=_GROWS,
        ages=RENEWED | HELD,
        hangs=_ASKED,
    ),
    F.DATABASE_IDLE_TRANSACTION: row(
        {
            "Database Transaction Long": "warning",
            "Database Transaction Stuck": "critical",
        },
        later=_GROWS,
        ages=RENEWED | HELD,
    ),
    F.DATABASE_INVALID_INDEX: row({"Database Index Invalid": "warning finding"}),
    F.DATABASE_MISSING_INDEX: row({"Database Index Missing": "warning finding"}),
    F.DATABASE_MISSING_TABLE: row({"Database Table Missing": "critical finding"}, "Agent Broken"),
    F.DATABASE_FAILED_MIGRATION: row({"Database Migration Failed": "critical finding"}),
    F.DATABASE_MIGRATION_DRIFT: row({"Database Migration Drifted": "warning finding"}),
    F.DATABASE_DEAD_TUPLES: row(
        {"Database Dead Tuples Pile Up": "critical finding"}, "Database Dead Tuples"
    ),
    F.DATABASE_INACTIVE_SLOT: row({"Database Slot Unread": "warning finding"}),
    F.DATABASE_NO_RIGHTS: row({"Database Checks Refused": "warning permission"}),
    F.DATA_NEGATIVE_TOTAL: row({"Database Rows Wrong": "warning finding"}),
    F.DATA_STUCK_RECEIPT: row({"Database Rows Wrong": "warning finding"}),
    F.DATA_FUTURE_DATE: row({"Database Rows Wrong": "warning finding"}),
    F.DATA_ORPHAN: row({"Database Rows Wrong": "warning finding"}),
    F.DATA_UNVALIDATED_CONSTRAINT: row({"Database Constraint Unvalidated": "warning finding"}),
    # The AI provider, by class.
    F.OPENAI_KEY: row({"OpenAI Key Rejected": "critical auth"}, *_AI_BROKEN),
    F.OPENAI_QUOTA: row({"OpenAI Quota Exhausted": "critical quota"}, *_AI_BROKEN),
    F.OPENAI_RATE: row({"OpenAI Rate Limited": "warning rate_limit"}, *_AI_BROKEN),
    F.OPENAI_PROVIDER: row({"AI Service Down": "critical provider"}, *_NO_AI),
    F.OPENAI_UNAVAILABLE: row({"AI Service Down": "critical provider"}, *_NO_AI),
    F.OPENAI_TIMEOUT: row(
        {"AI Service Down": "critical timeout"},
        "Slow Response Time",
        "Response Time Above Benchmark",
        *_NO_AI,
        hangs=("app", "openai", "openai-chat", *_ASKED),
    ),
    F.OPENAI_DOWN: row(
        {"AI Service Down": "critical refused"},
        *_NO_AI,
        "OpenAI Costs Unreadable",  # after an hour, and by then the budget shows it, too
        "Error Budget Burns Fast",
    ),
    # The canary that names the cause asks every four minutes: the agent's failure sends it out.
    F.OPENAI_BAD_REQUEST: row(
        {"OpenAI Misconfigured": "warning request"}, "AI Service Down", "Agent Broken"
    ),
    F.OPENAI_MODEL_MISSING: row(
        {"OpenAI Misconfigured": "warning model"}, "AI Service Down", "Agent Broken"
    ),
    F.OPENAI_SLOW_FIRST_TOKEN: row(
        {"AI Answers Slow": "warning ok"},
        "AI First Token Slow",
        "Agent Question Slow",
        slow=True,
        later=timedelta(minutes=13),  # all of a quarter of an hour's canaries are slow
    ),
    F.OPENAI_STALLED_STREAM: row({"AI Service Down": "critical timeout"}, hangs=("openai-chat",)),
    F.OPENAI_BROKEN_STREAM: row({"AI Service Down": "critical incomplete"}),
    F.OPENAI_MISSING_HEADERS: quiet("headers may be absent: no sample, never 0"),
    F.OPENAI_LOW_HEADROOM: row({"OpenAI Rate Limit Near": "warning"}),
    F.OPENAI_RETIRED_MODEL: row({"OpenAI Model Retires This Week": "critical ok"}),
    F.OPENAI_INCIDENT: row({"Vendor Reports Trouble": "warning provider"}),
    F.OPENAI_COST_SPIKE: row(
        {"OpenAI Budget Spent": "critical ok", "OpenAI Cost Spike": "warning ok"}
    ),
    # The other vendors.
    F.SUPABASE_AUTH_DOWN: row({"Supabase Service Down": "critical status"}, "Sign-in Down"),
    F.SUPABASE_REST_DOWN: row({"Supabase Service Down": "critical status"}),
    F.SUPABASE_STORAGE_DOWN: row({"Supabase Service Down": "critical status"}),
    F.SENTRY_DOWN: row({"Error Tracker Down": "warning status"}),
    F.SENTRY_STALE: row({"Error Tracker Silent": "warning stale"}),
    # What strangers see.
    F.CERTIFICATE_EXPIRING: row({"Certificate Expires": "critical ok"}),
    F.CERTIFICATE_EXPIRED: row(
        {"Certificate Refused": "critical certificate"}, "Certificate Expires"
    ),
    F.CERTIFICATE_WRONG_NAME: row({"Certificate Refused": "critical certificate"}),
    F.CERTIFICATE_UNTRUSTED: row({"Certificate Refused": "critical certificate"}),
    F.SECURITY_MISSING_HEADERS: row({"Security Score Low": "warning finding"}),
    F.SECURITY_CORS_REFLECTION: row({"Strangers Let In": "critical exposed"}),
    F.SECURITY_STACK_TRACE: row({"Strangers Let In": "critical exposed"}),
    F.SECURITY_RLS_OPEN: row({"Row Level Security Open": "critical exposed"}),
    F.SECURITY_SECRET_IN_JS: row({"Strangers Let In": "critical exposed"}),
    F.SECURITY_DEBUG_ROUTES: row({"Security Score Low": "warning finding"}),
    F.SECURITY_AUTH_BYPASS: row(
        {"Strangers Let In": "critical exposed", "Agent Answers Strangers": "critical"}
    ),
    F.SECURITY_OBJECT_ACCESS: row({"Users See Others": "critical exposed"}),
    F.SECURITY_INSECURE_COOKIE: quiet("it costs points of the score-card, too few to wake anybody"),
    # What is kept.
    F.BACKUP_STALE: row({"Backup Too Old": "critical stale"}),
    F.BACKUP_EMPTY: row({"Backup Too Old": "critical empty"}),
    F.BACKUP_TRUNCATED: row({"Backup Not Whole": "critical incomplete"}, "Backup Too Old"),
    F.BACKUP_SHRUNK: row({"Backup Too Old": "critical finding"}),
    F.LOGS_STALE: row(
        {"Log Stream Silent": "warning"}, ages=frozenset(), later=timedelta(minutes=15)
    ),
    F.LOGS_ERRORS: row(
        {"Log Errors High": "warning finding"}, requests=40, later=timedelta(minutes=15)
    ),
    F.LOGS_SECRET: row(
        {"Logs Hold Secrets": "critical exposed", "Logs Hold Personal Data": "warning"}, requests=1
    ),
    F.LOGS_UNSTRUCTURED: row({"Logs Unstructured": "warning body"}, requests=40),
}

#: What is tried without STEWARDMON_MATRIX=all: a fault of every area, and each class of provider.
DAILY: Final = (
    F.APP_DOWN,
    F.HEALTH_LIES,
    F.HEALTH_SHAPE_B,
    F.METRICS_500,
    F.AGENT_200_WITH_ERROR,
    F.AGENT_WRONG_AMOUNT,
    F.CACHE_CROSS_USER,
    F.DATABASE_DOWN,
    F.DATABASE_BLOCKED,
    F.DATABASE_NO_RIGHTS,
    F.OPENAI_KEY,
    F.OPENAI_QUOTA,
    F.OPENAI_RATE,
    F.OPENAI_DOWN,
    F.OPENAI_BAD_REQUEST,
    F.SUPABASE_AUTH_DOWN,
    F.SENTRY_DOWN,
    F.CERTIFICATE_EXPIRED,
    F.SECURITY_AUTH_BYPASS,
    F.BACKUP_TRUNCATED,
    F.LOGS_SECRET,
    F.LOGS_STALE,
)
