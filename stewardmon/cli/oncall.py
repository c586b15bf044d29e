"""`stewardmon oncall`: who is paged when, the calendar, and drills."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stewardmon.cli.client import Daemon, with_daemon
from stewardmon.cli.progress import progress
from stewardmon.errors import UsageError

if TYPE_CHECKING:
    from stewardmon.config.values import Config
    from stewardmon.domain.whom import Turn

RULES = click.option("--rules", type=click.Path(path_type=Path), help="Folder of the three files.")


@click.group()
def command() -> None:
    """Say who is on call, show the calendar, drill a level."""


@command.command()
@click.option("--at", "at", help="When (RFC 3339, UTC without a zone); now if not given.")
@click.option("--alert", "labels", multiple=True, metavar="K=V", help="For an alert like this.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@RULES
def who(*, at: str | None, labels: tuple[str, ...], as_json: bool, rules: Path | None) -> int:
    """Say whom an alert that fires at T pages, level by level; by the files alone, so also in CI.

    Exits with 1 where a level would reach nobody, or no route wants the alert.
    """
    from stewardmon.cli.times import moment
    from stewardmon.domain.whom import turns

    config, when = _config(rules), moment(at)
    found = turns(_labels(labels), config.routes, config.policies, config.roster, at=when)
    if as_json:
        body = {"at": when.isoformat(), "pages": [_plain(one) for one in found]}
        click.echo(json.dumps(body, indent=2))
    else:
        click.echo(f"{when:%a %Y-%m-%d %H:%M:%S} UTC")
        for one in found:
            click.echo(f"  {_line(one)}")
        if not found:
            click.echo("  no route wants this alert: nobody would be paged")
    return 0 if found and all(one.person for one in found) else 1


@command.command()
@click.option("--from", "start", help="From when; now if not given.")
@click.option("--weeks", type=click.IntRange(1, 53), default=4, show_default=True)
@click.option("--rotation", default="", help="One rotation; all if not given.")
@click.option(
    "--format", "form", type=click.Choice(["text", "html", "ics"]), default="text",
    show_default=True,
)  # fmt: skip
@RULES
def calendar(*, start: str | None, weeks: int, rotation: str, form: str, rules: Path | None) -> int:
    """Show who has each rotation when, and what is missing; exits with 1 where something is."""
    from stewardmon.cli.times import moment
    from stewardmon.domain import calendar as calendars
    from stewardmon.domain.rota import lint

    config, begins = _config(rules), moment(start)
    roster = config.roster
    if rotation and rotation not in roster.rotations:
        raise UsageError(
            f"there is no rotation {rotation!r}; there are {', '.join(roster.rotations) or 'none'}"
        )
    ends = begins + timedelta(weeks=weeks)
    found = calendars.calendar(roster, start=begins, end=ends, rotation=rotation)
    match form:
        case "html":
            click.echo(calendars.as_html(found, roster))
        case "ics":
            click.echo(calendars.as_ics(found, roster, now=moment(None)), nl=False)
        case _:
            click.echo(calendars.as_text(found, roster) or "there are no rotations")
    missing = lint(roster, config.policies, now=begins, ahead=ends - begins)
    for line in missing:
        click.echo(f"warning: {line}", err=True)
    return 1 if missing else 0


@command.command()
@click.option("--level", type=int, default=1, show_default=True, help="The level to page.")
@click.option("--policy", default="", help="Of which policy; the first if not given.")
@click.option("--channel", default="", help="Only send a test over this channel of oncall.yml.")
@click.option("--to", default="", help="With --channel: to whom; all its contacts if not given.")
@click.option("--preview", is_flag=True, help="Show who would read what; send nothing.")
@click.option("--wait", type=click.IntRange(0), default=300, show_default=True,
              help="Seconds to wait for somebody to answer.")  # fmt: skip
@click.option("--by", default=getpass.getuser, help="Who drills.")
@RULES
@with_daemon
def drill(  # noqa: PLR0913 - each is an option of the command
    daemon: Daemon,
    *,
    level: int,
    policy: str,
    channel: str,
    to: str,
    preview: bool,
    wait: int,
    by: str,
    rules: Path | None,
) -> int:
    """Page a level for practice and time the answer; with --channel, only test that channel."""
    if channel or preview:
        return _test(_config(rules), level, policy, channel, to, preview=preview, by=by)
    begun = daemon.post("/api/oncall/drill", {"level": level, "policy": policy, "by": by})
    ident = begun["incident"]
    click.echo(f"{ident} is a drill: acknowledge it as you would a page")
    incident = asyncio.run(_answered(daemon, ident, wait))
    for row in incident["deliveries"]:
        line = f"  {row['person']} over {row['channel']}: {row['state']} {row['error']}"
        click.echo(line.rstrip())
    if not incident["acknowledged_at"]:
        click.echo("nobody has answered")
        return 1
    started, answered = (
        datetime.fromisoformat(incident[key]) for key in ("opened_at", "acknowledged_at")
    )
    seconds = (answered - started).total_seconds()
    click.echo(f"{incident['acknowledged_by']} answered after {seconds:.0f} s")
    return 0


async def _answered(daemon: Daemon, ident: str, wait: int) -> Any:
    from stewardmon.clock import SystemClock

    clock = SystemClock()
    started, shown = clock.monotonic(), progress("seconds waited for an answer")
    while True:
        incident = daemon.get(f"/api/incidents/{ident}")
        waited = clock.monotonic() - started
        if incident["acknowledged_at"] or waited >= wait:
            shown(wait, wait)
            return incident
        shown(int(waited), wait)
        await clock.sleep(1.0)


def _test(
    config: Config, level: int, policy: str, channel: str, to: str, *, preview: bool, by: str
) -> int:
    from stewardmon.cli.drilling import previews, send_tests, targets

    found = targets(config, level=level, policy=policy, channel=channel, to=to)
    if preview:
        for one, message in previews(config, found, by=by):
            click.secho(f"{one.person} over {one.channel} to {one.to}", bold=True)
            click.echo(f"{message.rstrip()}\n")
        return 0
    results = asyncio.run(send_tests(config, found, by=by))
    for one, wrong in results:
        click.echo(f"{one.person} over {one.channel} to {one.to}: {wrong or 'sent'}")
    return 1 if any(wrong for _, wrong in results) else 0


def _config(rules: Path | None) -> Config:
    from stewardmon.config.environment import default_rules, read_environment
    from stewardmon.config.loading import load

    runtime = read_environment(os.environ, rules=None if rules is None else str(rules))
    return load(runtime.rules or default_rules(), os.environ)


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign or not name:
            raise UsageError(f"{pair!r} is not a label: write one such as severity=critical")
        found[name] = value.strip('"')
    return found


def _plain(one: Turn) -> dict[str, Any]:
    return {
        "policy": one.policy,
        "level": one.level.number,
        "role": one.level.role,
        "after_seconds": one.level.after.total_seconds(),
        "at": one.at.isoformat(),
        "target": one.target,
        "person": one.person,
        "contacts": [{"channel": contact.channel, "to": contact.to} for contact in one.contacts],
    }


def _line(one: Turn) -> str:
    from stewardmon.domain.quantity import format_duration

    after = format_duration(one.level.after) if one.level.after else "at once"
    over = ", ".join(f"{contact.channel} {contact.to}".strip() for contact in one.contacts)
    whom = f"{one.person} ({over})" if one.person and over else one.person or "nobody"
    by = "" if one.target == one.person else f" [{one.target}]"
    return f"L{one.level.number} {one.level.role}, {after}: {whom}{by}"
