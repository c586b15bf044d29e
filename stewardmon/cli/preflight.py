"""`stewardmon preflight`: the guide's check-lists, once, before or after a deployment."""

from __future__ import annotations

import asyncio
import os

import click

from stewardmon.errors import UsageError


@click.command()
@click.argument("lists", nargs=-1)
@click.option("--version", help="The version that must answer after a deployment.")
@click.option("--timeout", type=click.FloatRange(min=0.1, max=600),
              help="Seconds for any one question; 7 if none are given.")  # fmt: skip
@click.option("--strict", is_flag=True, help="What is not known is a failure too.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    lists: tuple[str, ...],
    version: str | None,
    timeout: float | None,
    *,
    strict: bool,
    as_json: bool,
) -> int:
    """Go through check-lists (all, if none is named); exit 1 if anything fails."""
    from stewardmon.cli.verdicts import tell
    from stewardmon.clock import SystemClock
    from stewardmon.ports import Context
    from stewardmon.rehearsal.checks.flight import TIMEOUT, Flight, Verdict
    from stewardmon.rehearsal.preflight import NAMES, preflight

    wrong = [name for name in lists if name not in NAMES]
    if wrong:
        raise UsageError(f"there is no check-list {wrong[0]!r}; there are {', '.join(NAMES)}")
    shared = Context(clock=SystemClock(), user_agent="stewardmon-preflight")
    limit = timeout or TIMEOUT
    flight = Flight(environ=os.environ, shared=shared, version=version or "", timeout=limit)
    lines = asyncio.run(preflight(lists or ("all",), flight))
    forbidding = {Verdict.FAIL, Verdict.UNKNOWN} if strict else {Verdict.FAIL}
    ok = not any(line.verdict in forbidding for line in lines)
    tell(lines, ok=ok, as_json=as_json)
    return 0 if ok else 1
