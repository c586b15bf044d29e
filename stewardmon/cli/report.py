"""`stewardmon report`: a report of the recorded history, and the maintenance tasks."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stewardmon.cli.client import Daemon, with_daemon
from stewardmon.cli.progress import progress

if TYPE_CHECKING:
    from stewardmon.domain.report import Report, ReportKind


@click.group()
def command() -> None:
    """Print a report of the recorded history; list maintenance tasks, and mark one as done."""


def _report(kind: str) -> None:
    @command.command(kind, help=f"Print the {kind} report that ends at T.")
    @click.option(
        "--at", "at", help="When it ends (RFC 3339, UTC without a zone); now if not given."
    )
    @click.option(
        "--state", help="Read this state instead of asking the daemon: none may run on it."
    )
    @click.option("--rules", type=click.Path(path_type=Path), help="Folder of the three files.")
    @click.option("--json", "as_json", is_flag=True, help="For programs.")
    @with_daemon
    def show(
        daemon: Daemon, *, at: str | None, state: str | None, rules: Path | None, as_json: bool
    ) -> None:
        from stewardmon.cli.times import moment
        from stewardmon.domain.report import ReportKind, as_record, as_text, from_record

        if state is None:
            report = from_record(daemon.get(f"/api/reports/{kind}", at=at))
        else:
            report = asyncio.run(_made(ReportKind(kind), moment(at), state, rules))
        click.echo(json.dumps(as_record(report), indent=2) if as_json else as_text(report))


for _kind in ("daily", "weekly", "monthly"):
    _report(_kind)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def tasks(daemon: Daemon, *, as_json: bool) -> int:
    """List the guide's maintenance tasks; exits with 1 where one is overdue."""
    found = daemon.get("/api/tasks")["tasks"]
    if as_json:
        click.echo(json.dumps(found, indent=2))
    for one in () if as_json else found:
        last = f"done {one['done_at'][:16]} by {one['done_by']}" if one["done_by"] else "never done"
        stands = "OVERDUE" if one["overdue"] else "in time"
        click.echo(f"{one['id']:<25} every {one['every_days']:>2} d  {stands:<8} {last}")
    return 1 if any(one["overdue"] for one in found) else 0


@command.command()
@click.argument("task")
@click.option("--by", default=getpass.getuser, help="Who has done it.")
@click.option("--note", default="", help="What was found.")
@with_daemon
def done(daemon: Daemon, *, task: str, by: str, note: str) -> None:
    """Note that a maintenance task has been done."""
    one: Any = daemon.post(f"/api/tasks/{task}/done", {"by": by, "note": note})
    click.echo(f"{one['title']}: done by {one['done_by']}")


async def _made(kind: ReportKind, end: datetime, state: str, rules: Path | None) -> Report:
    """Make a report from a state that no daemon holds."""
    from stewardmon.config.environment import default_rules, read_environment
    from stewardmon.config.loading import load
    from stewardmon.domain.tasks import standings
    from stewardmon.engine.reports import Reporter
    from stewardmon.engine.tasks import KIND, read_done
    from stewardmon.stores import open_store
    from stewardmon.telemetry import configure_logs

    configure_logs(level="error", environment="report")
    runtime = read_environment(os.environ, state=state, rules=None if rules is None else str(rules))
    config = load(runtime.rules or default_rules(), os.environ)
    store, history = open_store(runtime.state)
    await store.open()
    try:
        await history.open()
        records = (await store.load()).records
        known = {
            ident: read_done(ident, one) for (what, ident), one in records.items() if what == KIND
        }
        reporter = Reporter(
            store,
            history,
            people=lambda: config.roster.people,
            rules=lambda: config.rules,
            overdue=lambda now: [one.words for one in standings(known, now=now) if one.is_overdue],
        )
        return await reporter.make(
            kind, end, zone=config.reports.zone, progress=progress("reading the history")
        )
    finally:
        await history.close()
        await store.close()
