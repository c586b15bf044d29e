"""The words about PostgreSQL: PLATFORM.md section 4, under postgres_exporter's names."""

from __future__ import annotations

from typing import Final

from stewardmon.domain.units import BYTES, NUMBER, PER_SECOND, RATIO, SECONDS, Unit
from stewardmon.domain.vocabulary_shapes import gauge, p95
from stewardmon.domain.word import Shape, Word


def _now(name: str, metric: str, unit: Unit, about: str) -> Word:
    """Return a word for the newest value of a metric that is never negative."""
    return gauge(name, metric, unit, about, expr=f"{metric}{{$selector}}")


def _counter(name: str, function: str, metric: str, unit: Unit, about: str) -> Word:
    """Return a word for how a counter grew in the window: its `rate` or its `increase`."""
    return Word(
        name=name,
        expr=f"{function}({metric}{{$selector}}[$window])",
        unit=unit,
        about=about,
        low=0.0,
        counted=f"{metric}{{$selector}}",
        shape=Shape.SERIES,
        metrics=(metric,),
    )


DATABASE: Final = (
    gauge(
        "db_query_time",
        "stewardmon_pg_query_duration_seconds",
        SECONDS,
        "95th percentile of how long the database takes for the probe's SELECT 1",
        expr=p95("stewardmon_pg_query_duration_seconds"),
    ),
    Word(
        name="db_connections",
        expr=(
            "sum by (job) (avg_over_time(pg_stat_activity_count{$selector}[$window]))"
            " / (sum by (job) (pg_settings_max_connections{$selector})"
            " - sum by (job) (pg_settings_superuser_reserved_connections{$selector})"
            # Servers before PostgreSQL 16 reserve none for a role.
            " - (sum by (job) (pg_settings_reserved_connections{$selector})"
            " or 0 * sum by (job) (pg_settings_max_connections{$selector})))"
        ),
        unit=RATIO,
        about="connections in use, as a share of those that are not reserved",
        low=0.0,
        high=1.0,
        counted="pg_settings_max_connections{$selector}",
        shape=Shape.JOB,
        metrics=(
            "pg_stat_activity_count",
            "pg_settings_max_connections",
            "pg_settings_superuser_reserved_connections",
            "pg_settings_reserved_connections",
        ),
    ),
    Word(
        name="db_cache_hit_rate",
        expr=(
            "sum by (job) (rate(pg_stat_database_blks_hit{$selector}[$window]))"
            " / (sum by (job) (rate(pg_stat_database_blks_hit{$selector}[$window]))"
            " + sum by (job) (rate(pg_stat_database_blks_read{$selector}[$window])))"
        ),
        unit=RATIO,
        about="share of blocks that PostgreSQL found in its own cache",
        low=0.0,
        high=1.0,
        counted="pg_stat_database_blks_hit{$selector}",
        shape=Shape.JOB,
        metrics=("pg_stat_database_blks_hit", "pg_stat_database_blks_read"),
    ),
    Word(
        name="db_full_in",
        expr=(
            "(stewardmon_pg_capacity_bytes{$selector} - pg_database_size_bytes{$selector})"
            " / (deriv(pg_database_size_bytes{$selector}[$window]) > 0)"
        ),
        unit=SECONDS,
        about="time until the database is full, if it goes on growing as it did in the window",
        counted="pg_database_size_bytes{$selector}",
        shape=Shape.SERIES,
        metrics=("stewardmon_pg_capacity_bytes", "pg_database_size_bytes"),
        note="needs `capacity` on the database's probe: SQL cannot tell how large the disk is",
    ),
    Word(
        name="db_block_rate",
        expr=(
            "sum by (job) (rate(pg_stat_database_blks_hit{$selector}[$window]))"
            " + sum by (job) (rate(pg_stat_database_blks_read{$selector}[$window]))"
        ),
        unit=PER_SECOND,
        about="blocks that PostgreSQL looks at, a second: of few, no hit rate can be told",
        low=0.0,
        counted="pg_stat_database_blks_hit{$selector}",
        shape=Shape.JOB,
        metrics=("pg_stat_database_blks_hit", "pg_stat_database_blks_read"),
    ),
    Word(
        name="db_rollback_rate",
        expr=(
            "sum by (job) (rate(pg_stat_database_xact_rollback{$selector}[$window]))"
            " / (sum by (job) (rate(pg_stat_database_xact_commit{$selector}[$window]))"
            " + sum by (job) (rate(pg_stat_database_xact_rollback{$selector}[$window])))"
        ),
        unit=RATIO,
        about="share of transactions that were rolled back; our own probes' are among them",
        low=0.0,
        high=1.0,
        counted="pg_stat_database_xact_rollback{$selector}",
        shape=Shape.JOB,
        metrics=("pg_stat_database_xact_rollback", "pg_stat_database_xact_commit"),
    ),
    Word(
        name="db_transaction_rate",
        expr=(
            "sum by (job) (rate(pg_stat_database_xact_commit{$selector}[$window]))"
            " + sum by (job) (rate(pg_stat_database_xact_rollback{$selector}[$window]))"
        ),
        unit=PER_SECOND,
        about="transactions that ended, a second",
        low=0.0,
        counted="pg_stat_database_xact_commit{$selector}",
        shape=Shape.JOB,
        metrics=("pg_stat_database_xact_commit", "pg_stat_database_xact_rollback"),
    ),
    _counter(
        "db_deadlocks",
        "rate",
        "pg_stat_database_deadlocks",
        PER_SECOND,
        "deadlocks that PostgreSQL broke: `5/m` is five a minute",
    ),
    _counter(
        "db_temp_bytes",
        "increase",
        "pg_stat_database_temp_bytes",
        BYTES,
        "what queries wrote into temporary files in the window, for want of work_mem",
    ),
    _now(
        "db_transaction_age",
        "pg_stat_activity_max_tx_duration",
        SECONDS,
        "age of the oldest transaction, by its state: active, or idle in transaction",
    ),
    _now("db_blocked", "stewardmon_pg_blocked", NUMBER, "sessions that wait for another's lock"),
    _now(
        "db_replication_lag",
        "pg_replication_lag_seconds",
        SECONDS,
        "how far the slowest replica, or this standby itself, is behind",
    ),
    _now(
        "db_slot_bytes",
        "pg_replication_slots_pg_wal_lsn_diff",
        BYTES,
        "how much of the log a replication slot keeps from deletion",
    ),
    _now(
        "db_unfrozen",
        "pg_database_wraparound_age_datfrozenxid_seconds",
        NUMBER,
        "transactions since the oldest row that is not frozen; at 2 billion PostgreSQL stops",
    ),
    _now(
        "db_dead_rows",
        "stewardmon_pg_dead_tuples_ratio",
        NUMBER,
        "a table's dead rows, as a multiple of what starts an autovacuum",
    ),
    Word(
        name="db_statement_time",
        expr=(
            "rate(pg_stat_statements_seconds_total{$selector}[$window])"
            " / rate(pg_stat_statements_calls_total{$selector}[$window])"
        ),
        unit=SECONDS,
        about="mean time of a statement's calls in the window",
        low=0.0,
        counted="pg_stat_statements_calls_total{$selector}",
        shape=Shape.SERIES,
        metrics=("pg_stat_statements_seconds_total", "pg_stat_statements_calls_total"),
        note="needs the extension pg_stat_statements",
    ),
    _counter(
        "db_statement_rate",
        "rate",
        "pg_stat_statements_calls_total",
        PER_SECOND,
        "calls of a statement, a second",
    ),
)
