"""`stewardmon silence`: what nobody is to be paged about, and until when."""

from __future__ import annotations

import getpass
import json
from datetime import timedelta
from typing import Any

import click

from stewardmon.cli.client import Daemon, with_daemon
from stewardmon.errors import ExpressionError, StewardmonError, UsageError


@click.group()
def command() -> None:
    """Add, list and expire silences."""


@command.command()
@click.argument("matchers", nargs=-1, required=True)
@click.option("--for", "duration", default="1h", show_default=True, help="How long.")
@click.option("--start", help="When it begins (RFC 3339); now if not given.")
@click.option("--by", default=getpass.getuser, help="Who wants it.")
@click.option("--comment", "-c", default="", help="Why, for the others.")
@click.option("--everything", is_flag=True, help="Yes, though it mutes every alert.")
@with_daemon
def add(
    daemon: Daemon,
    *,
    matchers: tuple[str, ...],
    duration: str,
    start: str | None,
    by: str,
    comment: str,
    everything: bool,
) -> None:
    """Silence the alerts that meet every MATCHER: `job=app`, `severity=~"warn.*"`."""
    begins, ends = _span(start, duration)
    body = {
        "matchers": _matchers(matchers),
        "startsAt": begins,
        "endsAt": ends,
        "createdBy": by,
        "comment": comment,
    }
    try:
        answer = daemon.post("/api/v2/silences", body)
    except StewardmonError as error:
        if not everything or "ask for it again" not in str(error):
            raise
        answer = daemon.post("/api/v2/silences", body)
    click.echo(answer["silenceID"])


@command.command("list")
@click.option("--expired", is_flag=True, help="Those that are over too.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def list_silences(daemon: Daemon, *, expired: bool, as_json: bool) -> None:
    """List silences."""
    found = [
        one
        for one in daemon.get("/api/v2/silences")
        if expired or one["status"]["state"] != "expired"
    ]
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for one in found:
        by = f" ({one['createdBy']})" if one["createdBy"] else ""
        state = f"{one['status']['state']:<8} until {one['endsAt'][:19]}Z"
        click.echo(f"{one['id']}  {state}  {_shown(one['matchers'])}  {one['comment']}{by}")
    if not found:
        click.echo("no silences")


@command.command()
@click.argument("idents", nargs=-1, required=True)
@with_daemon
def expire(daemon: Daemon, *, idents: tuple[str, ...]) -> None:
    """End silences at once: what still fires pages."""
    for ident in idents:
        daemon.delete(f"/api/v2/silence/{ident}")
        click.echo(f"{ident} is over")


def _matchers(texts: tuple[str, ...]) -> list[dict[str, Any]]:
    from stewardmon.domain.labels import Op
    from stewardmon.domain.matching import read_matchers

    try:
        found = [matcher for text in texts for matcher in read_matchers(text)]
    except ExpressionError as error:
        raise UsageError(str(error)) from None
    return [
        {
            "name": one.name,
            "value": one.text,
            "isRegex": one.op in (Op.MATCHES, Op.NOT_MATCHES),
            "isEqual": one.op in (Op.EQUAL, Op.MATCHES),
        }
        for one in found
    ]


def _span(start: str | None, duration: str) -> tuple[str, str]:
    from stewardmon.cli.times import moment
    from stewardmon.domain.quantity import parse_duration

    begins = moment(start)
    try:
        length = parse_duration(duration)
        if length <= timedelta(0):
            raise UsageError("a silence must last for some time: --for 1h")
        return begins.isoformat(), (begins + length).isoformat()
    except (ExpressionError, OverflowError) as error:
        raise UsageError(f"--for: {error}") from None


def _shown(matchers: list[dict[str, Any]]) -> str:
    signs = {(True, False): "=", (False, False): "!=", (True, True): "=~", (False, True): "!~"}
    return ", ".join(
        f'{one["name"]}{signs[one["isEqual"], one["isRegex"]]}"{one["value"]}"' for one in matchers
    )
