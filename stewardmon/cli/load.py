"""`stewardmon load`: the guide's load test, bounded, and only where it is meant."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import click

from stewardmon.errors import UsageError

HOLD: Final = 3  # neither yes nor no: too little came back to judge


@click.command()
@click.argument("url", default="")
@click.option("--path", "paths", multiple=True, default=("/",), show_default=True,
              help="What is asked, with GET; several take turns.")  # fmt: skip
@click.option("--users", default=10, show_default=True, type=click.IntRange(1, 50),
              help="How many ask at once.")  # fmt: skip
@click.option("--requests", default=200, show_default=True, type=click.IntRange(1, 5000))
@click.option("--seconds", default=30.0, show_default=True, type=click.FloatRange(0.1, 120),
              help="No request begins later than this.")  # fmt: skip
@click.option("--timeout", default=10.0, show_default=True, type=click.FloatRange(0.1, 30),
              help="Seconds for one answer.")  # fmt: skip
@click.option("--confirm", default="", metavar="HOST", help="Needed for any other machine.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(url: str, paths: tuple[str, ...], confirm: str, *, as_json: bool, **how: Any) -> int:
    """Load URL (NEXT_PUBLIC_APP_URL on this machine) and judge it by the guide's benchmarks.

    A target that is not this machine must be written here and confirmed by its host's name. Exit 0
    where every benchmark that can be judged holds, 1 where one does not, 3 where too little came
    back.
    """
    from stewardmon.cli.verdicts import tell
    from stewardmon.clock import SystemClock
    from stewardmon.ports import Context
    from stewardmon.rehearsal.checks.flight import Flight, Line, Verdict
    from stewardmon.rehearsal.load import LIST, Load, guard, judge, run

    target = url or os.environ.get("NEXT_PUBLIC_APP_URL", "")
    if not target:
        raise UsageError("name the URL to load, or set NEXT_PUBLIC_APP_URL")
    load = Load(url=target, paths=paths, **how)
    guard(load, confirm if url else "")
    shared = Context(clock=SystemClock(), user_agent="stewardmon-load")
    flight = Flight(environ=os.environ, shared=shared, timeout=load.timeout)
    tally = asyncio.run(run(load, flight))
    lines = [Line(LIST, *found) for found in asyncio.run(judge(tally, flight))]
    ok = not any(line.verdict is Verdict.FAIL for line in lines)
    more = {
        "asked": tally.asked,
        "failed": tally.failed.total(),
        "limited": tally.limited,
        "seconds": round(tally.took, 3),
    }
    tell(lines, ok=ok, as_json=as_json, more=more)
    if ok and lines[0].verdict is Verdict.UNKNOWN:
        return HOLD
    return 0 if ok else 1
