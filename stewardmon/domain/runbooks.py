"""The guide's Troubleshooting lists, and which of them a rule's page should carry.

Source: production-deployment-guide.md, "Troubleshooting", sections 1 to 4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

RESPONSE_TIMES: Final = "response-times"
ERROR_RATES: Final = "error-rates"
MEMORY: Final = "memory"
DATABASE: Final = "database"

RUNBOOKS: Final[Mapping[str, tuple[str, ...]]] = {
    RESPONSE_TIMES: (
        "Check: database query performance",
        "Check: cache hit rates",
        "Check: AI service response times",
        "Solution: optimize queries, increase cache, scale resources",
    ),
    ERROR_RATES: (
        "Check: application logs",
        "Check: database connectivity",
        "Check: external service status",
        "Solution: fix code issues, check dependencies; a bad deploy: vercel rollback",
    ),
    MEMORY: (
        "Check: memory usage patterns",
        "Check: memory leaks",
        "Check: cache memory usage",
        "Solution: optimize memory usage, increase resources",
    ),
    DATABASE: (
        "Check: connection pool status",
        "Check: query performance",
        "Check: database load",
        "Solution: optimize queries, scale database",
    ),
}

# What a rule without a runbook of its own is about, by the metrics it asks; first match wins.
_BY_METRIC: Final = (
    (re.compile(r"\b(stewardmon_)?pg_|job=\"database\""), DATABASE),
    (re.compile(r"memory|resident"), MEMORY),
    (re.compile(r"duration_seconds|response_seconds|first_chunk"), RESPONSE_TIMES),
    (re.compile(r"probe_success|gen_ai|openai|error"), ERROR_RATES),
)


def topic(named: str, expr: str) -> str:
    """Return which of the four lists a rule is about: named, or suggested by its metrics.

    Empty where neither says so: a runbook of the rule's own words names none.
    """
    if named:
        return named if named in RUNBOOKS else ""
    return next((name for pattern, name in _BY_METRIC if pattern.search(expr)), "")


def runbook(named: str, expr: str) -> tuple[str, ...]:
    """Return the lines to show: the runbook named, its own text, or the one the metrics suggest."""
    if named and named not in RUNBOOKS:
        return tuple(line.strip() for line in named.splitlines() if line.strip())
    return RUNBOOKS.get(topic(named, expr), ())
