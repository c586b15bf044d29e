"""What the app's own tables tell: data that cannot be right, and the agent's real traffic."""

from __future__ import annotations

from typing import Final

from stewardmon.domain.outcome import Measurement
from stewardmon.probes.postgres_checks.check import CheckSettings, Found, has_table, seconds
from stewardmon.probes.postgres_session import Session

# Prisma keeps UTC in columns without a zone. PLATFORM.md section 1 gives the words of stuck work.
_INTEGRITY: Final = """
SELECT
  count(*) FILTER (WHERE total < 0) AS negative_total,
  count(*) FILTER (WHERE "purchaseDate" > (now() AT TIME ZONE 'UTC') + interval '1 day')
    AS future_date,
  count(*) FILTER (WHERE merchant = 'Processing...'
    AND "createdAt" < (now() AT TIME ZONE 'UTC') - make_interval(secs => %(stuck)s)) AS stuck,
  count(*) FILTER (WHERE merchant LIKE 'Processing Failed%%'
    AND "createdAt" > (now() AT TIME ZONE 'UTC') - interval '1 day') AS failed
FROM receipts
"""
_SENTENCES: Final = {
    "negative_total": "receipts have a total below zero",
    "future_date": "receipts were bought in the future",
    "stuck": "receipts are stuck in processing",
    "failed": "receipts failed in processing in the last day",
}

# The last five minutes of real traffic; percentile_cont interpolates, as PromQL's quantiles do.
# Our own questions (kind `agent`) begin with a nonce of twelve digits: they are nobody's traffic.
_SPAN_SECONDS: Final = 300
_TRAFFIC: Final = """
SELECT count(*) AS requests,
  avg((NOT success)::int)::float8 AS errors, avg(cached::int)::float8 AS cached,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY "responseTime"::float8) AS times
FROM agent_logs
WHERE timestamp > (now() AT TIME ZONE 'UTC') - make_interval(secs => %(span)s)
  AND query !~ '^[0-9a-f]{12} '
"""
_QUANTILES: Final = ("0.5", "0.95", "0.99")


async def integrity(talk: Session, settings: CheckSettings) -> Found:
    """Which receipts cannot be right?"""
    if not await has_table(talk, "receipts"):
        return Found(absent="there is no table receipts")
    row = await talk.row(_INTEGRITY, {"stuck": seconds(settings.stuck_after)})
    measurements = tuple(
        Measurement("stewardmon_data_findings", float(row[rule]), {"rule": rule})
        for rule in _SENTENCES
    )
    findings = tuple(f"{row[rule]} {words}" for rule, words in _SENTENCES.items() if row[rule])
    return Found(measurements, findings)


async def agent_traffic(talk: Session, _: CheckSettings) -> Found:
    """What did the agent's real users meet in the last five minutes?

    Ratios of no traffic are no data, never zero.
    """
    if not await has_table(talk, "agent_logs"):
        return Found(absent="there is no table agent_logs")
    row = await talk.row(_TRAFFIC, {"span": _SPAN_SECONDS})
    rate = Measurement("stewardmon_agent_requests_per_second", row["requests"] / _SPAN_SECONDS)
    if not row["requests"]:
        return Found((rate,))
    times = (
        Measurement("stewardmon_agent_response_seconds", milliseconds / 1000, {"quantile": name})
        for name, milliseconds in zip(_QUANTILES, row["times"], strict=True)
    )
    return Found(
        (
            rate,
            Measurement("stewardmon_agent_error_ratio", row["errors"]),
            Measurement("stewardmon_agent_cache_hit_ratio", row["cached"]),
            *times,
        )
    )
