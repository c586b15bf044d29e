"""`stewardmon incident`: what people do to incidents, from a terminal."""

from __future__ import annotations

import getpass
import json
from typing import Any

import click

from stewardmon.cli.client import Daemon, with_daemon


@click.group()
def command() -> None:
    """List, show, acknowledge, snooze and resolve incidents; say why nobody was paged."""


@command.command("list")
@click.option("--all", "everything", is_flag=True, help="Resolved ones too.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def list_incidents(daemon: Daemon, *, everything: bool, as_json: bool) -> None:
    """List incidents, newest first."""
    incidents = daemon.get("/api/incidents", state="all" if everything else "open")["incidents"]
    if as_json:
        click.echo(json.dumps(incidents, indent=2))
        return
    for one in incidents:
        click.echo(f"{one['id']}  {one['state']:<12}  {one['severity']:<8}  {one['title']}")
    if not incidents:
        click.echo("no incidents" if everything else "no open incidents")


@command.command()
@click.argument("ident")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def show(daemon: Daemon, *, ident: str, as_json: bool) -> None:
    """Show one incident with its timeline."""
    one = daemon.get(f"/api/incidents/{ident}")
    if as_json:
        click.echo(json.dumps(one, indent=2))
        return
    click.echo(f"{one['title']}\n{one['state']}, {one['severity']}, since {one['opened_at']}")
    _print_timeline(one["timeline"])


@command.command()
@click.argument("ident")
@click.option("--by", default=getpass.getuser, help="Who takes it.")
@click.option("--reason", default="", help="Why, for the others.")
@with_daemon
def ack(daemon: Daemon, *, ident: str, by: str, reason: str) -> None:
    """Acknowledge: stop the escalation, it is yours."""
    _say(daemon.post(f"/api/incidents/{ident}/ack", {"by": by, "reason": reason}))


@command.command()
@click.argument("ident")
@click.option("--by", default=getpass.getuser, help="Who gives it back.")
@click.option("--reason", default="", help="Why, for the others.")
@with_daemon
def unack(daemon: Daemon, *, ident: str, by: str, reason: str) -> None:
    """Give an acknowledged incident back: level 1 is paged at once."""
    _say(daemon.post(f"/api/incidents/{ident}/unack", {"by": by, "reason": reason}))


@command.command()
@click.argument("ident")
@click.option("--for", "duration", default="1h", show_default=True, help="How long.")
@click.option("--by", default=getpass.getuser, help="Who wants it.")
@click.option("--reason", default="", help="Why, for the others.")
@with_daemon
def snooze(daemon: Daemon, *, ident: str, duration: str, by: str, reason: str) -> None:
    """Let the escalation rest for a while."""
    body = {"by": by, "reason": reason, "for": duration}
    _say(daemon.post(f"/api/incidents/{ident}/snooze", body))


@command.command()
@click.argument("ident")
@click.option("--by", default=getpass.getuser, help="Who asks.")
@click.option("--reason", default="", help="Why, for the others.")
@with_daemon
def escalate(daemon: Daemon, *, ident: str, by: str, reason: str) -> None:
    """Page the next level now."""
    _say(daemon.post(f"/api/incidents/{ident}/escalate", {"by": by, "reason": reason}))


@command.command()
@click.argument("ident")
@click.option("--by", default=getpass.getuser, help="Who closes it.")
@click.option("--reason", default="", help="Why, for the others.")
@with_daemon
def resolve(daemon: Daemon, *, ident: str, by: str, reason: str) -> None:
    """Close an incident by hand and tell everybody who was paged."""
    _say(daemon.post(f"/api/incidents/{ident}/resolve", {"by": by, "reason": reason}))


@command.command()
@click.argument("ident")
@click.argument("text")
@click.option("--by", default=getpass.getuser, help="Who writes.")
@with_daemon
def note(daemon: Daemon, *, ident: str, text: str, by: str) -> None:
    """Write a line into the timeline."""
    _say(daemon.post(f"/api/incidents/{ident}/note", {"by": by, "reason": text}))


@command.command()
@click.argument("ident", required=False)
@click.option("--rule", help="Ask about a rule instead of an incident.")
@click.option("--at", "at", help="When (RFC 3339); now if not given.")
@with_daemon
def why(daemon: Daemon, *, ident: str | None, rule: str | None, at: str | None) -> None:
    """Say why somebody was paged, or nobody was."""
    if (ident is None) == (rule is None):
        raise click.UsageError("name an incident, or a rule with --rule")
    path = f"/api/incidents/{ident}/why" if ident else "/api/why"
    for line in daemon.get(path, rule=rule, at=at)["lines"]:
        click.echo(line)


def _say(one: Any) -> None:
    who = f" by {one['acknowledged_by']}" if one.get("acknowledged_by") else ""
    click.echo(f"{one['id']} is {one['state']}{who}")


def _print_timeline(lines: list[dict[str, str]]) -> None:
    for line in lines:
        first, *more = line["detail"].splitlines() or [""]
        click.echo(f"  {line['at']}  {line['kind']:<24} {line['who']:<12} {first}")
        for text in more:
            click.echo(f"{'':<47}{text}")
