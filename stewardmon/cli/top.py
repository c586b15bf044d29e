"""`stewardmon top`: the status page in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from shutil import get_terminal_size
from threading import Event
from typing import Any, Final

import click

from stewardmon.cli.client import Daemon, with_daemon
from stewardmon.errors import StewardmonError

_COURSE: Final = timedelta(minutes=15)
_POINTS: Final = 30
_CLEAR: Final = "\x1b[H\x1b[2J"  # home, and everything gone (ECMA-48)
#: Colour never alone: each state has its sign and its word.
_SIGNS: Final = {
    "up": ("●", "green"),
    "degraded": ("◐", "yellow"),
    "down": ("✕", "red"),
    "misconfigured": ("⚠", "yellow"),
    "unknown": ("?", "bright_black"),
}
_TONES: Final = {"fine": "green", "poor": "yellow", "bad": "red", "taken": "cyan"}
_WORST_FIRST: Final = ("down", "misconfigured", "degraded", "unknown", "up")

Json = Mapping[str, Any]
Cell = str | tuple[str, str]  # a text, or a text and its colour


@click.command()
@click.option("--every", type=click.FloatRange(min=0.5), default=2.0, show_default=True,
              help="Seconds between two looks.")  # fmt: skip
@click.option("--once", is_flag=True, help="Look once and end; so it is where no terminal is.")
@with_daemon
def command(daemon: Daemon, *, every: float, once: bool) -> None:
    """Show what the status page shows, brought up to date until you press Ctrl-C."""
    shown = screen(look(daemon), width=get_terminal_size((100, 24)).columns)
    if once or not sys.stdout.isatty():
        click.echo(shown)
        return
    waiting = Event()
    while True:
        click.echo(_CLEAR + shown)
        waiting.wait(every)
        try:
            shown = screen(look(daemon), width=get_terminal_size().columns)
        except StewardmonError as error:
            shown = click.style(str(error), fg="red")


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


def screen(seen: Json, *, width: int) -> str:
    """Return everything as lines of at most `width` columns, the most urgent first."""
    status = seen["status"]
    now = datetime.fromisoformat(status["now"])
    parts = [[click.style(status["headline"], fg=_TONES.get(status["tone"]), bold=True)]]
    if status["incidents"]:
        parts.append(_incidents(status["incidents"], now, width))
    parts.append(_probes(status["probes"], seen["courses"], width))
    if seen["oncall"]["rotations"]:
        parts.append(_oncall(seen["oncall"], width))
    parts.append(list(_own_words(status, now)))
    return "\n\n".join("\n".join(lines) for lines in parts)


def _incidents(incidents: Sequence[Json], now: datetime, width: int) -> list[str]:
    rows: list[tuple[Cell, ...]] = []
    for one in incidents:
        opened = datetime.fromisoformat(one["opened_at"])
        by = f" by {one['acknowledged_by']}" if one["acknowledged_by"] else ""
        rows.append(
            (
                one["id"],
                (one["severity"], "red" if one["severity"] == "critical" else "yellow"),
                f"{one['state']}{by}",
                _ago(now - opened),
                str(one["reached_level"] or ""),
                one["title"],
            )
        )
    return _table(("Incident", "Severity", "State", "Since", "Level", "Title"), rows, width)


def _probes(
    probes: Sequence[Json], courses: Mapping[str, Sequence[float]], width: int
) -> list[str]:
    from stewardmon.domain.display import sparkline

    rows: list[tuple[Cell, ...]] = []
    for one in sorted(probes, key=lambda probe: _WORST_FIRST.index(probe["state"])):
        sign, colour = _SIGNS[one["state"]]
        seconds = one.get("duration_seconds")
        detail = one["detail"] if one["state"] != "up" else ""
        rows.append(
            (
                one["probe"],
                one["job"],
                (f"{sign} {one['state']}", colour),
                "" if seconds is None else f"{seconds * 1000:,.0f} ms",
                sparkline(courses.get(one["probe"], ())),
                " ".join(filter(None, (one["reason"] if one["reason"] != "ok" else "", detail))),
            )
        )
    return _table(("Probe", "Job", "State", "Time", "15 minutes", "What it says"), rows, width)


def _oncall(oncall: Json, width: int) -> list[str]:
    rows: list[tuple[Cell, ...]] = []
    for one in oncall["rotations"]:
        until = "" if one["until"] is None else one["until"][:16].replace("T", " ")
        rows.append((one["rotation"], one["name"] or "nobody", until, one["next"] or "nobody"))
    return _table(("Rotation", "On call", "Until", "Next"), rows, width)


def _own_words(status: Json, now: datetime) -> Iterator[str]:
    up = _ago(now - datetime.fromisoformat(status["started_at"]))
    yield f"stewardmon {status['version']} ({status['location']}), running for {up}"
    yield status["detail"] if not status["ready"] else "ready to page"
    if status["config_error"]:
        yield "the configuration on disk does not load"
    if status["waiting_messages"]:
        yield f"{status['waiting_messages']} messages wait to be sent"


def _table(heads: Sequence[str], rows: Sequence[tuple[Cell, ...]], width: int) -> list[str]:
    """Return aligned columns; what does not fit into the width is cut off at the end."""
    cells = [[_pair(cell) for cell in row] for row in (tuple(heads), *rows)]
    rooms = [max(len(row[place][0]) for row in cells) for place in range(len(heads))]
    lines = []
    for number, row in enumerate(cells):
        left, shown = width, ""
        for (text, colour), room in zip(row, rooms, strict=True):
            part = f"{text:<{room}}  "[: max(0, left)]
            shown += click.style(part, fg=colour or None, bold=number == 0)
            left -= len(part)
        lines.append(shown)
    return lines


def _pair(cell: Cell) -> tuple[str, str]:
    """Return the text on one line, and its colour."""
    text, colour = (cell, "") if isinstance(cell, str) else cell
    return " ".join(text.split()), colour


def _ago(passed: timedelta) -> str:
    from stewardmon.domain.display import format_since

    return format_since(max(timedelta(0), passed))
