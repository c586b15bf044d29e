"""Every way in which the simulated platform can be broken, by name: a closed list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Area(StrEnum):
    """The part of the platform that a fault strikes."""

    APP = "app"
    AGENT = "agent"
    DATABASE = "database"
    DATA = "data"
    OPENAI = "openai"
    SUPABASE = "supabase"
    SECURITY = "security"
    BACKUP = "backup"
    SENTRY = "sentry"
    LOGS = "logs"


class Fault(StrEnum):
    """The name of a fault, as the command line and the control address spell it."""

    APP_DOWN = "app-down"
    APP_ERROR_SHARE = "app-error-share"
    APP_SLOW = "app-slow"
    APP_HANGING = "app-hanging"
    APP_RESET = "app-reset"
    APP_GARBAGE = "app-garbage"
    APP_DRIP = "app-drip"
    APP_REDIRECT_LOOP = "app-redirect-loop"
    HEALTH_LIES = "health-lies"
    HEALTH_FROZEN_TIMESTAMP = "health-frozen-timestamp"
    HEALTH_CACHED = "health-cached"
    HEALTH_MISSING = "health-missing"
    HEALTH_SHAPE_B = "health-shape-b"
    HEALTH_SHAPE_C = "health-shape-c"
    HEALTH_SHAPE_D = "health-shape-d"
    RATE_LIMIT_MISMATCH = "rate-limit-mismatch"
    COMPRESSION_OFF = "compression-off"
    PAGE_HEAVY = "page-heavy"
    METRICS_401 = "metrics-401"
    METRICS_404 = "metrics-404"
    METRICS_429 = "metrics-429"
    METRICS_500 = "metrics-500"

    AGENT_200_WITH_ERROR = "agent-200-with-error"
    AGENT_BARE_COMPLETE = "agent-bare-complete"
    AGENT_TRUNCATED_STREAM = "agent-truncated-stream"
    AGENT_BUFFERED_STREAM = "agent-buffered-stream"
    AGENT_WRONG_AMOUNT = "agent-wrong-amount"
    AGENT_GATEWAY_TIMEOUT = "agent-gateway-timeout"
    AGENT_UNVALIDATED_INPUT = "agent-unvalidated-input"
    CACHE_TTL_SHORT = "cache-ttl-short"
    CACHE_TTL_LONG = "cache-ttl-long"
    CACHE_CROSS_USER = "cache-cross-user"

    DATABASE_DOWN = "database-down"
    DATABASE_REFUSING = "database-refusing"
    DATABASE_WRONG_PASSWORD = "database-wrong-password"  # noqa: S105 - the name of a fault
    DATABASE_OUT_OF_CONNECTIONS = "database-out-of-connections"
    DATABASE_READ_ONLY = "database-read-only"
    DATABASE_FROZEN = "database-frozen"
    DATABASE_SLOW = "database-slow"
    DATABASE_RESET = "database-reset"
    DATABASE_CUT = "database-cut"
    DATABASE_TRICKLE = "database-trickle"
    DATABASE_BLOCKED = "database-blocked"
    DATABASE_LOCKED_TABLE = "database-locked-table"
    DATABASE_IDLE_TRANSACTION = "database-idle-transaction"
    DATABASE_INVALID_INDEX = "database-invalid-index"
    DATABASE_MISSING_INDEX = "database-missing-index"
    DATABASE_MISSING_TABLE = "database-missing-table"
    DATABASE_FAILED_MIGRATION = "database-failed-migration"
    DATABASE_MIGRATION_DRIFT = "database-migration-drift"
    DATABASE_DEAD_TUPLES = "database-dead-tuples"
    DATABASE_INACTIVE_SLOT = "database-inactive-slot"
    DATABASE_NO_RIGHTS = "database-no-rights"
    DATA_NEGATIVE_TOTAL = "data-negative-total"
    DATA_STUCK_RECEIPT = "data-stuck-receipt"
    DATA_FUTURE_DATE = "data-future-date"
    DATA_ORPHAN = "data-orphan"
    DATA_UNVALIDATED_CONSTRAINT = "data-unvalidated-constraint"

    OPENAI_KEY = "openai-key"
    OPENAI_QUOTA = "openai-quota"
    OPENAI_RATE = "openai-rate"
    OPENAI_PROVIDER = "openai-provider"
    OPENAI_UNAVAILABLE = "openai-unavailable"
    OPENAI_TIMEOUT = "openai-timeout"
    OPENAI_DOWN = "openai-down"
    OPENAI_BAD_REQUEST = "openai-bad-request"
    OPENAI_MODEL_MISSING = "openai-model-missing"
    OPENAI_SLOW_FIRST_TOKEN = "openai-slow-first-token"  # noqa: S105 - the name of a fault
    OPENAI_STALLED_STREAM = "openai-stalled-stream"
    OPENAI_BROKEN_STREAM = "openai-broken-stream"
    OPENAI_MISSING_HEADERS = "openai-missing-headers"
    OPENAI_LOW_HEADROOM = "openai-low-headroom"
    OPENAI_RETIRED_MODEL = "openai-retired-model"
    OPENAI_INCIDENT = "openai-incident"
    OPENAI_COST_SPIKE = "openai-cost-spike"

    SUPABASE_AUTH_DOWN = "supabase-auth-down"
    SUPABASE_REST_DOWN = "supabase-rest-down"
    SUPABASE_STORAGE_DOWN = "supabase-storage-down"

    CERTIFICATE_EXPIRING = "certificate-expiring"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_WRONG_NAME = "certificate-wrong-name"
    CERTIFICATE_UNTRUSTED = "certificate-untrusted"
    SECURITY_MISSING_HEADERS = "security-missing-headers"
    SECURITY_CORS_REFLECTION = "security-cors-reflection"
    SECURITY_STACK_TRACE = "security-stack-trace"
    SECURITY_RLS_OPEN = "security-rls-open"
    SECURITY_SECRET_IN_JS = "security-secret-in-js"  # noqa: S105 - the name of a fault
    SECURITY_DEBUG_ROUTES = "security-debug-routes"
    SECURITY_AUTH_BYPASS = "security-auth-bypass"
    SECURITY_OBJECT_ACCESS = "security-object-access"
    SECURITY_INSECURE_COOKIE = "security-insecure-cookie"

    BACKUP_STALE = "backup-stale"
    BACKUP_EMPTY = "backup-empty"
    BACKUP_TRUNCATED = "backup-truncated"
    BACKUP_SHRUNK = "backup-shrunk"

    SENTRY_DOWN = "sentry-down"
    SENTRY_STALE = "sentry-stale"

    LOGS_STALE = "logs-stale"
    LOGS_ERRORS = "logs-errors"
    LOGS_SECRET = "logs-secret"  # noqa: S105 - the name of a fault
    LOGS_UNSTRUCTURED = "logs-unstructured"


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSpec:
    """One entry of the registry: what it breaks, in a line, and the numbers that shape it."""

    name: Fault
    area: Area
    about: str
    defaults: Mapping[str, float] = field(default_factory=dict)


def _spec(name: Fault, area: Area, about: str, **defaults: float) -> FaultSpec:
    return FaultSpec(name=name, area=area, about=about, defaults=defaults)


F, A = Fault, Area
_ALL: Final = (
    _spec(F.APP_DOWN, A.APP, "nothing listens on the app's port: connections are refused"),
    _spec(F.APP_ERROR_SHARE, A.APP, "a share of all requests answers 500", share=0.3),
    _spec(F.APP_SLOW, A.APP, "a share of all requests takes seconds longer", share=1, seconds=6),
    _spec(F.APP_HANGING, A.APP, "requests are read and never answered"),
    _spec(F.APP_RESET, A.APP, "connections are reset as soon as a request arrives"),
    _spec(F.APP_GARBAGE, A.APP, "the app's port answers bytes that are not HTTP"),
    _spec(F.APP_DRIP, A.APP, "answers drip: one byte every so many seconds", seconds=1),
    _spec(F.APP_REDIRECT_LOOP, A.APP, "every page and path redirects to itself"),
    _spec(F.HEALTH_LIES, A.APP, "/api/health says healthy whatever is broken"),
    _spec(F.HEALTH_FROZEN_TIMESTAMP, A.APP, "/api/health repeats an old timestamp"),
    _spec(F.HEALTH_CACHED, A.APP, "/api/health comes from the edge's cache, with an Age"),
    _spec(F.HEALTH_MISSING, A.APP, "/api/health and its siblings are 404, as HTML"),
    _spec(F.HEALTH_SHAPE_B, A.APP, "health with version and response time; degraded is 503"),
    _spec(F.HEALTH_SHAPE_C, A.APP, "health that a bug makes always healthy"),
    _spec(F.HEALTH_SHAPE_D, A.APP, "health of database, storage, ocr, ai; degraded is 200"),
    _spec(F.RATE_LIMIT_MISMATCH, A.APP, "the rate limit's headers contradict what is enforced"),
    _spec(F.COMPRESSION_OFF, A.APP, "nothing is compressed"),
    _spec(F.PAGE_HEAVY, A.APP, "the JavaScript bundle weighs 3 MB"),
    _spec(F.METRICS_401, A.APP, "agent-metrics answers 401 to a good session"),
    _spec(F.METRICS_404, A.APP, "agent-metrics does not exist"),
    _spec(F.METRICS_429, A.APP, "agent-metrics answers 429 with Retry-After"),
    _spec(F.METRICS_500, A.APP, "agent-metrics answers 500"),
    _spec(F.AGENT_200_WITH_ERROR, A.AGENT, "the agent fails inside a 200", share=1),
    _spec(F.AGENT_BARE_COMPLETE, A.AGENT, "the stream is a bare complete, without a message"),
    _spec(F.AGENT_TRUNCATED_STREAM, A.AGENT, "the stream breaks off in the middle of a line"),
    _spec(F.AGENT_BUFFERED_STREAM, A.AGENT, "the stream arrives all at once, at its end"),
    _spec(F.AGENT_WRONG_AMOUNT, A.AGENT, "the agent's amounts are a tenth too high"),
    _spec(F.AGENT_GATEWAY_TIMEOUT, A.AGENT, "504 FUNCTION_INVOCATION_TIMEOUT from the gateway"),
    _spec(F.AGENT_UNVALIDATED_INPUT, A.AGENT, "bad input is accepted; broken JSON answers 500"),
    _spec(F.CACHE_TTL_SHORT, A.AGENT, "cached answers live 3.6 s where 1 h was meant"),
    _spec(F.CACHE_TTL_LONG, A.AGENT, "cached answers live 6.9 days where 1 h was meant"),
    _spec(F.CACHE_CROSS_USER, A.AGENT, "one user's cached answer is served to another"),
    _spec(F.DATABASE_DOWN, A.DATABASE, "PostgreSQL is stopped"),
    _spec(F.DATABASE_REFUSING, A.DATABASE, "the app's role may no longer log in"),
    _spec(F.DATABASE_WRONG_PASSWORD, A.DATABASE, "the app's password is no longer right"),
    _spec(F.DATABASE_OUT_OF_CONNECTIONS, A.DATABASE, "every connection slot is taken"),
    _spec(F.DATABASE_READ_ONLY, A.DATABASE, "transactions are read-only, as when a disk is full"),
    _spec(F.DATABASE_FROZEN, A.DATABASE, "the network swallows all bytes, in both directions"),
    _spec(F.DATABASE_SLOW, A.DATABASE, "each answer of the database is late", seconds=0.6),
    _spec(F.DATABASE_RESET, A.DATABASE, "connections to the database are reset at once"),
    _spec(F.DATABASE_CUT, A.DATABASE, "connections are cut after some bytes", bytes=200),
    _spec(F.DATABASE_TRICKLE, A.DATABASE, "the database's answers drip by bytes", seconds=0.5),
    _spec(F.DATABASE_BLOCKED, A.DATABASE, "sessions wait for a row lock", waiters=1),
    _spec(F.DATABASE_LOCKED_TABLE, A.DATABASE, "receipts is locked exclusively"),
    _spec(F.DATABASE_IDLE_TRANSACTION, A.DATABASE, "a session idles inside a transaction"),
    _spec(F.DATABASE_INVALID_INDEX, A.DATABASE, "a failed CONCURRENTLY left an invalid index"),
    _spec(F.DATABASE_MISSING_INDEX, A.DATABASE, "the index on user and date is gone"),
    _spec(F.DATABASE_MISSING_TABLE, A.DATABASE, "the receipts table is gone"),
    _spec(F.DATABASE_FAILED_MIGRATION, A.DATABASE, "a migration failed half-way"),
    _spec(F.DATABASE_MIGRATION_DRIFT, A.DATABASE, "an applied migration's checksum changed"),
    _spec(F.DATABASE_DEAD_TUPLES, A.DATABASE, "vacuum does not keep up", rows=3000),
    _spec(F.DATABASE_INACTIVE_SLOT, A.DATABASE, "a replication slot that nobody reads"),
    _spec(F.DATABASE_NO_RIGHTS, A.DATABASE, "the monitoring role lost its rights"),
    _spec(F.DATA_NEGATIVE_TOTAL, A.DATA, "a receipt with a negative total"),
    _spec(F.DATA_STUCK_RECEIPT, A.DATA, "a receipt that has been processing for hours", hours=3),
    _spec(F.DATA_FUTURE_DATE, A.DATA, "a receipt bought in the future", days=40),
    _spec(F.DATA_ORPHAN, A.DATA, "a receipt of a user who is not there"),
    _spec(F.DATA_UNVALIDATED_CONSTRAINT, A.DATA, "a constraint that is NOT VALID"),
    _spec(F.OPENAI_KEY, A.OPENAI, "401 invalid_api_key: the key was revoked"),
    _spec(F.OPENAI_QUOTA, A.OPENAI, "429 insufficient_quota: the credit is used up"),
    _spec(F.OPENAI_RATE, A.OPENAI, "429 rate_limit_exceeded with Retry-After", seconds=20),
    _spec(F.OPENAI_PROVIDER, A.OPENAI, "500 server_error", share=1),
    _spec(F.OPENAI_UNAVAILABLE, A.OPENAI, "503: the engine is overloaded", share=1),
    _spec(F.OPENAI_TIMEOUT, A.OPENAI, "requests are read and never answered"),
    _spec(F.OPENAI_DOWN, A.OPENAI, "connections are refused"),
    _spec(F.OPENAI_BAD_REQUEST, A.OPENAI, "400 unsupported_parameter on every completion"),
    _spec(F.OPENAI_MODEL_MISSING, A.OPENAI, "the app's model is gone: 404 model_not_found"),
    _spec(F.OPENAI_SLOW_FIRST_TOKEN, A.OPENAI, "the first chunk comes late", seconds=8),
    _spec(F.OPENAI_STALLED_STREAM, A.OPENAI, "a stream stops after two chunks and stays open"),
    _spec(F.OPENAI_BROKEN_STREAM, A.OPENAI, "a stream breaks off without its end"),
    _spec(F.OPENAI_MISSING_HEADERS, A.OPENAI, "no rate-limit, request or timing headers"),
    _spec(F.OPENAI_LOW_HEADROOM, A.OPENAI, "the rate limit is nearly used up", share=0.02),
    _spec(F.OPENAI_RETIRED_MODEL, A.OPENAI, "the app's model has a shutdown date", days=5),
    _spec(F.OPENAI_INCIDENT, A.OPENAI, "the vendor's status page tells of an incident"),
    _spec(F.OPENAI_COST_SPIKE, A.OPENAI, "today costs many times the usual", factor=6),
    _spec(F.SUPABASE_AUTH_DOWN, A.SUPABASE, "Supabase auth answers 503: nobody can sign in"),
    _spec(F.SUPABASE_REST_DOWN, A.SUPABASE, "Supabase REST answers 503"),
    _spec(F.SUPABASE_STORAGE_DOWN, A.SUPABASE, "Supabase storage answers 503"),
    _spec(F.CERTIFICATE_EXPIRING, A.SECURITY, "the certificate runs out in days", days=3),
    _spec(F.CERTIFICATE_EXPIRED, A.SECURITY, "the certificate ran out days ago", days=1),
    _spec(F.CERTIFICATE_WRONG_NAME, A.SECURITY, "the certificate is for another name"),
    _spec(F.CERTIFICATE_UNTRUSTED, A.SECURITY, "the certificate's issuer is unknown"),
    _spec(F.SECURITY_MISSING_HEADERS, A.SECURITY, "HSTS and others are gone, CSP is unsafe"),
    _spec(F.SECURITY_CORS_REFLECTION, A.SECURITY, "any Origin is reflected, with credentials"),
    _spec(F.SECURITY_STACK_TRACE, A.SECURITY, "error answers show stack frames and a database URL"),
    _spec(F.SECURITY_RLS_OPEN, A.SECURITY, "row level security is off: strangers read receipts"),
    _spec(F.SECURITY_SECRET_IN_JS, A.SECURITY, "the bundle contains the service role's key"),
    _spec(F.SECURITY_DEBUG_ROUTES, A.SECURITY, "debug and test routes answer strangers"),
    _spec(F.SECURITY_AUTH_BYPASS, A.SECURITY, "protected routes answer without a session"),
    _spec(F.SECURITY_OBJECT_ACCESS, A.SECURITY, "a user can fetch another user's receipt"),
    _spec(F.SECURITY_INSECURE_COOKIE, A.SECURITY, "cookies lack Secure, HttpOnly and SameSite"),
    _spec(F.BACKUP_STALE, A.BACKUP, "the newest backup is old", hours=40),
    _spec(F.BACKUP_EMPTY, A.BACKUP, "the newest backup has 0 bytes"),
    _spec(F.BACKUP_TRUNCATED, A.BACKUP, "the newest backup breaks off in its last tenth"),
    _spec(F.BACKUP_SHRUNK, A.BACKUP, "the newest backup is whole but far smaller than before"),
    _spec(F.SENTRY_DOWN, A.SENTRY, "the error tracker answers 503"),
    _spec(F.SENTRY_STALE, A.SENTRY, "the app's newest event is old", hours=72),
    _spec(F.LOGS_STALE, A.LOGS, "the log streams have gone silent"),
    _spec(F.LOGS_ERRORS, A.LOGS, "most log lines are errors", share=0.6),
    _spec(F.LOGS_SECRET, A.LOGS, "log lines contain a key and a mail address"),
    _spec(F.LOGS_UNSTRUCTURED, A.LOGS, "log lines are prose instead of the guide's JSON"),
)
# What is switched on like a fault and is none: shapes of other versions' health, in which all may
# be well. Nobody should be told of them.
HARMLESS: Final = frozenset({F.HEALTH_SHAPE_B, F.HEALTH_SHAPE_D})
SPECS: Final[Mapping[Fault, FaultSpec]] = {spec.name: spec for spec in _ALL}


def list_faults() -> tuple[FaultSpec, ...]:
    """Return every fault there is, in the registry's order."""
    return tuple(SPECS.values())
