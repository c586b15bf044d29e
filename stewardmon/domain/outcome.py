"""What a probe answers: a state, a reason, what it measured. A failing target is data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from stewardmon.domain.labels import Labels


class State(StrEnum):
    """How the target stands; `unknown` never counts as up."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    MISCONFIGURED = "misconfigured"


class Reason(StrEnum):
    """Why, in a closed vocabulary, so that it can be a metric's label."""

    OK = "ok"
    # Reaching the target
    TIMEOUT = "timeout"
    REFUSED = "refused"
    DNS = "dns"
    UNREACHABLE = "unreachable"
    RESET = "reset"
    TLS = "tls"
    CERTIFICATE = "certificate"
    PROTOCOL = "protocol"
    FORBIDDEN_ADDRESS = "forbidden_address"
    OFFLINE = "offline"
    # What it answered
    STATUS = "status"
    NOT_FOUND = "not_found"
    REDIRECT = "redirect"
    HEADER = "header"
    BODY = "body"
    TOO_LARGE = "too_large"
    STALE = "stale"
    CACHED = "cached"
    SLOW = "slow"
    CONTRADICTION = "contradiction"
    INCOMPLETE = "incomplete"
    WRONG_ANSWER = "wrong_answer"
    EXPOSED = "exposed"
    # How an agent fails inside an answer that looks well
    ERROR_IN_200 = "error_in_200"
    ERROR_LINE = "error_line"
    BARE_COMPLETE = "bare_complete"
    GATEWAY_TIMEOUT = "gateway_timeout"
    # Who we are to it
    AUTH = "auth"
    PERMISSION = "permission"
    QUOTA = "quota"
    RATE_LIMIT = "rate_limit"
    BUDGET = "budget"
    PROVIDER = "provider"
    MODEL = "model"
    REQUEST = "request"
    # Databases
    TOO_MANY_CONNECTIONS = "too_many_connections"
    READ_ONLY = "read_only"
    STARTING = "starting"
    QUERY = "query"
    # What was found
    FINDING = "finding"
    EMPTY = "empty"
    MISSING = "missing"
    SETUP = "setup"
    INTERNAL = "internal"


_UNLABELLED: Final[Mapping[str, str]] = {}  # one for all: most measurements have no labels


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number that a probe learned; the watch loop adds job, instance and probe."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=lambda: _UNLABELLED)


@lru_cache(maxsize=1024)
def usual(name: str, value: float) -> Measurement:
    """Return a measurement that many outcomes have in common: made once, and held once."""
    return Measurement(name, value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer of one probe.

    `detail` is one sentence for people, never with a secret in it; `phases` are seconds by phase
    (resolve, connect, tls, processing, transfer); `findings` are lines for a card or a page.
    `duration` is seconds, set by the caller that owns the timeout.
    """

    state: State
    reason: Reason = Reason.OK
    detail: str = ""
    duration: float = 0.0
    phases: Mapping[str, float] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    findings: tuple[str, ...] = ()

    @property
    def success(self) -> bool:
        """Say whether the target answered as it should: what `probe_success` shows."""
        return self.state is State.UP


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one ask of a probe spends at its target, for the budgets of PLATFORM.md."""

    requests: int = 0
    ai_queries: int = 0
    tokens: int = 0
    connections: int = 0


def identity(*, job: str, instance: str, probe: str) -> Labels:
    """Return the labels that every series of one probe carries."""
    return Labels({"job": job, "instance": instance, "probe": probe})
