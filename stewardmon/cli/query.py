"""`stewardmon query`: PromQL against a running daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import click

from stewardmon.cli.client import Daemon, with_daemon


@click.command()
@click.argument("expression")
@click.option("--at", help="The instant: RFC 3339 or Unix seconds; now if not given.")
@click.option("--from", "start", help="The start of a range.")
@click.option("--to", "end", help="The end of a range.")
@click.option("--step", default="60s", show_default=True, help="The step of a range.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def command(
    daemon: Daemon,
    *,
    expression: str,
    at: str | None,
    start: str | None,
    end: str | None,
    step: str,
    as_json: bool,
) -> None:
    """Evaluate EXPRESSION at an instant, or over a range with --from and --to."""
    if (start is None) != (end is None):
        raise click.UsageError("a range needs both --from and --to")
    if start is None:
        body = daemon.get("/api/v1/query", query=expression, time=at)
    else:
        body = daemon.get("/api/v1/query_range", query=expression, start=start, end=end, step=step)
    if as_json:
        click.echo(json.dumps(body["data"], indent=2))
        return
    for line in _lines(body["data"]):
        click.echo(line)
    for warning in (*body.get("warnings", ()), *body.get("infos", ())):
        click.echo(warning, err=True)


def _lines(data: dict[str, Any]) -> list[str]:
    """Return results as `promtool query` prints them."""
    if data["resultType"] in {"scalar", "string"}:
        return [f"{data['resultType']}: {data['result'][1]}"]
    lines = []
    for one in data["result"]:
        if "value" in one:
            lines.append(f"{_metric(one['metric'])} => {_point(one['value'])}")
        else:
            lines.append(f"{_metric(one['metric'])} =>")
            lines += [_point(point) for point in one["values"]]
    return lines or ["(no data)"]


def _metric(labels: dict[str, str]) -> str:
    inside = ", ".join(f'{k}="{v}"' for k, v in labels.items() if k != "__name__")
    return f"{labels.get('__name__', '')}{{{inside}}}"


def _point(point: list[Any]) -> str:
    at = datetime.fromtimestamp(float(point[0]), UTC)
    return f"{point[1]} @[{at:%Y-%m-%dT%H:%M:%SZ}]"
