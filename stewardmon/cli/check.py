"""`stewardmon check`: everything wrong with the configuration, and what it spends."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from stewardmon.errors import ConfigError, StewardmonError


@click.command()
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of the three files.")
@click.option("--live", is_flag=True, help="Ask the daemon on STEWARDMON_LISTEN if it is ready.")
@click.option("--schema", is_flag=True, help="Print the files' JSON Schema, for editors.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(*, rules: Path | None, live: bool, schema: bool, as_json: bool) -> int:
    """Say everything that is wrong at once, as file:line:column; exit 1 if anything is."""
    if live:
        return _ask_the_daemon()
    if schema:
        from stewardmon.config.schema import schema as published

        click.echo(json.dumps(published(), indent=2))
        return 0
    return _check(rules, as_json=as_json)


def _check(rules: Path | None, *, as_json: bool) -> int:
    from stewardmon.config.environment import default_rules, read_environment
    from stewardmon.config.loading import load
    from stewardmon.config.spending import spending
    from stewardmon.probes import KINDS

    try:
        runtime = read_environment(os.environ, rules=None if rules is None else str(rules))
        config = load(runtime.rules or default_rules(), os.environ)
    except ConfigError as error:
        if as_json:
            found = [
                {"file": one.file, "line": one.line, "column": one.column, "message": one.message}
                for one in error.mistakes
            ]
            click.echo(json.dumps({"ok": False, "mistakes": found}, indent=2))
        else:
            for one in error.mistakes:
                click.echo(str(one), err=True)
        return 1
    lines = spending(config, KINDS)
    if as_json:
        body = {"ok": True, "warnings": list(config.warnings), "spends": lines}
        click.echo(json.dumps(body, indent=2))
        return 0
    for warning in config.warnings:
        click.echo(f"warning: {warning}")
    rules_count = sum(len(group.rules) for group in config.groups)
    click.echo(
        f"ok: {len(config.probes)} probes, {rules_count} rules, "
        f"{len(config.roster.people)} people, {len(config.channels)} channels"
    )
    for line in lines:
        click.echo(f"  {line}")
    return 0


def _ask_the_daemon() -> int:
    from stewardmon.cli.client import Daemon, here

    try:
        click.echo(Daemon(here(), "").get("/readyz")["detail"])
    except StewardmonError as error:
        click.echo(str(error), err=True)
        return 1
    return 0
