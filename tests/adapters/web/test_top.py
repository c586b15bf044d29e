"""`stewardmon top`: the status page in a terminal, of a served daemon."""

from __future__ import annotations

import asyncio
from typing import Any

import click
from click.testing import CliRunner, Result

from stewardmon.cli import stewardmon
from stewardmon.cli.top import screen
from stewardmon.errors import StewardmonError
from tests.support.site import TOKEN, Site
from tests.support.waiting import until_async

QUIET: dict[str, Any] = {
    "headline": "Everything is well.",
    "tone": "fine",
    "version": "1",
    "location": "here",
    "now": "2026-11-26T12:00:00+00:00",
    "started_at": "2026-11-26T09:00:00+00:00",
    "ready": True,
    "detail": "ready",
    "config_error": "",
    "waiting_messages": 0,
    "incidents": [],
    "probes": [],
}


async def top(url: str) -> Result:
    arguments = ["top", "--url", url, "--token", TOKEN]
    return await asyncio.to_thread(CliRunner().invoke, stewardmon, arguments)


def drawn(width: int = 100, **changes: Any) -> str:
    seen = {"status": {**QUIET, **changes}, "oncall": {"rotations": []}, "courses": {}}
    return click.unstyle(screen(seen, width=width))


async def test_it_says_what_the_page_says(site: Site) -> None:
    async def answered() -> bool:
        return len(site.daemon.running.live.observations.latest) == 3

    await until_async(answered, what="every probe has answered")
    said = await top(site.url)
    assert said.exit_code == 0, said.output
    assert "Everything is well." in said.output
    for probe in ("app", "database", "openai"):
        assert probe in said.output


async def test_an_outage_comes_first_with_its_incident(site: Site) -> None:
    site.daemon.platform.database.goes_down()
    ident = await site.incident()
    said = (await top(site.url)).output
    lines = [line.strip() for line in said.splitlines()]
    assert "Database Issues (database): nobody has answered yet." in lines
    assert any(line.startswith(ident) and "critical" in line for line in lines)
    states = [line for line in lines if line.split()[:1] in (["app"], ["database"], ["openai"])]
    assert states[0].startswith("database")
    assert "✕ down" in states[0]
    assert "refused" in states[0]


async def test_where_nothing_listens_it_is_one_sentence(site: Site) -> None:
    said = await top("http://127.0.0.1:1")
    assert said.exit_code == 1
    assert isinstance(said.exception, StewardmonError)
    assert "no stewardmon answers at http://127.0.0.1:1" in str(said.exception)


def test_brackets_in_a_title_are_text() -> None:
    incident = {
        "id": "i1",
        "title": "[red]Disk[/nothing] full [/]",
        "severity": "warning",
        "state": "acknowledged",
        "opened_at": "2026-11-26T11:18:00+00:00",
        "acknowledged_by": "dev-a",
        "reached_level": 2,
    }
    said = drawn(incidents=[incident])
    assert "[red]Disk[/nothing] full [/]" in said
    assert "acknowledged by dev-a" in said
    assert "42 min" in said


def test_a_narrow_terminal_cuts_what_probes_say_and_nothing_else() -> None:
    probe = {"probe": "app", "job": "app", "state": "down", "reason": "body", "detail": "x" * 500}
    said = drawn(width=70, probes=[probe])
    assert max(map(len, said.splitlines())) <= 70
    assert "✕ down" in said


def test_trouble_of_our_own_is_said() -> None:
    said = drawn(ready=False, detail="the disk is full", config_error="x", waiting_messages=3)
    assert "the disk is full" in said
    assert "the configuration on disk does not load" in said
    assert "3 messages wait" in " ".join(said.split())
