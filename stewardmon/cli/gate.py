"""`stewardmon gate`: may a deployment go on? The answer is the exit code."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stewardmon.cli.client import Daemon, with_daemon
from stewardmon.errors import UsageError

if TYPE_CHECKING:
    from stewardmon.rehearsal.gate import Streak, Wanted

HOLD: Final = 3  # neither yes nor no: ask again later
_LONGEST_AUDIT: Final = 120.0  # seconds


@click.group()
def command() -> None:
    """Say whether a deployment may go on: exit 0 yes, 1 no, 2 wrong use, 3 not yet (canary)."""


def _streak_options(function: Any) -> Any:
    for option in (
        click.option("--times", default=3, show_default=True, type=click.IntRange(1, 1000)),
        click.option("--every", default=2.0, show_default=True, type=click.FloatRange(0.05, 3600)),
        click.option("--within", default=120.0, show_default=True, help="Seconds for all of it.",
                     type=click.FloatRange(0.1, 86400)),
        click.option("--timeout", default=10.0, show_default=True, type=click.FloatRange(0.1, 300)),
        click.option("--path", default="/api/health", show_default=True),
        click.option("--json", "as_json", is_flag=True, help="For programs."),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command("healthy")
@click.argument("url")
@click.option("--version", default="", help="The version that must answer.")
@click.option("--former", default="", help="The version that must not answer any more.")
@_streak_options
def healthy(url: str, version: str, former: str, path: str, *, as_json: bool, **how: Any) -> int:
    """Wait until the app at URL is healthy several times in a row, in the version expected."""
    from stewardmon.rehearsal.gate import Wanted

    wanted = Wanted(version=version, former=former, **how)
    streak = asyncio.run(_wait(url, wanted, path))
    return _told(streak, as_json=as_json, question="healthy")


@command.command("green")
@click.argument("blue")
@click.argument("green")
@click.option("--version", default="", help="The version that green must answer with.")
@_streak_options
def green(blue: str, green: str, version: str, path: str, *, as_json: bool, **how: Any) -> int:
    """Say whether traffic may switch from BLUE to GREEN: green is healthy, blue can take it back.

    A blue that is down does not forbid the switch (it may be why one switches), and is said.
    """
    from stewardmon.rehearsal.gate import Wanted

    streak = asyncio.run(_wait(green, Wanted(version=version, **how), path))
    once = Wanted(times=1, every=how["every"], within=how["every"], timeout=how["timeout"])
    back = asyncio.run(_wait(blue, once, path))
    return _told(
        streak,
        as_json=as_json,
        question="switch to green",
        more={"blue": {"healthy": back.held, "detail": back.detail}},
        note="" if back.held else f"blue is not healthy, no way back: {back.detail}",
    )


async def _wait(url: str, wanted: Wanted, path: str) -> Streak:
    from stewardmon.clock import SystemClock
    from stewardmon.ports import Context
    from stewardmon.rehearsal import gate

    clock = SystemClock()
    shared = Context(clock=clock, user_agent="stewardmon-gate")
    versioned = bool(wanted.version or wanted.former)
    look = gate.healthy(url, shared, timeout=wanted.timeout, path=path, versioned=versioned)
    return await gate.wait_for(look, wanted, clock)


def _told(
    streak: Streak,
    *,
    as_json: bool,
    question: str,
    more: dict[str, Any] | None = None,
    note: str = "",
) -> int:
    if as_json:
        body = {
            "ok": streak.held,
            "good": streak.good,
            "asked": streak.asked,
            "version": streak.version,
            "detail": streak.detail,
            **(more or {}),
        }
        click.echo(json.dumps(body, indent=2))
    else:
        click.echo(f"{question}: {'yes' if streak.held else 'no'}: {streak.detail}")
        if note:
            click.echo(note)
    return 0 if streak.held else 1


@command.command("canary")
@click.option("--baseline", default="", help="The probe of the old version, in the daemon.")
@click.option("--canary", "fresh", default="", help="The probe of the new one.")
@click.option("--figures", type=click.File(), help="Or a JSON file: baseline and canary, each "
              "with requests, errors and p95 in seconds; - reads them from a pipe.")  # fmt: skip
@click.option("--window", default="10m", show_default=True, help="What counts of the probes.")
@click.option("--step", default="5", show_default=True, type=click.Choice(("5", "25", "50", "100")),
              help="The share of the traffic that the canary has now, in percent.")  # fmt: skip
@click.option("--samples", default=50, show_default=True, type=click.IntRange(1),
              help="Fewer requests in either group hold.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def canary(
    daemon: Daemon,
    *,
    baseline: str,
    fresh: str,
    figures: Any,
    window: str,
    step: str,
    samples: int,
    as_json: bool,
) -> int:
    """Compare a canary with its baseline: promote (0), abort (1), or hold (3).

    A group without data never passes; low traffic holds; a difference that chance explains does
    not abort.
    """
    from stewardmon.domain.canary import Decision, Limits, decide, group_of

    if figures is not None:
        from stewardmon.rehearsal.npm import parsed

        given = parsed(figures.read(), "the figures are no JSON")
        if not isinstance(given, dict):
            raise UsageError("the figures must be an object with baseline and canary")
        groups = [group_of(name, given.get(name)) for name in ("baseline", "canary")]
    elif baseline and fresh:
        groups = [_counted(daemon, name, window) for name in (baseline, fresh)]
    else:
        raise UsageError("name the probes with --baseline and --canary, or give --figures")
    verdict = decide(groups[0], groups[1], Limits(samples=samples), step=int(step))
    if as_json:
        body = {
            "decision": verdict.decision.value,
            "reasons": list(verdict.reasons),
            "step": int(step),
            "next_step": verdict.next_step,
        }
        click.echo(json.dumps(body, indent=2))
    else:
        onward = f" to {verdict.next_step} %" if verdict.next_step else ""
        click.echo(f"{verdict.decision.value}{onward}: {'; '.join(verdict.reasons)}")
    return {Decision.PROMOTE: 0, Decision.ABORT: 1, Decision.HOLD: HOLD}[verdict.decision]


def _counted(daemon: Daemon, probe: str, window: str) -> Any:
    from stewardmon.rehearsal.gate import counted

    if not re.fullmatch(r"[\w.-]{1,100}", probe) or not re.fullmatch(r"\d{1,6}[smhd]", window):
        raise UsageError("a probe has the name of probes.yml, a window is written as 10m")

    def query(expr: str) -> float | None:
        found = daemon.get("/api/v1/query", query=expr)["data"]["result"]
        return float(found[0]["value"][1]) if found else None

    return counted(query, probe, window)


@command.command("deployed")
@click.argument("version")
@click.option("--by", envvar="USER", default="", help="Who or what deployed it.")
@click.option("--note", default="", help="What else is to be known: blue to green, a rollback.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@with_daemon
def deployed(daemon: Daemon, *, version: str, by: str, note: str, as_json: bool) -> int:
    """Tell the daemon that VERSION is live: a line on charts and in incidents that are open."""
    made = daemon.post("/api/deploys", {"version": version, "by": by, "note": note})
    click.echo(json.dumps(made, indent=2) if as_json else f"deploy of {version} noted")
    return 0


@command.command("audit")
@click.argument("source", type=click.Path(path_type=Path, allow_dash=True), default=Path())
@click.option("--level", default="high", show_default=True,
              type=click.Choice(("info", "low", "moderate", "high", "critical")),
              help="Holes of this level and above forbid it.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def audit(source: Path, level: str, *, as_json: bool) -> int:
    """Read `npm audit --json` and package-lock.json: known holes forbid a deployment.

    SOURCE is a report, a package-lock.json, - for a pipe, or a folder: there npm is run, and the
    lock file is read for the framework's own holes.
    """
    from stewardmon.domain.audit import read_audit, read_lock, worst
    from stewardmon.rehearsal.npm import holes_of, parsed, text_of

    if source.is_dir():
        holes, unasked = holes_of(source, timeout=_LONGEST_AUDIT)
        if unasked:
            if not worst(holes, level=level):
                # Nothing is known to be open, and nothing to be well.
                raise UsageError(unasked)
            click.echo(unasked, err=True)
    else:
        text = sys.stdin.read() if str(source) == "-" else text_of(source)
        value = parsed(text, f"{source} is no JSON")
        locked = isinstance(value, dict) and "lockfileVersion" in value
        holes = read_lock(value) if locked else read_audit(value)
    bad = worst(holes, level=level)
    if as_json:
        found = [{"package": one.package, "level": one.level, "detail": one.text} for one in bad]
        click.echo(json.dumps({"ok": not bad, "known": len(holes), "holes": found}, indent=2))
    else:
        for one in bad:
            click.echo(f"{one.level:<8} {one.text}")
        click.echo(f"{len(bad)} of {len(holes)} known holes are {level} or above")
    return 1 if bad else 0


@command.command("page")
@click.argument("url")
@click.option("--budget", default=2_000_000, show_default=True, type=click.IntRange(1),
              help="Bytes that the page and its own scripts and styles may come to.")  # fmt: skip
@click.option("--timeout", default=20.0, show_default=True, type=click.FloatRange(0.1, 300))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def page(url: str, budget: int, timeout: float, *, as_json: bool) -> int:
    """Weigh the page at URL against a budget of bytes."""
    from stewardmon.clock import SystemClock
    from stewardmon.ports import Context
    from stewardmon.rehearsal import gate

    shared = Context(clock=SystemClock(), user_agent="stewardmon-gate")
    outcome = asyncio.run(gate.weigh(url, budget, shared, timeout=timeout))
    if as_json:
        sizes = {one.name: one.value for one in outcome.measurements if one.name.endswith("_bytes")}
        body = {"ok": outcome.success, "detail": outcome.detail, **sizes}
        click.echo(json.dumps(body, indent=2))
    else:
        click.echo(f"the page may go out: {'yes' if outcome.success else 'no'}: {outcome.detail}")
    return 0 if outcome.success else 1
