"""On call, maintenance, silences and drills through a real daemon: its API and the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from click import Command
from click.testing import CliRunner

from stewardmon.cli.oncall import command as oncall
from stewardmon.cli.silence import command as silence
from stewardmon.process import Running
from tests.support.http_receiver import HttpReceiver
from tests.support.live import ONCALL, listening
from tests.support.plain import NO_TLS
from tests.support.waiting import until_async

TOKEN = "s3cret"
ROTATION = ONCALL + (
    """
rotations:
  primary: {people: [dev, senior], timezone: UTC, handover: "Mon 09:00", start: 2026-01-05}
"""
)


@pytest.fixture
async def pager() -> AsyncIterator[HttpReceiver]:
    async with HttpReceiver() as receiver:
        yield receiver


@pytest.fixture
async def daemon(tmp_path: Path, pager: HttpReceiver) -> AsyncIterator[Running]:
    files = {"oncall.yml": ROTATION}
    async with listening(tmp_path, pager=pager.url, token=TOKEN, files=files) as running:
        yield running


@pytest.fixture
async def client(daemon: Running) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(
        base_url=daemon.url, headers=headers, verify=NO_TLS, trust_env=False
    ) as asking:
        yield asking


async def run(daemon: Running, command: Command, *arguments: str) -> tuple[int, str]:
    """Run a command beside the event loop that answers it."""
    where = ["--url", daemon.url, "--token", TOKEN]
    result = await asyncio.to_thread(
        CliRunner().invoke, command, [*arguments, *where], standalone_mode=False
    )
    code = result.return_value if isinstance(result.return_value, int) else result.exit_code
    return code, result.output + (str(result.exception) if result.exception else "")


async def test_an_override_is_added_shown_and_taken_back(client: httpx.AsyncClient) -> None:
    body = {"rotation": "primary", "person": "senior", "for": "2h"}
    added = await client.post("/api/oncall/overrides", json=body)
    assert added.status_code == 201
    shown = (await client.get("/api/oncall/overrides")).json()["overrides"]
    assert [(one["rotation"], one["person"]) for one in shown] == [("primary", "senior")]
    await client.delete(f"/api/oncall/overrides/{added.json()['id']}")
    assert (await client.get("/api/oncall/overrides")).json() == {"overrides": []}


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"rotation": "nope", "person": "dev", "for": "2h"}, 409, "no rotation 'nope'"),
        ({"rotation": "primary", "person": "nope", "for": "2h"}, 409, "no person 'nope'"),
        ({"rotation": "primary", "person": "dev"}, 400, "say until when"),
        ({"rotation": "primary", "person": "dev", "to": 5}, 400, "to must be a time"),
        ({"rotation": "primary", "person": "dev", "to": "2020-01-01T00:00:00Z"}, 409, "must end"),
        ({"rotation": ["x"], "person": "dev", "for": "1h"}, 400, "rotation must be a text"),
    ],
)
async def test_an_override_that_cannot_be_is_refused(
    client: httpx.AsyncClient, body: dict[str, object], status: int, says: str
) -> None:
    answer = await client.post("/api/oncall/overrides", json=body)
    assert answer.status_code == status
    assert says in answer.json()["error"]


async def test_changes_need_the_token(daemon: Running) -> None:
    async with httpx.AsyncClient(base_url=daemon.url, verify=NO_TLS, trust_env=False) as nobody:
        for path in ("/api/oncall/overrides", "/api/oncall/drill", "/api/oncall/swap"):
            assert (await nobody.post(path, json={})).status_code == 401


async def test_the_calendar_is_icalendar(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/oncall/calendar.ics?weeks=2")
    assert answer.headers["content-type"].startswith("text/calendar")
    lines = answer.text.split("\r\n")
    assert lines[0] == "BEGIN:VCALENDAR"
    assert lines.count("BEGIN:VEVENT") >= 2
    assert max(len(line.encode()) for line in lines) <= 75


async def test_a_drill_reaches_people_and_times_the_answer(
    daemon: Running, client: httpx.AsyncClient, pager: HttpReceiver
) -> None:
    async def arrived() -> bool:
        return bool(pager.received)

    async with asyncio.TaskGroup() as group:
        drilling = run(daemon, oncall, "drill", "--level", "1", "--wait", "20")
        begun = group.create_task(drilling, name="drill")
        await until_async(arrived, what="the drill arrives")
        body = json.loads(pager.received[0].body)["stewardmon"]
        assert (body["event"], body["to"]) == ("drill", "dev")
        await client.post(httpx.URL(body["ack_url"]).path)
    code, said = begun.result()
    assert code == 0, said
    assert "dev answered after" in said
    await daemon.app.live.drills.tend(now=daemon.app.live.clock.now())
    assert ("pager", "dev") in daemon.app.live.drills.reached()
    assert daemon.app.live.responder.open() == ()
    page = (await client.get("/oncall")).text
    assert "senior was never drilled over pager" in page
    assert "dev was never drilled" not in page


async def test_two_shifts_are_swapped(daemon: Running, client: httpx.AsyncClient) -> None:
    now = daemon.app.live.clock.now()
    roster = daemon.app.live.rota
    before = [roster.roster.on_call("primary", now + timedelta(days=days)) for days in (0, 7)]
    body = {
        "rotation": "primary",
        "first": now.isoformat(),
        "second": (now + timedelta(days=7)).isoformat(),
    }
    swapped = await client.post("/api/oncall/swap", json=body)
    assert swapped.status_code == 201
    assert len(swapped.json()["overrides"]) == 2
    after = [roster.roster.on_call("primary", now + timedelta(days=days)) for days in (0, 7)]
    assert after == before[::-1]
    twice = {**body, "second": body["first"]}
    refused = await client.post("/api/oncall/swap", json=twice)
    assert refused.status_code == 409
    assert "has both shifts of primary: nothing to swap" in refused.json()["error"]


async def test_of_overrides_that_overlap_the_one_set_last_holds(
    daemon: Running, client: httpx.AsyncClient
) -> None:
    now = daemon.app.live.clock.now()
    for person in ("senior", "dev", "senior"):
        body = {"rotation": "primary", "person": person, "for": "2h"}
        assert (await client.post("/api/oncall/overrides", json=body)).status_code == 201
        later = now + timedelta(hours=1)
        assert daemon.app.live.rota.roster.on_call("primary", later) == person


async def test_a_time_that_the_clock_shows_twice_or_never_needs_its_offset(
    daemon: Running, client: httpx.AsyncClient
) -> None:
    body = {
        "rotation": "primary",
        "person": "senior",
        "from": "2027-10-31T02:30:00+02:00",
        "to": "2027-10-31T02:30:00+01:00",
    }
    added = await client.post("/api/oncall/overrides", json=body)
    assert added.status_code == 201
    [kept] = daemon.app.live.rota.listed()
    assert kept.end - kept.start == timedelta(hours=1)
    backwards = {**body, "from": body["to"], "to": body["from"]}
    refused = await client.post("/api/oncall/overrides", json=backwards)
    assert refused.status_code == 409
    assert "must end after it begins" in refused.json()["error"]


async def test_silences_are_added_listed_and_expired(daemon: Running) -> None:
    code, said = await run(daemon, silence, "add", "job=app", "-c", "moving", "--by", "me")
    assert code == 0, said
    ident = said.strip()
    _, listed = await run(daemon, silence, "list")
    assert f"{ident}  active" in listed
    assert 'job="app"  moving (me)' in listed
    await run(daemon, silence, "expire", ident)
    assert "no silences" in (await run(daemon, silence, "list"))[1]


async def test_everything_is_silenced_only_on_purpose(daemon: Running) -> None:
    _, refused = await run(daemon, silence, "add", "alertname=~.+")
    assert "ask for it again" in refused
    code, _ = await run(daemon, silence, "add", "job=~.*", "severity=~.+", "--everything")
    assert code == 0


async def test_wrong_matchers_and_times_are_sentences(daemon: Running) -> None:
    assert "is no matcher" in (await run(daemon, silence, "add", "job~app"))[1]
    assert "invalid regular expression" in (await run(daemon, silence, "add", "job=~("))[1]
    assert "is not a time" in (await run(daemon, silence, "add", "a=b", "--start", "soon"))[1]
