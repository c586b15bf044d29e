"""Write the Grafana dashboards beside this file, with Grafana's own SDK.

    python dashboards/generate.py            write them
    python dashboards/generate.py --check    exit 1 where a written one differs

Panels are data (PANELS); tests/peers/test_dashboards.py asks every query of a real Prometheus that
scrapes a real daemon.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef

HERE: Final = Path(__file__).parent
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
UP: Final = 'probe_success{job=~"$job"}'


@dataclass(frozen=True, slots=True)
class Shown:
    """One panel: a title, a query, how its series are called, and the unit."""

    title: str
    expr: str
    legend: str
    unit: str
    one_number: bool = False


PANELS: Final[dict[str, tuple[Shown, ...]]] = {
    "Now": (
        Shown("Probes up", f"sum({UP}) / count({UP})", "up", "percentunit", one_number=True),
        Shown("Open incidents", "sum(stewardmon_incidents)", "open", "short", one_number=True),
        Shown(
            "Alerts firing", 'stewardmon_alerts{state="firing"}', "firing", "short", one_number=True
        ),
        Shown("Unsent messages", "stewardmon_outbox_messages", "unsent", "short", one_number=True),
    ),
    "The guide's six": (
        Shown(
            "Response time, 95th percentile",
            'quantile_over_time(0.95, probe_duration_seconds{job=~"$job"}[5m])',
            "{{probe}}",
            "s",
        ),
        Shown(
            "Error rate",
            f"1 - avg by (job) (avg_over_time({UP}[5m]))",
            "{{job}}",
            "percentunit",
        ),
        Shown(
            "Throughput of probes",
            "sum by (probe) (rate(stewardmon_probes_total[5m]))",
            "{{probe}}",
            "reqps",
        ),
        Shown(
            "Cache hit rate of the database",
            "sum(rate(pg_stat_database_blks_hit[5m])) / (sum(rate(pg_stat_database_blks_hit[5m]))"
            " + sum(rate(pg_stat_database_blks_read[5m])))",
            "hit",
            "percentunit",
        ),
        Shown(
            "Database connections",
            "sum by (instance) (pg_stat_activity_count)"
            " / on (instance) pg_settings_max_connections",
            "{{instance}}",
            "percentunit",
        ),
        Shown(
            "AI provider, time to answer",
            "gen_ai_client_operation_duration_seconds",
            "{{probe}}",
            "s",
        ),
    ),
    "Where the time goes": (
        Shown(
            "Phases of HTTP probes",
            'probe_http_duration_seconds{job=~"$job"}',
            "{{probe}} {{phase}}",
            "s",
        ),
        Shown(
            "Reasons",
            'stewardmon_probe_reason{job=~"$job"}',
            "{{probe}}: {{reason}}",
            "short",
        ),
    ),
    "Pages": (
        Shown(
            "Levels paged",
            "sum by (level) (increase(stewardmon_escalations_total[1h]))",
            "level {{level}}",
            "short",
        ),
        Shown(
            "Deliveries by result",
            "sum by (channel, result) (increase(stewardmon_deliveries_total[1h]))",
            "{{channel}} {{result}}",
            "short",
        ),
        Shown(
            "Decision to receipt, 99th percentile",
            "histogram_quantile(0.99,"
            " sum by (le) (rate(stewardmon_delivery_delay_seconds_bucket[1h])))",
            "p99",
            "s",
        ),
    ),
    "stewardmon itself": (
        Shown(
            "Start lag of probes, 99th percentile",
            "histogram_quantile(0.99,"
            " sum by (le) (rate(stewardmon_schedule_lag_seconds_bucket[5m])))",
            "p99",
            "s",
        ),
        Shown(
            "Missed ticks", "sum by (loop) (increase(stewardmon_missed_ticks_total[5m]))",
            "{{loop}}", "short",
        ),
        Shown(
            "Age of every loop's last success",
            "time() - stewardmon_loop_last_success_timestamp_seconds",
            "{{loop}}",
            "s",
        ),
        Shown("Store healthy", "stewardmon_store_healthy", "healthy", "short"),
    ),
}  # fmt: skip


def overview() -> dashboard.Dashboard:
    """Return the first dashboard: the platform, its pages, and stewardmon itself on one screen."""
    built = (
        dashboard.Dashboard("stewardmon: overview")
        .uid("stewardmon-overview")
        .description("What stewardmon watches, whom it paged, and how it does itself.")
        .tags(["stewardmon"])
        .refresh("30s")
        .time("now-6h", "now")
        .timezone("browser")
        .readonly()
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(
            dashboard.QueryVariable("job")
            .label("Job")
            .query("label_values(probe_success, job)")
            .datasource(SOURCE)
            .include_all(True)
            .multi(True)
            .all_value(".+")
        )
    )
    for title, panels in PANELS.items():
        built = built.with_row(dashboard.Row(title))
        for shown in panels:
            built = built.with_panel(_panel(shown))
    return built


def _panel(shown: Shown) -> stat.Panel | timeseries.Panel:
    query = prometheus.Dataquery().expr(shown.expr).legend_format(shown.legend).ref_id("A")
    panel = stat.Panel() if shown.one_number else timeseries.Panel()
    span, height = (6, 4) if shown.one_number else (8, 7)
    found: stat.Panel | timeseries.Panel = (
        panel.title(shown.title)
        .datasource(SOURCE)
        .unit(shown.unit)
        .span(span)
        .height(height)
        .with_target(query)
    )
    return found


def texts() -> dict[str, str]:
    """Return the files' names and contents."""
    encoded = JSONEncoder(sort_keys=True, indent=2).encode(overview().build())
    return {"overview.json": encoded + "\n"}


def main() -> int:
    """Write the files, or compare them with --check."""
    stale = []
    for name, text in texts().items():
        file = HERE / name
        if "--check" in sys.argv:
            if not file.exists() or file.read_text() != text:
                stale.append(name)
        else:
            file.write_text(text)
    for name in stale:
        print(f"dashboards/{name} is not what dashboards/generate.py writes")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
