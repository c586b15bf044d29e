"""Whether vacuum keeps up: transaction numbers and dead rows."""

from __future__ import annotations

from typing import Final

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_checks.check import CheckSettings, Found
from stewardmon.probes.postgres_session import Session

_WRAPAROUND: Final = """
SELECT datname, age(datfrozenxid) AS age, mxid_age(datminmxid) AS multixact_age
FROM pg_database WHERE datallowconn ORDER BY 2 DESC LIMIT 20
"""

# Autovacuum starts at threshold + scale factor × rows (PostgreSQL documentation, 25.1.6); a table's
# own settings win over the server's.
_DEAD: Final = """
SELECT s.schemaname, s.relname, s.n_dead_tup, s.n_live_tup,
  s.n_dead_tup / greatest(1, o.threshold + o.scale * greatest(c.reltuples, 0)) AS times
FROM pg_stat_user_tables AS s
JOIN pg_class AS c ON c.oid = s.relid
CROSS JOIN LATERAL (SELECT
  coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
    WHERE option_name = 'autovacuum_vacuum_threshold'),
    current_setting('autovacuum_vacuum_threshold'))::float8 AS threshold,
  coalesce((SELECT option_value FROM pg_options_to_table(c.reloptions)
    WHERE option_name = 'autovacuum_vacuum_scale_factor'),
    current_setting('autovacuum_vacuum_scale_factor'))::float8 AS scale) AS o
ORDER BY times DESC, s.n_live_tup DESC LIMIT 20
"""


async def wraparound(talk: Session, settings: CheckSettings) -> Found:
    """How many transactions old is the oldest row that is not frozen, of each database?"""
    measurements: list[Measurement] = []
    findings: list[str] = []
    for row in await talk.rows(_WRAPAROUND):
        label = {"datname": row["datname"]}
        # postgres_exporter's name ends in _seconds, though these are transactions.
        name = "pg_database_wraparound_age_datfrozenxid_seconds"
        measurements.append(Measurement(name, float(row["age"]), label))
        name = "pg_database_wraparound_age_datminmxid_seconds"
        measurements.append(Measurement(name, float(row["multixact_age"]), label))
        if row["age"] > settings.limits.wraparound_age:
            findings.append(f"{row['datname']} is {row['age'] / 1e6:.0f} M transactions unfrozen")
    return Found(tuple(measurements), tuple(findings))


async def dead_tuples(talk: Session, settings: CheckSettings) -> Found:
    """Which tables have many more dead rows than would start an autovacuum?"""
    measurements: list[Measurement] = []
    findings: list[str] = []
    for row in await talk.rows(_DEAD):
        label = {"schemaname": row["schemaname"], "relname": row["relname"]}
        measurements += [
            Measurement("pg_stat_user_tables_n_dead_tup", float(row["n_dead_tup"]), label),
            Measurement("pg_stat_user_tables_n_live_tup", float(row["n_live_tup"]), label),
            Measurement("stewardmon_pg_dead_tuples_ratio", row["times"], label),
        ]
        if row["times"] > settings.limits.dead_tuples:
            findings.append(
                f"{row['relname']} has {row['n_dead_tup']} dead rows,"
                f" {row['times']:.1f} times what starts an autovacuum"
            )
    return Found(tuple(measurements), tuple(findings))
