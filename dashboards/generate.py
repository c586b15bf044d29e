"""Write the Grafana dashboards beside this file, with Grafana's own SDK.

    python -m dashboards.generate            write them
    python -m dashboards.generate --check    exit 1 where a written one differs

What they show stands in `boards.py`; tests/peers/test_dashboards.py asks every query of a real
Prometheus that scrapes the demo, and of stewardmon itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LineInterpolation,
    StackingMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    Threshold,
    ThresholdsMode,
)

from dashboards.boards import BOARDS, Board, Form, Shown

HERE: Final = Path(__file__).parent
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")
#: What stands on every chart: where alerts fired, and where another version was deployed.
MARKS: Final = {
    "Alerts that page": ('ALERTS{alertstate="firing", severity="critical"}', "red"),
    "Deploys": ("stewardmon_deployment_info unless stewardmon_deployment_info offset 5m", "blue"),
}


def built(board: Board) -> dashboard.Dashboard:
    """Return the board as Grafana's SDK builds it."""
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"stewardmon-{board.name}")
        .description(board.about)
        .tags(["stewardmon"])
        .link(_others())
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
    for name, (expr, colour) in MARKS.items():
        made = made.annotation(
            dashboard.AnnotationQuery()
            .name(name)
            .datasource(SOURCE)
            .enable(True)
            .icon_color(colour)
            .expr(expr)
        )
    for title, panels in board.rows.items():
        made = made.with_row(dashboard.Row(title))
        for shown in panels:
            made = made.with_panel(_panel(shown))
    return made


def _others() -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("stewardmon")
        .type(DashboardLinkType.DASHBOARDS)
        .tags(["stewardmon"])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )


def _panel(shown: Shown) -> Any:
    query = prometheus.Dataquery().expr(shown.expr).legend_format(shown.legend).ref_id("A")
    panel: Any = stat.Panel() if shown.form is Form.NUMBER else timeseries.Panel()
    span, height = (6, 4) if shown.form is Form.NUMBER else (8, 7)
    panel = (
        panel.title(shown.title)
        .datasource(SOURCE)
        .unit(shown.unit)
        .span(span)
        .height(height)
        .with_target(query)
    )
    if shown.steps is not None:
        panel = panel.thresholds(_thresholds(*shown.steps))
    return _drawn(panel, shown.form)


def _drawn(panel: Any, form: Form) -> Any:
    match form:
        case Form.NUMBER:
            return panel
        case Form.LINES:
            return panel.line_width(2)
        case Form.STACK:
            stacked = common.StackingConfig().mode(StackingMode.NORMAL)
            return panel.stacking(stacked).fill_opacity(40)
        case Form.BARS:
            return panel.draw_style(GraphDrawStyle.BARS).fill_opacity(60)
        case Form.STATES:
            # Zero or one, or a code: what lies between two samples is no value.
            return panel.line_interpolation(LineInterpolation.STEP_AFTER).fill_opacity(10).min(0)


def _thresholds(warn: float, bad: float) -> dashboard.ThresholdsConfig:
    """Return green, yellow and red; where `bad` is the lower one, less is worse."""
    colours = ("green", "yellow", "red") if warn <= bad else ("red", "yellow", "green")
    steps = [
        Threshold(value=value, color=colour)
        for value, colour in zip((None, *sorted((warn, bad))), colours, strict=True)
    ]
    return dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def texts() -> dict[str, str]:
    """Return the files' names and contents."""
    encoder = JSONEncoder(sort_keys=True, indent=2)
    return {f"{board.name}.json": encoder.encode(built(board).build()) + "\n" for board in BOARDS}


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
