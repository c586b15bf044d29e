"""`stewardmon preflight`: the guide's check-lists, once, before or after a deployment."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from typing import TYPE_CHECKING

import click

from stewardmon.errors import UsageError

if TYPE_CHECKING:
    from stewardmon.rehearsal.preflight import Line


@click.command()
@click.argument("lists", nargs=-1)
@click.option("--version", help="The version that must answer after a deployment.")
@click.option("--strict", is_flag=True, help="What is not known is a failure too.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(lists: tuple[str, ...], version: str | None, *, strict: bool, as_json: bool) -> int:
    """Go through check-lists (all, if none is named); exit 1 if anything fails."""
    from stewardmon.clock import SystemClock
    from stewardmon.ports import Context
    from stewardmon.rehearsal.preflight import NAMES, Flight, Verdict, preflight

    wrong = [name for name in lists if name not in NAMES]
    if wrong:
        raise UsageError(f"there is no check-list {wrong[0]!r}; there are {', '.join(NAMES)}")
    shared = Context(clock=SystemClock(), user_agent="stewardmon-preflight")
    flight = Flight(environ=os.environ, shared=shared, version=version or "")
    lines = asyncio.run(preflight(lists or ("all",), flight))
    counts = Counter(line.verdict for line in lines)
    failed = bool(counts[Verdict.FAIL] or (strict and counts[Verdict.UNKNOWN]))
    if as_json:
        checks = [
            {
                "list": line.list,
                "check": line.check,
                "verdict": line.verdict.value,
                "detail": line.detail,
            }
            for line in lines
        ]
        summary = {verdict.value: counts[verdict] for verdict in Verdict}
        click.echo(json.dumps({"ok": not failed, **summary, "checks": checks}, indent=2))
    else:
        _print(lines)
        said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
        click.echo(f"{said}: {'no' if failed else 'go'}")
    return 1 if failed else 0


def _print(lines: list[Line]) -> None:
    width = min(32, max((len(line.check) for line in lines), default=0))
    shown = ""
    for line in lines:
        if line.list != shown:
            shown = line.list
            click.echo(shown)
        click.echo(f"  {line.verdict.value:<8} {line.check:<{width}}  {line.detail}".rstrip())
