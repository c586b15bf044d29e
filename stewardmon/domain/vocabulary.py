"""The built-in words of short conditions: what each one measures, and by which PromQL.

Units and bounds are each word's own: shares are kept as 0 to 1, times in seconds, sizes in bytes.
The metrics carry the names of blackbox_exporter, postgres_exporter and OpenTelemetry where those
have one (DESIGN.md section 5).
"""

from __future__ import annotations

from typing import Final

from stewardmon.domain.units import BYTES, NUMBER, PER_SECOND, RATIO, SECONDS, UP, USD
from stewardmon.domain.vocabulary_database import DATABASE
from stewardmon.domain.vocabulary_shapes import averaged, gauge, p95
from stewardmon.domain.word import Shape, Vocabulary, Word

__all__ = ["BUILT_IN", "Vocabulary", "Word"]

_APP: Final = {"job": 'job="app"'}
_OPENAI: Final = {"job": 'job="openai"'}
_ASKED: Final = "sum by (job) (count_over_time(probe_success{$selector}[$window]))"


def _last(name: str, metric: str, about: str) -> Word:
    """Return a question about a probe that asks every few minutes: its last answer counts.

    It needs a probe of the kind agent, and that asks at least every ten minutes.
    """
    return Word(
        name=name,
        expr=f"last_over_time({metric}{{$selector}}[15m])",
        unit=UP,
        about=about,
        answer=("==", 0.0),
        counted=f"{metric}{{$selector}}",
        shape=Shape.SERIES,
        metrics=(metric,),
    )


_PUSHED: Final = "cannot be seen from outside: the app must push it to a heartbeat"
_AGENT: Final = "from agent_logs, or from /api/monitoring/agent-metrics where that answers"

_PLATFORM: Final = (
    Word(
        name="error_rate",
        expr=f"1 - {averaged('probe_success')}",
        unit=RATIO,
        about="share of the app's probes that failed in the window; a warning counts as success",
        low=0.0,
        high=1.0,
        series="1 - probe_success{$selector}",
        counted="probe_success{$selector}",
        matchers=_APP,
        shape=Shape.JOB,
        metrics=("probe_success",),
    ),
    Word(
        name="failed_asks",
        expr=f"{_ASKED} - sum by (job) (sum_over_time(probe_success{{$selector}}[$window]))",
        unit=NUMBER,
        about="how many asks of the app's probes failed in the window; a warning counts as success",
        low=0.0,
        counted="probe_success{$selector}",
        matchers=_APP,
        shape=Shape.JOB,
        metrics=("probe_success",),
    ),
    Word(
        name="asks",
        expr=_ASKED,
        unit=NUMBER,
        about="how many times the app's probes asked in the window",
        low=0.0,
        counted="probe_success{$selector}",
        matchers=_APP,
        shape=Shape.JOB,
        metrics=("probe_success",),
    ),
    gauge(
        "response_time",
        "probe_duration_seconds",
        SECONDS,
        "95th percentile of the app's probe durations; a timeout counts as infinitely slow",
        expr=p95("probe_duration_seconds"),
        matchers=_APP,
    ),
    Word(
        name="db_connection_failed",
        expr="pg_up{$selector}",
        unit=UP,
        about="the newest attempt to connect to the database failed",
        answer=("==", 0.0),
        counted="pg_up{$selector}",
        shape=Shape.SERIES,
        metrics=("pg_up",),
    ),
    Word(
        name="openai_api_error",
        expr="probe_success{$selector}",
        unit=UP,
        about="the newest probe of the AI provider failed; its reason tells which class",
        answer=("==", 0.0),
        counted="probe_success{$selector}",
        matchers=_OPENAI,
        shape=Shape.SERIES,
        metrics=("probe_success",),
    ),
    gauge(
        "memory_usage",
        "process_resident_memory_bytes",
        BYTES,
        "the app's resident memory, averaged over the window",
        expr="avg_over_time(process_resident_memory_bytes{$selector}[$window])",
        matchers=_APP,
        note=_PUSHED,
    ),
    Word(
        name="cpu_usage",
        expr="rate(process_cpu_seconds_total{$selector}[$window])",
        unit=RATIO,
        about="the app's use of one processor core; 200% is two cores busy",
        low=0.0,
        counted="process_cpu_seconds_total{$selector}",
        matchers=_APP,
        shape=Shape.SERIES,
        metrics=("process_cpu_seconds_total",),
        note=_PUSHED,
    ),
    Word(
        name="certificate_lifetime_left",
        expr="probe_ssl_earliest_cert_expiry{$selector} - time()",
        unit=SECONDS,
        about="time until the first certificate of the chain expires; negative once it has",
        counted="probe_ssl_earliest_cert_expiry{$selector}",
        shape=Shape.SERIES,
        metrics=("probe_ssl_earliest_cert_expiry",),
    ),
    Word(
        name="backup_age",
        expr="time() - max by (job) (stewardmon_backup_last_success_timestamp_seconds{$selector})",
        unit=SECONDS,
        about="time since the newest complete backup",
        low=0.0,
        counted="stewardmon_backup_last_success_timestamp_seconds{$selector}",
        shape=Shape.JOB,
        metrics=("stewardmon_backup_last_success_timestamp_seconds",),
    ),
)

_AI: Final = (
    gauge(
        "ai_response_time",
        "gen_ai_client_operation_duration_seconds",
        SECONDS,
        "95th percentile of the AI provider's whole answers to our canary",
        expr=p95("gen_ai_client_operation_duration_seconds"),
    ),
    gauge(
        "ai_first_token_time",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        SECONDS,
        "95th percentile of the time until the AI provider's first chunk arrives",
        expr=p95("gen_ai_client_operation_time_to_first_chunk_seconds"),
    ),
    gauge(
        "openai_rate_limit_left",
        "stewardmon_openai_rate_limit_remaining_ratio",
        RATIO,
        "lowest share of a rate limit (requests or tokens) that was left in the window",
        expr=(
            "min by (job) (min_over_time("
            "stewardmon_openai_rate_limit_remaining_ratio{$selector}[$window]))"
        ),
        high=1.0,
        note="the provider's headers may be absent: then there is no data",
    ),
    gauge(
        "openai_cost_today",
        "stewardmon_openai_cost_usd_today",
        USD,
        "what the AI provider has charged since midnight UTC",
        expr="max by (job) (stewardmon_openai_cost_usd_today{$selector})",
        note="needs an admin key of the AI provider",
    ),
)

_AGENT_WORDS: Final = (
    gauge(
        "throughput",
        "stewardmon_agent_requests_per_second",
        PER_SECOND,
        "real requests that the AI agent answers, a second",
        expr=(
            "sum by (job) (avg_over_time(stewardmon_agent_requests_per_second{$selector}[$window]))"
        ),
        note=_AGENT,
    ),
    gauge(
        "cache_hit_rate",
        "stewardmon_agent_cache_hit_ratio",
        RATIO,
        "share of real agent requests that the app answered from its cache",
        expr=averaged("stewardmon_agent_cache_hit_ratio"),
        high=1.0,
        note=_AGENT,
    ),
    gauge(
        "agent_error_rate",
        "stewardmon_agent_error_ratio",
        RATIO,
        "share of real agent requests that failed",
        expr=averaged("stewardmon_agent_error_ratio"),
        high=1.0,
        note=_AGENT,
    ),
    gauge(
        "agent_response_time",
        "stewardmon_agent_response_seconds",
        SECONDS,
        "95th percentile of how long real agent requests took, the worst in the window; their "
        "mean where agent-metrics tells no more",
        expr="max_over_time(stewardmon_agent_response_seconds{$selector}[$window])",
        matchers={"quantile": 'quantile=~"0\\\\.95|mean"'},
        note=_AGENT,
    ),
    gauge(
        "agent_question_time",
        "stewardmon_agent_answer_seconds",
        SECONDS,
        "how long the agent takes for our own question, the quickest of the last 15 minutes",
        expr="min_over_time(stewardmon_agent_answer_seconds{$selector}[15m])",
    ),
    _last("agent_failed", "stewardmon_agent_answered", "our question to the agent got no answer"),
    _last(
        "agent_amount_wrong",
        "stewardmon_agent_amount_right",
        "the agent names another amount than SQL's sum of the same receipts",
    ),
    _last(
        "agent_answers_strangers",
        "stewardmon_agent_stranger_refused",
        "the agent takes questions without a session",
    ),
    _last(
        "agent_stream_buffered",
        "stewardmon_agent_stream_live",
        "all lines of the agent's stream came at once, at its end",
    ),
    _last("sign_in_failed", "stewardmon_agent_signed_in", "the synthetic user cannot sign in"),
    _last(
        "agent_metrics_failed",
        "stewardmon_agent_metrics_up",
        "agent-metrics answers a signed-in user with an error",
    ),
)

BUILT_IN: Final = Vocabulary(
    {word.name: word for word in (*_PLATFORM, *DATABASE, *_AI, *_AGENT_WORDS)}
)
