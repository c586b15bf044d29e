"""`stewardmon rules`: explain, test, export and replay."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stewardmon.cli.client import Daemon, url_option
from stewardmon.cli.progress import progress
from stewardmon.errors import StewardmonError, UsageError

if TYPE_CHECKING:
    from stewardmon.config.values import Config
    from stewardmon.rehearsal.replay import Replayed

RULES = click.option("--rules", type=click.Path(path_type=Path), help="Folder of the three files.")


@click.group()
def command() -> None:
    """Explain, test, export and replay rules."""
    from stewardmon.telemetry import configure_logs

    configure_logs(level="error", environment="rules")


@command.command()
@RULES
@url_option("The daemon that is asked what rules read now.")
@click.option("--offline", is_flag=True, help="Ask no daemon.")
def explain(rules: Path | None, url: str, *, offline: bool) -> None:
    """Print each rule with its PromQL, its window, and what it reads now."""
    from stewardmon.rehearsal.explain import explain as explained

    for line in explained(_config(rules, alone=True), read=None if offline else _reader(url)):
        click.echo(line)


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def test(files: tuple[Path, ...], *, as_json: bool) -> int:
    """Run unit tests of rules: promtool's format, short rules and `page_test` too."""
    from stewardmon.rehearsal.unit import run_file

    outcomes = [asyncio.run(run_file(file)) for file in files]
    if as_json:
        click.echo(json.dumps([asdict(one) for one in outcomes], indent=2))
    for outcome in () if as_json else outcomes:
        click.echo(f"Unit Testing:  {outcome.file}")
        if outcome.failures:
            click.echo("  FAILED:")
            for failure in outcome.failures:
                click.echo(f"    {failure}")
        else:
            click.echo(f"  SUCCESS ({outcome.checked} expectations)")
    return 1 if any(one.failures for one in outcomes) else 0


@command.command()
@RULES
def export(rules: Path | None) -> None:
    """Print a Prometheus rule file: short rules compiled, everything else kept."""
    from stewardmon.rehearsal.export import export as exported

    config = _config(rules, alone=True)
    for warning in () if config.probes else config.warnings:
        click.echo(f"warning: {warning}", err=True)
    click.echo(exported(config.groups, interval=config.evaluation_interval), nl=False)


@command.command()
@RULES
@click.option("--state", help="The state whose history is replayed.")
@click.option("--from", "start", required=True, help="RFC 3339, or days ago such as -30d.")
@click.option("--to", "end", default="now", show_default=True, help="RFC 3339, -1d, or now.")
@click.option("--every", default="15s", show_default=True, help="How often to evaluate.")
@click.option("--against", type=click.Path(path_type=Path),
              help="Folder of other rules, to compare with.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def replay(
    rules: Path | None,
    state: str | None,
    start: str,
    end: str,
    every: str,
    against: Path | None,
    *,
    as_json: bool,
) -> None:
    """Say what the rules would have paged over recorded history."""
    from stewardmon.domain.quantity import parse_duration

    span = (_time(start), _time(end))
    if span[0] >= span[1]:
        raise UsageError("--from must be before --to")
    step = parse_duration(every)
    if step < timedelta(milliseconds=100):
        raise UsageError("--every must be at least 100ms")
    where = _state(state)
    tried = asyncio.run(_replayed(_config(rules), where, span, step))
    other = None if against is None else asyncio.run(_replayed(_config(against), where, span, step))
    if as_json:
        click.echo(json.dumps([_plain(one) for one in (tried, other) if one is not None]))
        return
    for line in _told(tried, other):
        click.echo(line)


async def _replayed(
    config: Config, state: str, span: tuple[datetime, datetime], every: timedelta
) -> Replayed:
    from stewardmon.engine.past_quiet import Past
    from stewardmon.rehearsal.replay import replay as replayed
    from stewardmon.stores import open_store, recorded

    past = Past.of(await recorded(state))
    _, history = open_store(state)
    await history.open()
    try:
        shown = progress("seconds replayed")
        return await replayed(
            config,
            history,
            start=span[0],
            end=span[1],
            every=every,
            past=past,
            progress=shown,
        )
    finally:
        await history.close()


def _told(tried: Replayed, other: Replayed | None) -> list[str]:
    lines = [
        f"{tried.evaluations:,} evaluations over {tried.samples:,} samples",
        f"{len(tried.paged)} pages" + ("" if other is None else f" ({len(other.paged)} before)"),
    ]
    for title, name in (("rule", "pages"), ("person", "people"), ("night", "nights")):
        mine = getattr(tried, name)
        theirs = getattr(other, name) if other is not None else {}
        for key in sorted(set(mine) | set(theirs), key=lambda one: (-mine[one], one)):
            before = "" if other is None else f"   before {theirs[key]}"
            lines.append(f"  {title:<7} {key:<40} {mine[key]:>6}{before}")
    lines += [f"  failed  {name}: {error}" for name, error in tried.errors.items()]
    return lines


def _plain(one: Replayed) -> dict[str, Any]:
    return {
        "evaluations": one.evaluations,
        "samples": one.samples,
        "fired": dict(one.fired),
        "pages": dict(one.pages),
        "people": dict(one.people),
        "nights": dict(one.nights),
        "errors": one.errors,
        "paged": [{**asdict(page), "at": page.at.isoformat()} for page in one.paged],
    }


def _config(rules: Path | None, *, alone: bool = False) -> Config:
    """Return the configuration; with `alone`, also where only rules are written."""
    from stewardmon.config.environment import default_rules, read_environment
    from stewardmon.config.loading import load

    runtime = read_environment(os.environ, rules=None if rules is None else str(rules))
    return load(runtime.rules or default_rules(), os.environ, rules_alone=alone)


def _state(state: str | None) -> str:
    from stewardmon.config.environment import read_environment

    return read_environment(os.environ, state=state).state


def _time(text: str) -> datetime:
    from stewardmon.clock import SystemClock
    from stewardmon.domain.quantity import parse_duration

    now = SystemClock().now()
    if text == "now":
        return now
    if text.startswith("-"):
        return now - parse_duration(text[1:])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no time: write RFC 3339, -30d or now") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _reader(url: str) -> Callable[[str], str]:
    daemon = Daemon(url, "")

    def read(expr: str) -> str:
        try:
            data = daemon.get("/api/v1/query", query=expr)["data"]
        except StewardmonError as error:
            return f"(nothing: {error})"
        if data["resultType"] != "vector":
            return str(data["result"][1])
        rows = data["result"]
        shown = [f"{row['value'][1]} {row['metric'] or ''}".strip() for row in rows[:3]]
        more = f" and {len(rows) - 3} more" if len(rows) > 3 else ""
        return "; ".join(shown) + more if rows else "no data"

    return read
