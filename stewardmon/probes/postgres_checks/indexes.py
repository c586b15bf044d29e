"""Whether the indexes that queries rely on are there, and whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, WantedIndex
from stewardmon.probes.postgres_session import Session

# A failed CREATE INDEX CONCURRENTLY leaves one that is not valid; one under way is not valid yet.
_INDEXES: Final = """
SELECT i.indexrelid::regclass::text AS name, t.relname AS "table", n.nspname AS schema,
  i.indisvalid AND i.indisready AS valid, i.indpred IS NULL AS whole,
  EXISTS (SELECT FROM pg_stat_progress_create_index AS p
    WHERE p.index_relid = i.indexrelid) AS building,
  (SELECT array_agg(a.attname::text ORDER BY k.place)
    FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE k.place <= i.indnkeyatts) AS columns
FROM pg_index AS i
JOIN pg_class AS t ON t.oid = i.indrelid
JOIN pg_namespace AS n ON n.oid = t.relnamespace
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""
_MOST: Final = 20


async def indexes(talk: Session, settings: CheckSettings) -> Found:
    """Which indexes are broken, and which wanted ones are missing?"""
    rows = await talk.rows(_INDEXES)
    broken = [row["name"] for row in rows if not row["valid"] and not row["building"]]
    measurements = [
        Measurement("stewardmon_pg_indexes_invalid", float(len(broken))),
        *(
            Measurement("stewardmon_pg_index_invalid", 1.0, {"index": name})
            for name in broken[:_MOST]
        ),
    ]
    findings = [f"the index {name} is not valid: drop and build it again" for name in broken]
    for wanted in settings.indexes:
        there = _serves(rows, wanted)
        columns = ", ".join(wanted.columns)
        label = {"table": wanted.table, "columns": columns}
        measurements.append(Measurement("stewardmon_pg_index_missing", float(not there), label))
        if not there:
            findings.append(f"{wanted.table} has no valid index that starts with {columns}")
    return Found(tuple(measurements), tuple(findings[:_MOST]))


def _serves(rows: Sequence[dict[str, Any]], wanted: WantedIndex) -> bool:
    """Say whether some whole index begins with the wanted columns, in their order."""
    return any(
        row["table"] == wanted.table
        and row["valid"]
        and row["whole"]
        and tuple(row["columns"] or ())[: len(wanted.columns)] == wanted.columns
        for row in rows
    )
