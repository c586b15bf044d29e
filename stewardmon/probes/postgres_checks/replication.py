"""How far replicas are behind, and what slots hold back."""

from __future__ import annotations

from typing import Final

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, seconds
from stewardmon.probes.postgres_session import Session

# On a standby that has replayed everything, no news is no lag.
_LAG: Final = """
SELECT CASE WHEN NOT pg_is_in_recovery() THEN NULL
  WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
  ELSE greatest(0, extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()))
  END::float8 AS own,
  (SELECT max(extract(epoch FROM replay_lag))::float8 FROM pg_stat_replication) AS replicas,
  (SELECT count(*) FROM pg_stat_replication) AS count
"""

_SLOTS: Final = """
SELECT slot_name, active,
  pg_wal_lsn_diff(
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END,
    restart_lsn)::float8 AS held
FROM pg_replication_slots ORDER BY 3 DESC NULLS LAST LIMIT 20
"""


async def replication(talk: Session, settings: CheckSettings) -> Found:
    """How many seconds is this standby, or the slowest replica of this primary, behind?"""
    row = await talk.row(_LAG)
    lag = max((lag for lag in (row["own"], row["replicas"]) if lag is not None), default=0.0)
    measurements = (
        Measurement("pg_replication_lag_seconds", lag),
        Measurement("stewardmon_pg_replicas", float(row["count"])),
    )
    if lag <= seconds(settings.limits.replication_lag):
        return Found(measurements)
    return Found(measurements, (f"replication is {lag:.0f} s behind",))


async def slots(talk: Session, settings: CheckSettings) -> Found:
    """Which replication slots are unused, and how much of the log do they keep from deletion?"""
    measurements: list[Measurement] = []
    findings: list[str] = []
    for row in await talk.rows(_SLOTS):
        name, held = row["slot_name"], row["held"] or 0.0
        label = {"slot_name": name}
        measurements += [
            Measurement("pg_replication_slots_active", float(row["active"]), label),
            Measurement("pg_replication_slots_pg_wal_lsn_diff", held, label),
        ]
        if not row["active"]:
            findings.append(f"nobody reads the replication slot {name}")
        if held > settings.limits.slot_bytes:
            findings.append(f"the replication slot {name} holds back {held / 1024**2:.0f} MiB")
    return Found(tuple(measurements), tuple(findings))
