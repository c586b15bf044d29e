"""What went wrong with a database, told apart: PostgreSQL's, pgbouncer's and Supavisor's words."""

from __future__ import annotations

import re
from typing import Final

import psycopg

from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.failure import Failure

# SQLSTATE, or its class, to reason (PostgreSQL documentation, appendix A).
_STATES: Final = {
    "53300": Reason.TOO_MANY_CONNECTIONS,
    "57P01": Reason.STARTING,
    "57P02": Reason.STARTING,
    "57P03": Reason.STARTING,
    "57014": Reason.SLOW,
    "55P03": Reason.SLOW,
    "25006": Reason.READ_ONLY,
    "42501": Reason.PERMISSION,
    "3D000": Reason.MISSING,
    "42P01": Reason.MISSING,
    "28": Reason.AUTH,
    "08": Reason.RESET,
}

# A failed start-up carries no SQLSTATE through libpq, only words: PostgreSQL's own, those of the
# system, of pgbouncer 1.25 and of Supavisor. The first that is found decides.
_WORDS: Final = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (
            Reason.TOO_MANY_CONNECTIONS,
            r"too many (?:clients|connections)|connection slots are reserved"
            r"|no more connections allowed|max client connections reached|query_wait_timeout"
            r"|remaining connection slots|too many database connections|maxclientsinsession",
        ),
        (
            Reason.STARTING,
            r"is (?:starting up|shutting down|in recovery mode)|not (?:yet )?accepting connections"
            r"|terminating connection due to (?:administrator command|crash)|hot standby mode",
        ),
        (
            Reason.AUTH,
            r"password authentication failed|no pg_hba\.conf entry|no password supplied"
            r"|role \".*\" (?:does not exist|is not permitted to log in)|sasl authentication failed"
            r"|tenant or user not found|wrong password|no such user|authentication .{0,40}failed"
            r"|fe_sendauth|pg_hba\.conf rejects",
        ),
        (Reason.PERMISSION, r"permission denied|not have connect privilege"),
        (Reason.MISSING, r"database \".*\" does not exist|no such database"),
        (Reason.SETUP, r"bouncer config error"),
        (Reason.CERTIFICATE, r"certificate verify failed|server certificate for|root certificate"),
        (
            Reason.TLS,
            r"does not support ssl|ssl error|tlsv1|ssl connection (?:is required|has been closed)",
        ),
        (Reason.REFUSED, r"connection refused|is the server running"),
        (Reason.DNS, r"translate host name|failed to resolve host"),
        (Reason.UNREACHABLE, r"no route to host|network is unreachable|host is down"),
        (Reason.TIMEOUT, r"timeout expired|timed out"),
        (
            Reason.PROTOCOL,
            r"invalid response to ssl|expected authentication request|unexpected message"
            r"|lost synchronization|invalid length|unsupported frontend protocol|received invalid",
        ),
        (
            Reason.RESET,
            r"closed the connection|connection reset|broken pipe|eof detected|connection is lost"
            r"|consuming input failed|server conn crashed",
        ),
        (Reason.READ_ONLY, r"read-only|session is not read-write"),
    )
)

_SENTENCES: Final = {
    Reason.TOO_MANY_CONNECTIONS: "{where} has no connection left",
    Reason.STARTING: "{where} is starting up or shutting down",
    Reason.AUTH: "{where} refuses the user or the password",
    Reason.PERMISSION: "{where} denies the user what the probe needs",
    Reason.MISSING: "{where} has no such database, role or table",
    Reason.SETUP: "the pooler at {where} knows no such database or user",
    Reason.CERTIFICATE: "the certificate of {where} is not trusted here",
    Reason.TLS: "no TLS connection with {where}",
    Reason.REFUSED: "nothing listens on {where}: connection refused",
    Reason.DNS: "the name in {where} could not be resolved",
    Reason.UNREACHABLE: "no route to {where}",
    Reason.TIMEOUT: "{where} did not answer the connection attempt",
    Reason.PROTOCOL: "{where} does not speak PostgreSQL's protocol",
    Reason.RESET: "{where} cut the connection",
    Reason.READ_ONLY: "{where} takes no writes",
    Reason.SLOW: "{where} did not finish a query within its time",
    Reason.QUERY: "{where} answered with an error",
}
_PLACE: Final = re.compile(r"connection to server at .*? failed: |connection (?:failed|is bad): ")


def failure_of(error: psycopg.Error, where: str) -> Failure:
    """Return what an exception of the driver says about the database at `where`."""
    words = str(error)
    reason = _by_state(error.sqlstate) or _by_words(words) or Reason.QUERY
    # An error in a query has its own text beside the words, which end in an arrow under the place.
    last = error.diag.message_primary or words.strip().rpartition("\n")[2] or words
    said = excerpt(_PLACE.sub("", last).replace("FATAL:", "").replace("ERROR:", ""))
    sentence = _SENTENCES[reason].format(where=where)
    # Class 42 is a query that asks for what is not there or not ours: the setup is at fault.
    ours = (error.sqlstate or "").startswith("42")
    state = State.MISCONFIGURED if ours else State.DOWN
    return Failure(reason, f"{sentence} ({said})" if said else sentence, state=state)


def _by_state(state: str | None) -> Reason | None:
    if not state:
        return None
    return _STATES.get(state) or _STATES.get(state[:2])


def _by_words(words: str) -> Reason | None:
    return next((reason for reason, pattern in _WORDS if pattern.search(words)), None)
