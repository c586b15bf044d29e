"""The database of the app: reached on both paths, quick, and sound inside."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from stewardmon.rehearsal.checks.flight import (
    Flight,
    Found,
    Verdict,
    each,
    line,
    number,
    unset,
    within,
)

DB_TIME: Final = 0.5  # seconds: the guide's benchmark


async def app_path(flight: Flight) -> list[Found]:
    """Connect as the app does and time a query."""
    url = flight.value("DATABASE_URL")
    if url is None:
        return [("the app's connection", Verdict.FAIL, "DATABASE_URL is not set")]
    outcome = await flight.probe("postgres", url=url)
    took = number(outcome, "stewardmon_pg_query_duration_seconds")
    found = [line("the app's connection", outcome)]
    return found + (within("SELECT 1", took, DB_TIME) if took is not None else [])


async def direct_path(flight: Flight) -> list[Found]:
    """Connect past the pooler, as migrations do."""
    url = flight.value("DIRECT_URL")
    if url is None:
        return []
    return [line("the direct connection", await flight.probe("postgres", url=url))]


async def depth(flight: Flight) -> list[Found]:
    """Report what the checks of the inside found, a line each."""
    url = next(filter(None, map(flight.value, ("MONITOR_DATABASE_URL", "DIRECT_URL"))), None)
    url = url or flight.value("DATABASE_URL")
    if url is None:
        return []
    limits = {"idle_transaction_age": flight.idle}
    source = _migrations(flight)
    outcome = await flight.probe("postgres_depth", url=url, limits=limits, **source)
    found = list(each("inside", outcome))
    return found if source else [*found, *unset("migrations beside their source", "PROJECT_DIR")]


def _migrations(flight: Flight) -> dict[str, Any]:
    """Return where the app's source keeps its migrations, nothing where they cannot be seen."""
    project = flight.value("PROJECT_DIR")
    folder = Path(project) / "prisma/migrations" if project else None
    return {"migrations_folder": folder} if folder and folder.is_dir() else {}
