"""Rows that point to nothing: what a foreign key would forbid where there is none."""

from __future__ import annotations

from typing import Final

from psycopg import sql

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, Reference
from stewardmon.probes.postgres_session import Session

# From the catalogue: to_regclass fails where the schema may not be looked into.
_READABLE: Final = """
SELECT c.oid::regclass IS NOT NULL AS there
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped
WHERE c.relname = %(table)s AND (n.nspname = %(schema)s OR %(schema)s = '' AND
    n.nspname = ANY (current_schemas(false) || 'public'::name))
  AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
"""


async def orphans(talk: Session, settings: CheckSettings) -> Found:
    """Which rows belong to somebody who is not there?"""
    measurements: list[Measurement] = []
    findings: list[str] = []
    for one in settings.references:
        for table, column in ((one.table, one.column), (one.to, one.to_column)):
            if not await _readable(talk, table, column):
                why = f"there is no {table}.{column}, or it may not be read"
                return Found(tuple(measurements), tuple(findings), absent=why)
        count = (await talk.row(_orphans(one)))["count"]
        label = {"rule": f"orphans_of_{one.table}"}
        measurements.append(Measurement("stewardmon_data_findings", float(count), label))
        if count:
            findings.append(
                f"{count} rows of {one.table} have a {one.column} that is not in {one.to}"
            )
    return Found(tuple(measurements), tuple(findings))


async def _readable(talk: Session, table: str, column: str) -> bool:
    schema, _, name = table.rpartition(".")
    values = {"schema": schema, "table": name, "column": column}
    return bool(await talk.row(_READABLE, values))


def _orphans(one: Reference) -> str:
    query = sql.SQL(
        "SELECT count(*) AS count FROM {table} AS t WHERE t.{column} IS NOT NULL"
        " AND NOT EXISTS (SELECT FROM {to} AS o WHERE o.{to_column} = t.{column})"
    )
    return query.format(
        table=sql.Identifier(*one.table.split(".")),
        column=sql.Identifier(one.column),
        to=sql.Identifier(*one.to.split(".")),
        to_column=sql.Identifier(one.to_column),
    ).as_string()
