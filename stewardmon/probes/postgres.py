"""The postgres probe: connect on the app's own path, SELECT 1, and the figures that matter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.postgres_reader import PHASES, DatabaseSettings, failed
from stewardmon.probes.postgres_session import Session, session
from stewardmon.probes.postgres_url import shown
from stewardmon.settings import ByteSize, Field

DOWN: Final = Measurement("pg_up", 0.0)
UP: Final = Measurement("pg_up", 1.0)

# pg_stat_activity.state (PostgreSQL documentation, table 27.3).
_STATES: Final = (
    "active",
    "idle",
    "idle in transaction",
    "idle in transaction (aborted)",
    "fastpath function call",
    "disabled",
)

# Taken before the transaction is made read-only: it shows what the app would meet.
_READ_ONLY: Final = """
SELECT pg_is_in_recovery() AS standby, current_setting('transaction_read_only') = 'on' AS refused
"""

# One row for all of it: each round trip costs the pooler as much as the query itself.
_FIGURES: Final = """
SELECT
  current_setting('max_connections')::int AS max_connections,
  current_setting('superuser_reserved_connections')::int AS reserved,
  coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved_for_role,
  pg_database_size(current_database()) AS size,
  current_database() AS datname,
  d.blks_hit, d.blks_read, d.xact_commit, d.xact_rollback, d.deadlocks, d.temp_bytes, d.numbackends,
  (SELECT json_object_agg(state, count) FROM (
    SELECT coalesce(state, 'unknown') AS state, count(*)
    FROM pg_stat_activity
    WHERE backend_type = 'client backend' OR (backend_type IS NULL AND datid IS NOT NULL)
    GROUP BY 1) AS by_state) AS activity
FROM pg_stat_database AS d WHERE d.datname = current_database()
"""
_COUNTERS: Final = (
    "blks_hit",
    "blks_read",
    "xact_commit",
    "xact_rollback",
    "deadlocks",
    "temp_bytes",
    "numbackends",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresSettings(DatabaseSettings):
    """Where the database is, and what is normal there.

    `read_only: true` is for a replica, or a role that may only read; elsewhere a database that
    takes no writes is degraded. `figures: false` asks SELECT 1 only. `capacity` is how large the
    database may grow (the disk that the plan includes): SQL cannot tell.
    """

    read_only: bool = False
    figures: bool = True
    capacity: ByteSize | None = Field(default=None, gt=0)


class PostgresProbe:
    """Asks one database, on a connection of its own."""

    def __init__(self, settings: PostgresSettings) -> None:
        self.settings = settings
        self.progress = Progress(DOWN, series=PHASES)
        self._parameters = settings.parameters

    async def ask(self) -> Outcome:
        """Ask once; a database that fails is an outcome, with pg_up 0."""
        progress = self.progress = Progress(DOWN, series=PHASES)
        settings = self.settings
        try:
            async with session(
                self._parameters,
                progress,
                statement_timeout=settings.statement_timeout,
                lock_timeout=settings.lock_timeout,
            ) as talk:
                return await self._talk(talk, progress)
        except Failure as failure:
            return failed(failure, progress)

    async def testify(self, topic: str) -> tuple[str, ...]:
        """Return what the database says of itself now, for a page."""
        # With the queries of postgres_depth: not before somebody is paged.
        from stewardmon.probes.postgres_evidence import testify  # noqa: PLC0415

        return await testify(self._parameters, topic)

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _talk(self, talk: Session, progress: Progress) -> Outcome:
        started = perf_counter()
        await talk.row("SELECT 1")
        took = perf_counter() - started
        mode = await talk.row(_READ_ONLY)
        found, lacking = await self._figures(talk)
        progress.leave()
        stuck = bool(mode["refused"]) and not self.settings.read_only
        measurements = (
            UP,
            Measurement("stewardmon_pg_query_duration_seconds", took),
            Measurement("stewardmon_pg_read_only", float(mode["refused"])),
            Measurement("stewardmon_pg_encrypted", float(talk.encrypted)),
            Measurement("pg_replication_is_replica", float(mode["standby"])),
            Measurement("pg_static", 1.0, {"short_version": _version(talk.server_version)}),
            *progress.timed(),
            *found,
        )
        if stuck:
            why = "it is a standby" if mode["standby"] else "default_transaction_read_only is on"
            detail = f"{shown(self._parameters)} takes no writes: {why}"
            state, reason = State.DEGRADED, Reason.READ_ONLY
        else:
            detail = f"answered SELECT 1 in {took * 1000:.1f} ms"
            state, reason = State.UP, Reason.OK
        return Outcome(
            state=state,
            reason=reason,
            detail=detail,
            phases=progress.phases,
            measurements=measurements,
            findings=lacking,
        )

    async def _figures(self, talk: Session) -> tuple[tuple[Measurement, ...], tuple[str, ...]]:
        if not self.settings.figures:
            return (), ()
        try:
            row = await talk.row(_FIGURES)
        except Failure as failure:
            # The database answers; that it keeps its figures to itself does not make it down.
            if failure.reason in (Reason.PERMISSION, Reason.SLOW, Reason.QUERY):
                return (), (f"no figures: {failure.detail}",)
            raise
        return (*figures(row), *_capacity(row, self.settings.capacity)), ()


def figures(row: Mapping[str, Any]) -> Iterator[Measurement]:
    """Yield postgres_exporter's series of one row of figures."""
    if not row:
        return
    activity = {**dict.fromkeys(_STATES, 0), **(row["activity"] or {})}
    for state, count in activity.items():
        yield Measurement("pg_stat_activity_count", float(count), {"state": state})
    yield Measurement("pg_settings_max_connections", float(row["max_connections"]))
    yield Measurement("pg_settings_superuser_reserved_connections", float(row["reserved"]))
    yield Measurement("pg_settings_reserved_connections", float(row["reserved_for_role"]))
    database = {"datname": str(row["datname"])}
    yield Measurement("pg_database_size_bytes", float(row["size"]), database)
    for name in _COUNTERS:
        yield Measurement(f"pg_stat_database_{name}", float(row[name] or 0), database)


def _capacity(row: Mapping[str, Any], capacity: int | None) -> Iterator[Measurement]:
    """Yield the limit under the labels of the size, so that rules can compare the two."""
    if row and capacity is not None:
        database = {"datname": str(row["datname"])}
        yield Measurement("stewardmon_pg_capacity_bytes", float(capacity), database)


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"


def make(settings: PostgresSettings, _shared: Context) -> PostgresProbe:
    """Build the probe."""
    return PostgresProbe(settings)


KIND: Final = Kind(
    settings=PostgresSettings,
    make=make,
    cost=lambda _: Cost(connections=1),
    instance=lambda settings: shown(settings.parameters),
)
