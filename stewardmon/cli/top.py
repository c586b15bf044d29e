"""`stewardmon top`: the status page in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import click

from stewardmon.cli.client import Daemon, with_daemon
from stewardmon.errors import StewardmonError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

_COURSE: Final = timedelta(minutes=15)
_POINTS: Final = 30
#: Colour never alone: each state has its sign and its word.
_SIGNS: Final = {
    "up": ("●", "green"),
    "degraded": ("◐", "yellow"),
    "down": ("✕", "red"),
    "misconfigured": ("⚠", "yellow"),
    "unknown": ("?", "bright_black"),
}
_TONES: Final = {"fine": "green", "poor": "yellow", "bad": "red", "taken": "cyan", "none": "white"}
_WORST_FIRST: Final = ("down", "misconfigured", "degraded", "unknown", "up")

Json = Mapping[str, Any]


@click.command()
@click.option("--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True,
              help="Seconds between two looks.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look once and end; so it is where no terminal is.")
@with_daemon
def command(daemon: Daemon, *, every: float, once: bool) -> None:
    """Show what the status page shows, brought up to date until you press Ctrl-C."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    first = screen(look(daemon))
    if once or not console.is_terminal:
        console.print(first)
        return
    waiting = Event()
    with Live(first, console=console, screen=True, auto_refresh=False) as shown:
        while not waiting.wait(every):
            try:
                shown.update(screen(look(daemon)), refresh=True)
            except StewardmonError as error:
                shown.update(Text(str(error), style="red"), refresh=True)


def look(daemon: Daemon) -> dict[str, Any]:
    """Return what is shown: the status, who is on call, each probe's duration lately."""
    status = daemon.get("/api/status")
    end = datetime.fromisoformat(status["now"])
    found = daemon.get(
        "/api/v1/query_range",
        query="max by (probe) (probe_duration_seconds)",
        start=(end - _COURSE).timestamp(),
        end=end.timestamp(),
        step=_COURSE.total_seconds() / _POINTS,
    )
    courses = {
        one["metric"]["probe"]: [float(value) for _, value in one["values"]]
        for one in found["data"]["result"]
    }
    return {"status": status, "oncall": daemon.get("/api/oncall"), "courses": courses}


def screen(seen: Json) -> RenderableType:
    """Return everything as rich draws it, the most urgent first."""
    from rich.console import Group
    from rich.text import Text

    status = seen["status"]
    now = datetime.fromisoformat(status["now"])
    head = Text(status["headline"], style=f"bold {_TONES.get(status['tone'], 'white')}")
    parts: list[RenderableType] = [head, Text()]
    if status["incidents"]:
        parts += [_incidents(status["incidents"], now), Text()]
    parts += [_probes(status["probes"], seen["courses"]), Text()]
    if seen["oncall"]["rotations"]:
        parts += [_oncall(seen["oncall"]), Text()]
    parts.append(Text(_own(status, now), style="bright_black"))
    return Group(*parts)


def _incidents(incidents: Sequence[Json], now: datetime) -> Table:
    table = _table("Incident", "Severity", "State", "Since", "Level", "Title")
    for one in incidents:
        opened = datetime.fromisoformat(one["opened_at"])
        by = f" by {one['acknowledged_by']}" if one["acknowledged_by"] else ""
        _add(
            table,
            one["id"],
            (one["severity"], "red" if one["severity"] == "critical" else "yellow"),
            f"{one['state']}{by}",
            _ago(now - opened),
            str(one["reached_level"] or ""),
            one["title"],
        )
    return table


def _probes(probes: Sequence[Json], courses: Mapping[str, Sequence[float]]) -> Table:
    from stewardmon.domain.display import sparkline

    table = _table("Probe", "Job", "State", "Time", "15 minutes", "What it says")
    for one in sorted(probes, key=lambda probe: _WORST_FIRST.index(probe["state"])):
        sign, colour = _SIGNS[one["state"]]
        seconds = one.get("duration_seconds")
        detail = one["detail"] if one["state"] != "up" else ""
        _add(
            table,
            one["probe"],
            one["job"],
            (f"{sign} {one['state']}", colour),
            "" if seconds is None else f"{seconds * 1000:,.0f} ms",
            sparkline(courses.get(one["probe"], ())),
            " ".join(filter(None, (one["reason"] if one["reason"] != "ok" else "", detail))),
        )
    return table


def _oncall(oncall: Json) -> Table:
    table = _table("Rotation", "On call", "Until", "Next")
    for one in oncall["rotations"]:
        until = "" if one["until"] is None else one["until"][:16].replace("T", " ")
        _add(table, one["rotation"], one["name"] or "nobody", until, one["next"] or "nobody")
    return table


def _own(status: Json, now: datetime) -> str:
    return "; ".join(_own_words(status, now))


def _own_words(status: Json, now: datetime) -> Iterator[str]:
    up = _ago(now - datetime.fromisoformat(status["started_at"]))
    yield f"stewardmon {status['version']} ({status['location']}), running for {up}"
    yield status["detail"] if not status["ready"] else "ready to page"
    if status["config_error"]:
        yield "the configuration on disk does not load"
    if status["waiting_messages"]:
        yield f"{status['waiting_messages']} messages wait to be sent"


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for name in columns[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(columns[-1], overflow="ellipsis", no_wrap=True, ratio=1)
    return table


def _add(table: Table, *cells: str | tuple[str, str]) -> None:
    """Add a row; what stands in a cell is text, never rich's markup."""
    from rich.text import Text

    pairs = ((cell, "") if isinstance(cell, str) else cell for cell in cells)
    table.add_row(*(Text(text, style=style) for text, style in pairs))


def _ago(passed: timedelta) -> str:
    from stewardmon.domain.display import format_since

    return format_since(max(timedelta(0), passed))
