"""Whether the schema is what the app was built for: tables, migrations and constraints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from stewardmon.domain.outcome import Measurement
from stewardmon.domain.redact import excerpt
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, has_table
from stewardmon.probes.postgres_session import Session

_MIGRATIONS: Final = """
SELECT migration_name AS name, checksum, logs, finished_at IS NOT NULL AS finished,
  rolled_back_at IS NOT NULL AS rolled_back,
  extract(epoch FROM clock_timestamp() - started_at)::float8 AS age
FROM _prisma_migrations ORDER BY started_at
"""

_NOT_VALIDATED: Final = """
SELECT conrelid::regclass::text AS "table", conname AS name
FROM pg_constraint WHERE NOT convalidated AND contype IN ('c', 'f') ORDER BY 1, 2
"""
_RUNNING: Final = 600.0  # seconds that a migration may take before it counts as failed
_SHOWN: Final = 10


async def tables(talk: Session, settings: CheckSettings) -> Found:
    """Which tables that the app cannot do without are gone?"""
    gone = [name for name in settings.tables if not await has_table(talk, name)]
    measurements = tuple(
        Measurement("stewardmon_pg_table_missing", float(name in gone), {"table": name})
        for name in settings.tables
    )
    return Found(measurements, tuple(f"there is no table {name}" for name in gone))


async def migrations(talk: Session, settings: CheckSettings) -> Found:
    """Which of Prisma's migrations failed, are pending, or were changed after they ran?"""
    if not await has_table(talk, "_prisma_migrations"):
        return Found(absent="there is no table _prisma_migrations")
    rows = await talk.rows(_MIGRATIONS)
    source = await _source(settings)
    failed = [row["name"] for row in rows if _failed(row)]
    applied = {row["name"]: row["checksum"] for row in rows if row["finished"]}
    pending = [name for name in source if name not in applied]
    drifted = _drifted(applied, source)
    counts = {
        "applied": len(applied),
        "failed": len(failed),
        "pending": len(pending),
        "drifted": len(drifted),
    }
    findings = [
        *(f"the migration {excerpt(name)} failed" for name in failed),
        *(f"the migration {name} is pending" for name in pending),
        *(f"the migration {excerpt(name)} is not what the source holds" for name in drifted),
    ]
    measurements = tuple(
        Measurement("stewardmon_pg_migrations", float(count), {"state": state})
        for state, count in counts.items()
    )
    return Found(measurements, tuple(findings[:_SHOWN]))


async def constraints(talk: Session, _: CheckSettings) -> Found:
    """Which constraints were added NOT VALID and never validated?"""
    rows: Sequence[Mapping[str, Any]] = await talk.rows(_NOT_VALIDATED)
    measurement = Measurement("stewardmon_pg_constraints_not_validated", float(len(rows)))
    findings = tuple(
        f"the constraint {row['name']} on {row['table']} was never validated"
        for row in rows[:_SHOWN]
    )
    return Found((measurement,), findings)


async def _source(settings: CheckSettings) -> Mapping[str, str]:
    if settings.migrations_folder is None:
        return settings.migrations
    return {
        **await asyncio.to_thread(_checksums, settings.migrations_folder),
        **settings.migrations,
    }


def _checksums(folder: Path) -> dict[str, str]:
    """Return the checksums that Prisma keeps: SHA-256 of each folder's migration.sql."""
    files = sorted(folder.glob("*/migration.sql"))
    return {file.parent.name: sha256(file.read_bytes()).hexdigest() for file in files}


def _failed(row: Mapping[str, Any]) -> bool:
    return (
        not row["finished"]
        and not row["rolled_back"]
        and (row["age"] > _RUNNING or bool(row.get("logs")))
    )


def _drifted(applied: Mapping[str, str], source: Mapping[str, str]) -> list[str]:
    """Return what ran here and is not what the source holds: changed since, or not there at all."""
    changed = [name for name, sum_ in source.items() if sum_ and applied.get(name, sum_) != sum_]
    return changed + [name for name in applied if source and name not in source]
