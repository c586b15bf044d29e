"""Who works, for how long, and who waits for whom."""

from __future__ import annotations

from typing import Final

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, seconds
from stewardmon.probes.postgres_session import APPLICATION, Session

# The states whose transactions hold locks and hold back vacuum.
_HOLDING: Final = ("active", "idle in transaction", "idle in transaction (aborted)")
_SHOWN: Final = 5

# Our own probes' transactions are no news.
_TRANSACTIONS: Final = """
SELECT state, max(extract(epoch FROM clock_timestamp() - xact_start))::float8 AS oldest,
  (array_agg(pid ORDER BY xact_start))[1] AS pid
FROM pg_stat_activity
WHERE xact_start IS NOT NULL AND backend_type = 'client backend'
  AND application_name <> %(own)s
GROUP BY state
"""

# pg_blocking_pids stops the lock manager for a moment: it is asked about those who wait only.
_BLOCKED: Final = """
SELECT pid, pg_blocking_pids(pid) AS blockers,
  extract(epoch FROM clock_timestamp() - state_change)::float8 AS waiting
FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()
ORDER BY state_change
"""

_LOCKS: Final = """
SELECT mode, count(*) AS count FROM pg_locks
WHERE pid IS DISTINCT FROM pg_backend_pid() AND granted GROUP BY mode
"""
_MODES: Final = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)


async def transactions(talk: Session, settings: CheckSettings) -> Found:
    """How old is the oldest transaction of each state?"""
    rows = {row["state"]: row for row in await talk.rows(_TRANSACTIONS, {"own": APPLICATION})}
    limits = dict.fromkeys(_HOLDING, seconds(settings.limits.idle_transaction_age))
    limits["active"] = seconds(settings.limits.transaction_age)
    measurements = tuple(
        Measurement(
            "pg_stat_activity_max_tx_duration",
            rows[state]["oldest"] if state in rows else 0.0,
            {"state": state},
        )
        for state in _HOLDING
    )
    findings = tuple(
        f"process {row['pid']} has had a transaction open for {row['oldest']:.0f} s ({state})"
        for state, row in rows.items()
        if state in limits and row["oldest"] > limits[state]
    )
    return Found(measurements, findings)


async def blocked(talk: Session, settings: CheckSettings) -> Found:
    """Who waits for a lock, and for whom?"""
    waiting = [row for row in await talk.rows(_BLOCKED) if row["blockers"]]
    held = {row["mode"]: row["count"] for row in await talk.rows(_LOCKS)}
    measurements = (
        Measurement("stewardmon_pg_blocked", float(len(waiting))),
        Measurement(
            "stewardmon_pg_blocked_max_seconds",
            max((row["waiting"] for row in waiting), default=0.0),
        ),
        *(
            Measurement("pg_locks_count", float(held.get(mode, 0)), {"mode": mode.lower()})
            for mode in _MODES
        ),
    )
    if len(waiting) <= settings.limits.blocked:
        return Found(measurements)
    findings = tuple(
        f"process {row['pid']} has waited {row['waiting']:.0f} s for a lock of"
        f" {', '.join(str(pid) for pid in row['blockers'][:_SHOWN])}"
        for row in waiting[:_SHOWN]
    )
    return Found(measurements, findings)
