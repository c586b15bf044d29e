"""What the dashboards show: boards of rows of panels, as data. `generate.py` builds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

JOB: Final = 'job=~"$job"'
UP: Final = f"probe_success{{{JOB}}}"
OBJECTIVE: Final = 0.99  # as in `error_budget_burn` of rules/alerts.yml


class Form(StrEnum):
    """How a panel draws what its query returns."""

    NUMBER = "number"
    LINES = "lines"
    STACK = "stack"
    BARS = "bars"
    STATES = "states"


@dataclass(frozen=True, slots=True)
class Shown:
    """One panel: a title, a query, how its series are called, and the unit (Grafana's word).

    `steps` are the values from which it is yellow and red, where colour helps.
    """

    title: str
    expr: str
    legend: str
    unit: str = "short"
    form: Form = Form.LINES
    steps: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: its file is `<name>.json`, its uid `stewardmon-<name>`."""

    name: str
    title: str
    about: str
    rows: dict[str, tuple[Shown, ...]] = field(default_factory=dict)


def burn(window: str) -> str:
    """Return how many times too fast the error budget is spent: 1 lasts the objective's span.

    Google's SRE Workbook, chapter 5: the share of errors over the share that is allowed.
    """
    budget = round(1 - OBJECTIVE, 6)
    return f"(1 - avg by (job) (avg_over_time({UP}[{window}]))) / {budget}"


def p99(metric: str, window: str = "1h", by: str = "") -> str:
    """Return the 99th percentile of a histogram of ours."""
    return (
        f"histogram_quantile(0.99, sum by (le{by and ', ' + by}) (rate({metric}_bucket[{window}])))"
    )


OVERVIEW: Final = Board(
    "overview",
    "stewardmon: overview",
    "What stewardmon watches, how much of the error budget is left, whom it paged.",
    {
        "Now": (
            Shown("Probes up", f"sum({UP}) / count({UP})", "up", "percentunit", Form.NUMBER),
            Shown("Open incidents", 'sum(stewardmon_incidents{state="open"})', "open",
                  form=Form.NUMBER, steps=(1, 2)),
            Shown("Alerts firing", 'stewardmon_alerts{state="firing"}', "firing",
                  form=Form.NUMBER, steps=(1, 5)),
            Shown("Unsent messages", "stewardmon_outbox_messages", "unsent",
                  form=Form.NUMBER, steps=(5, 50)),
            Shown("State of every probe", UP, "{{probe}}", form=Form.STATES),
        ),
        f"Objective: {OBJECTIVE:.0%} of probes succeed": (
            Shown("Error budget left, of the range shown",
                  f"1 - (1 - avg by (job) (avg_over_time({UP}[$__range])))"
                  f" / {round(1 - OBJECTIVE, 6)}",
                  "{{job}}", "percentunit", Form.NUMBER),
            Shown("Burn rate over an hour (14.4 pages)", burn("1h"), "{{job}}", steps=(6, 14.4)),
            Shown("Burn rate over six hours (6 pages)", burn("6h"), "{{job}}", steps=(3, 6)),
            Shown("Burn rate over a day (3 warns)", burn("1d"), "{{job}}", steps=(1, 3)),
        ),
        "The guide's six": (
            Shown("Response time, 95th percentile",
                  f"quantile_over_time(0.95, probe_duration_seconds{{{JOB}}}[5m])", "{{probe}}",
                  "s"),
            Shown("Error rate", f"1 - avg by (job) (avg_over_time({UP}[5m]))",
                  "{{job}}", "percentunit", steps=(0.01, 0.05)),
            Shown("Throughput of probes", "sum by (probe) (rate(stewardmon_probes_total[5m]))",
                  "{{probe}}", "reqps"),
            Shown("Cache hit rate of the database",
                  "sum(rate(pg_stat_database_blks_hit[5m]))"
                  " / (sum(rate(pg_stat_database_blks_hit[5m]))"
                  " + sum(rate(pg_stat_database_blks_read[5m])))", "hit", "percentunit"),
            Shown("Database connections",
                  "sum by (instance) (pg_stat_activity_count)"
                  " / on (instance) max by (instance) (pg_settings_max_connections)",
                  "{{instance}}", "percentunit", steps=(0.8, 0.95)),
            Shown("AI provider, time to answer", "gen_ai_client_operation_duration_seconds",
                  "{{probe}} {{gen_ai_operation_name}}", "s"),
        ),
    },
)  # fmt: skip

APP: Final = Board(
    "app",
    "stewardmon: app and agent",
    "What users meet: health, pages, the agent's answers, synthetic and real traffic apart.",
    {
        "Asked by us": (
            Shown("Reasons of outcomes",
                  f"sum by (reason) (stewardmon_probe_reason{{{JOB}}})", "{{reason}}",
                  form=Form.BARS),
            Shown("Answer of the app by phase",
                  'sum by (phase) (probe_http_duration_seconds{job="app"})', "{{phase}}", "s",
                  Form.STACK),
            Shown("Phases of every HTTP probe, 95th percentile",
                  f"quantile_over_time(0.95, probe_http_duration_seconds{{{JOB}}}[15m])",
                  "{{probe}} {{phase}}", "s"),
            Shown("Status", f"probe_http_status_code{{{JOB}}}", "{{probe}}", form=Form.STATES),
        ),
        "Real traffic of the agent": (
            Shown("Requests", "sum(stewardmon_agent_requests_per_second)", "requests", "reqps"),
            Shown("Failed", "stewardmon_agent_error_ratio", "{{probe}}", "percentunit",
                  steps=(0.01, 0.05)),
            Shown("Response time", "stewardmon_agent_response_seconds",
                  "{{probe}} p{{quantile}}", "s"),
            Shown("Answered from the cache", "stewardmon_agent_cache_hit_ratio", "{{probe}}",
                  "percentunit"),
        ),
        "What is served": (
            Shown("Weight of the page", "stewardmon_page_wire_bytes", "{{instance}}", "bytes"),
            Shown("Versions that answered", "stewardmon_deployment_info", "{{version}}",
                  form=Form.STATES),
            Shown("Supabase", "stewardmon_supabase_service_up", "{{service}}", form=Form.STATES),
            Shown("Certificates: days left",
                  "(probe_ssl_earliest_cert_expiry - time()) / 86400", "{{instance}}", "d",
                  steps=(14, 3)),
            Shown("Security score", "last_over_time(stewardmon_security_score[3h])",
                  "{{instance}}", form=Form.NUMBER),
            Shown("Errors in the logs", "stewardmon_log_error_ratio", "{{stream}}", "percentunit"),
        ),
    },
)  # fmt: skip

DATABASE: Final = Board(
    "postgres",
    "stewardmon: PostgreSQL",
    "Connections, waits, memory, growth: what a page about the database is about.",
    {
        "Reached": (
            Shown("Up", "pg_up", "{{probe}}", form=Form.STATES),
            Shown("Time to connect and ask", "stewardmon_pg_duration_seconds",
                  "{{probe}} {{phase}}", "s"),
            Shown("SELECT 1", "stewardmon_pg_query_duration_seconds", "{{probe}}", "s",
                  steps=(0.5, 1)),
        ),
        "Used": (
            Shown("Connections by state", "sum by (state) (pg_stat_activity_count)", "{{state}}",
                  form=Form.STACK),
            Shown("Of the limit",
                  "sum by (instance) (pg_stat_activity_count)"
                  " / on (instance) max by (instance) (pg_settings_max_connections)",
                  "{{instance}}", "percentunit", steps=(0.8, 0.95)),
            Shown("Longest transaction", "pg_stat_activity_max_tx_duration", "{{state}}", "s",
                  steps=(60, 300)),
            Shown("Sessions that wait for a lock", "stewardmon_pg_blocked", "{{instance}}",
                  steps=(1, 5)),
            Shown("Found in its cache",
                  "rate(pg_stat_database_blks_hit[5m])"
                  " / (rate(pg_stat_database_blks_hit[5m]) + rate(pg_stat_database_blks_read[5m]))",
                  "{{datname}}", "percentunit"),
            Shown("Deadlocks", "increase(pg_stat_database_deadlocks[15m])", "{{datname}}"),
        ),
        "Inside": (
            Shown("Slowest statements, mean", "topk(5, stewardmon_pg_statement_mean_seconds)",
                  "{{queryid}}", "s"),
            Shown("Dead rows", "topk(5, pg_stat_user_tables_n_dead_tup)", "{{relname}}"),
            Shown("Invalid indexes", "stewardmon_pg_indexes_invalid", "{{instance}}",
                  form=Form.NUMBER, steps=(1, 2)),
            Shown("Migrations", "sum by (state) (stewardmon_pg_migrations)", "{{state}}",
                  form=Form.BARS),
            Shown("Size", "pg_database_size_bytes", "{{datname}}", "bytes"),
            Shown("Age of the newest whole backup",
                  "time() - stewardmon_backup_last_success_timestamp_seconds", "{{instance}}", "s",
                  steps=(90_000, 93_600)),
        ),
    },
)  # fmt: skip

AI: Final = Board(
    "ai",
    "stewardmon: AI provider",
    "How fast it answers, what it costs, what is left of its limits.",
    {
        "Answers": (
            Shown("Classes of failure",
                  'stewardmon_probe_reason{job=~"openai.*"}', "{{probe}}: {{reason}}",
                  form=Form.BARS),
            Shown("Whole answer", "gen_ai_client_operation_duration_seconds",
                  "{{gen_ai_operation_name}} {{gen_ai_request_model}}", "s", steps=(2, 5)),
            Shown("First chunk", "gen_ai_client_operation_time_to_first_chunk_seconds",
                  "{{gen_ai_request_model}}", "s", steps=(1, 2)),
            Shown("Between chunks", "gen_ai_client_operation_time_per_output_chunk_seconds",
                  "{{gen_ai_request_model}}", "s"),
            Shown("Tokens a second", "stewardmon_openai_tokens_per_second",
                  "{{gen_ai_request_model}}"),
            Shown("What the provider says it took", "stewardmon_openai_processing_seconds",
                  "{{probe}}", "s"),
        ),
        "Spent and left": (
            Shown("Head-room", "stewardmon_openai_rate_limit_remaining_ratio",
                  "{{probe}} {{kind}}", "percentunit"),
            Shown("Tokens of our canary today", "stewardmon_openai_probe_tokens_today",
                  "{{model}}"),
            Shown("Tokens of one answer", "gen_ai_client_token_usage", "{{gen_ai_token_type}}",
                  form=Form.BARS),
            Shown("Charged today", "last_over_time(stewardmon_openai_cost_usd_today[30m])",
                  "today", "currencyUSD", Form.NUMBER),
            Shown("A usual day", "last_over_time(stewardmon_openai_cost_usd_median[30m])",
                  "median", "currencyUSD", Form.NUMBER),
            Shown("Budget used", "last_over_time(stewardmon_openai_budget_used_ratio[30m])",
                  "{{period}}", "percentunit", Form.NUMBER, (0.8, 1)),
            Shown("What the vendor says of itself", "stewardmon_statuspage_indicator",
                  "{{instance}}", steps=(1, 2)),
        ),
    },
)  # fmt: skip

ONCALL: Final = Board(
    "oncall",
    "stewardmon: on call",
    "Who was woken, how often, and how fast somebody answered.",
    {
        "Pages": (
            Shown("Pages by level, of the range shown",
                  "sum by (level) (increase(stewardmon_escalations_total[$__range]))",
                  "level {{level}}", form=Form.NUMBER),
            Shown("Incidents", "sum by (state) (stewardmon_incidents)", "{{state}}",
                  form=Form.STACK),
            Shown("Levels paged in an hour",
                  "sum by (level) (increase(stewardmon_escalations_total[1h]))",
                  "level {{level}}", form=Form.BARS),
        ),
        "Answers": (
            Shown("Time to acknowledge, median of a day",
                  "histogram_quantile(0.5, sum by (le)"
                  " (increase(stewardmon_incident_acknowledge_seconds_bucket[1d])))",
                  "median", "s", steps=(900, 1800)),
            Shown("Time to resolve, median of a day",
                  "histogram_quantile(0.5, sum by (le)"
                  " (increase(stewardmon_incident_resolve_seconds_bucket[1d])))", "median", "s"),
        ),
        "Delivery": (
            Shown("Messages by result",
                  "sum by (channel, result) (increase(stewardmon_deliveries_total[1h]))",
                  "{{channel}} {{result}}", form=Form.BARS),
            Shown("Decision to receipt, 99th percentile", p99("stewardmon_delivery_delay_seconds"),
                  "p99", "s"),
            Shown("Oldest unsent message", "stewardmon_outbox_oldest_seconds", "age", "s",
                  steps=(30, 120)),
            Shown("Overdue steps", "stewardmon_overdue_steps", "overdue", form=Form.NUMBER,
                  steps=(1, 2)),
        ),
    },
)  # fmt: skip

ITSELF: Final = Board(
    "stewardmon",
    "stewardmon: itself",
    "The watcher watched: loops, lags, its state, its memory of series.",
    {
        "Loops": (
            Shown("Age of every loop's last success",
                  "time() - stewardmon_loop_last_success_timestamp_seconds", "{{loop}}", "s"),
            Shown("Loops that died and were started again",
                  "sum(increase(stewardmon_loop_restarts_total[1h])) or vector(0)", "restarts",
                  form=Form.NUMBER, steps=(1, 2)),
            Shown("Event loop lag, 99th percentile", p99("stewardmon_event_loop_lag_seconds", "5m"),
                  "p99", "s", steps=(0.05, 0.25)),
            Shown("What held the event loop for long",
                  "increase(stewardmon_slow_callbacks_total[5m])", "times", steps=(5, 50)),
            Shown("Start lag of probes, 99th percentile",
                  p99("stewardmon_schedule_lag_seconds", "5m"), "p99", "s", steps=(0.1, 0.25)),
            Shown("Missed ticks", "sum by (loop) (increase(stewardmon_missed_ticks_total[5m]))",
                  "{{loop}}"),
            Shown("Evaluation of all rules, 99th percentile",
                  p99("stewardmon_evaluation_duration_seconds", "5m"), "p99", "s"),
        ),
        "State": (
            Shown("State is durable", "stewardmon_store_healthy", "healthy", form=Form.STATES),
            Shown("Store errors", "increase(stewardmon_store_errors_total[1h])", "errors"),
            Shown("Configuration on disk is in force", "stewardmon_config_last_reload_successful",
                  "valid", form=Form.STATES),
            Shown("Series in memory", "stewardmon_series", "series"),
            Shown("Probes that fell silent, in intervals",
                  "max by (probe) (stewardmon_probe_silent_intervals)", "{{probe}}", steps=(2, 3)),
            Shown("Rules that cannot be evaluated",
                  "sum(stewardmon_rule_failures_in_a_row > bool 0)", "rules", form=Form.NUMBER,
                  steps=(1, 2)),
            Shown("Clock", "stewardmon_clock_offset_seconds", "offset", "s"),
            Shown("Offline", "stewardmon_offline", "offline", form=Form.STATES),
        ),
    },
)  # fmt: skip

BOARDS: Final = (OVERVIEW, APP, DATABASE, AI, ONCALL, ITSELF)
