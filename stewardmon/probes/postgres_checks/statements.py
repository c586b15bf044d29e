"""Which statements take the time, from pg_stat_statements."""

from __future__ import annotations

from typing import Final

from psycopg.rows import DictRow

from stewardmon.domain.outcome import Measurement
from stewardmon.domain.redact import excerpt
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, seconds
from stewardmon.probes.postgres_session import Session

_THERE: Final = """
SELECT (SELECT n.nspname FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
  WHERE e.extname = 'pg_stat_statements') AS schema
"""

# By total time: a bounded set that stays the same from one ask to the next. There is no percentile
# in it, so mean + 2σ stands for what a slow call takes.
_SLOWEST: Final = """
SELECT queryid::text AS id, query, calls, total_exec_time / 1000 AS total,
  mean_exec_time / 1000 AS mean, (mean_exec_time + 2 * stddev_exec_time) / 1000 AS slow,
  max_exec_time / 1000 AS longest
FROM {schema}.pg_stat_statements
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND queryid IS NOT NULL AND toplevel
ORDER BY total_exec_time DESC LIMIT 10
"""


async def slowest(talk: Session) -> list[DictRow] | None:
    """Return the ten statements that took the most time in all, None without the extension.

    Columns: id, query, calls, and in seconds total, mean, slow and longest.
    """
    schema = (await talk.row(_THERE))["schema"]
    if schema is None:
        return None
    quoted = '"' + schema.replace('"', '""') + '"'
    return await talk.rows(_SLOWEST.format(schema=quoted))


async def statements(talk: Session, settings: CheckSettings) -> Found:
    """Which ten statements took the most time in all, and how long does a call of each take?"""
    rows = await slowest(talk)
    if rows is None:
        return Found(absent="the extension pg_stat_statements is not installed")
    measurements: list[Measurement] = []
    findings: list[str] = []
    for row in rows:
        label = {"queryid": row["id"]}
        measurements += [
            Measurement("pg_stat_statements_seconds_total", row["total"], label),
            Measurement("pg_stat_statements_calls_total", float(row["calls"]), label),
            Measurement("stewardmon_pg_statement_mean_seconds", row["mean"], label),
            Measurement("stewardmon_pg_statement_slow_seconds", row["slow"], label),
            Measurement("stewardmon_pg_statement_max_seconds", row["longest"], label),
        ]
        if row["mean"] > seconds(settings.limits.statement_mean):
            text = excerpt(row["query"], 80)
            findings.append(
                f"a call takes {row['mean'] * 1000:.0f} ms on average (mean + 2σ"
                f" {row['slow'] * 1000:.0f} ms, longest {row['longest'] * 1000:.0f} ms): {text}"
            )
    return Found(tuple(measurements), tuple(findings))
