"""Debian's amtool against stewardmon: every sub-command that people use."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.live import listening
from tests.support.peers import amtool, needs_peer

pytestmark = needs_peer("amtool")
Result = subprocess.CompletedProcess[str]


class Tool:
    """amtool at one address, run beside the event loop that answers it."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def __call__(self, *arguments: str | Path) -> str:
        result = await self.result(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    async def result(self, *arguments: str | Path) -> Result:
        return await asyncio.to_thread(amtool, *arguments, url=self.url)

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments, "-o", "json"))


@pytest.fixture
async def tool(tmp_path: Path) -> AsyncIterator[Tool]:
    async with listening(tmp_path) as running:
        yield Tool(running.url)


async def test_an_added_alert_is_shown(tool: Tool) -> None:
    await tool("alert", "add", "Disk", "job=app", "severity=critical", "--annotation=summary=full")
    [alert] = await tool.json("alert", "query")
    assert alert["labels"] == {"alertname": "Disk", "job": "app", "severity": "critical"}
    assert alert["annotations"] == {"summary": "full"}
    assert alert["status"]["state"] == "active"
    assert alert["receivers"] == [{"name": "matrix"}]
    assert "Disk" in await tool("alert", "query", "-o", "extended", "job=~ap.")
    assert await tool.json("alert", "query", "job=other") == []
    assert await tool.json("alert", "query", "--receiver=calm") == []


async def test_an_alert_added_with_its_end_is_over(tool: Tool) -> None:
    await tool("alert", "add", "Disk", "job=app")
    await tool("alert", "add", "Disk", "job=app", "--end=2026-01-01T00:00:00Z")
    assert await tool.json("alert", "query") == []


async def test_a_silence_lives_its_life(tool: Tool, tmp_path: Path) -> None:
    await tool("alert", "add", "Disk", "job=app", "severity=critical")
    ident = (await tool("silence", "add", "Disk", "job=app", "-c", "moving", "-a", "me")).strip()
    assert await tool.json("alert", "query") == []
    [silenced] = await tool.json("alert", "query", "--silenced")
    assert silenced["status"] == {"inhibitedBy": [], "silencedBy": [ident], "state": "suppressed"}
    [shown] = await tool.json("silence", "query", "job=app")
    assert (shown["id"], shown["createdBy"], shown["comment"]) == (ident, "me", "moving")
    [updated] = await tool.json("silence", "update", "-d", "3h", "-c", "longer", ident)
    assert (updated["id"], updated["comment"]) == (ident, "longer")
    assert await tool("silence", "query", "-q") == f"{ident}\n"
    backup = tmp_path / "silences.json"
    backup.write_text(await tool("silence", "query", "-o", "json"))
    await tool("silence", "expire", ident)
    assert await tool("silence", "query", "-q") == ""
    assert await tool("silence", "query", "--expired", "-q") == f"{ident}\n"
    assert len(await tool.json("alert", "query")) == 1
    await tool("silence", "import", backup)
    [imported] = await tool.json("silence", "query")
    assert imported["matchers"] == shown["matchers"]
    assert await tool.json("alert", "query") == []


async def test_a_silence_of_everything_is_asked_for_twice(tool: Tool) -> None:
    first = await tool.result("silence", "add", "alertname=~.+", "-c", "quiet")
    assert first.returncode == 1
    assert "ask for it again within 5 minutes" in first.stderr
    await tool("silence", "add", "alertname=~.+", "-c", "quiet")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("alertname=~.*",), "must not match the empty string"),
        (("a=b", "--start=2020-01-01T00:00:00Z", "--end=2020-01-02T00:00:00Z"), "in the past"),
    ],
)
async def test_a_silence_that_cannot_be_is_refused(
    tool: Tool, arguments: tuple[str, ...], says: str
) -> None:
    result = await tool.result("silence", "add", *arguments, "-c", "why")
    assert result.returncode == 1
    assert says in result.stderr


async def test_expiring_what_is_not_there_fails(tool: Tool) -> None:
    result = await tool.result("silence", "expire", "7c1e5b52-0000-4000-8000-000000000000")
    assert result.returncode == 1


async def test_an_inhibited_alert_is_shown_as_such(tool: Tool) -> None:
    await tool("alert", "add", "Down", "instance=i", "severity=critical")
    await tool("alert", "add", "Slow", "instance=i", "severity=warning")
    assert [one["labels"]["alertname"] for one in await tool.json("alert", "query")] == ["Down"]
    [slow] = await tool.json("alert", "query", "--inhibited")
    assert slow["labels"]["alertname"] == "Slow"


async def test_the_configuration_is_alertmanagers(tool: Tool, tmp_path: Path) -> None:
    shown = tmp_path / "alertmanager.yml"
    shown.write_text(await tool("config", "show"))
    assert "SUCCESS" in await tool("check-config", shown)
    tree = await tool("config", "routes", "show")
    assert 'severity="warning"}  receiver: calm' in tree
    assert "uptime" in (await tool("config", "show", "-o", "extended")).lower()


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [("severity=warning", "calm"), ("team=b", "calm"), ("severity=critical", "matrix")],
)
async def test_routes_are_tested_as_we_route(tool: Tool, labels: str, receiver: str) -> None:
    told = await tool("config", "routes", "test", labels, f"--verify.receivers={receiver}")
    assert told == f"{receiver}\n"
    wrong = await tool.result("config", "routes", "test", labels, "--verify.receivers=other")
    assert wrong.returncode != 0


async def test_the_cluster_is_ourselves(tool: Tool) -> None:
    assert "disabled" in await tool("cluster", "show")


async def test_with_a_token_writing_needs_it_and_reading_does_not(tmp_path: Path) -> None:
    async with listening(tmp_path, token="s3cret") as running:
        tool = Tool(running.url)
        refused = await tool.result("silence", "add", "a=b", "-c", "x")
        assert refused.returncode == 1
        assert await tool.json("silence", "query") == []
        for credentials in (
            "basic_auth: {username: me, password: s3cret}",
            "authorization: {credentials: s3cret}",
        ):
            config = tmp_path / "http.yml"
            config.write_text(credentials)
            await tool(f"--http.config.file={config}", "silence", "add", "a=b", "-c", "x")
        assert len(await tool.json("silence", "query")) == 2
