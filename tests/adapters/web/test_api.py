"""The JSON interface over a real socket."""

from __future__ import annotations

import httpx
import pytest

from tests.support.plain import NO_TLS
from tests.support.site import Site
from tests.support.waiting import until_async


async def _down(site: Site) -> str:
    site.daemon.platform.database.goes_down()
    return await site.incident()


async def test_an_incident_is_listed_shown_and_acknowledged(site: Site) -> None:
    ident = await _down(site)
    async with site.client(signed=True) as client:
        listed = (await client.get("/api/incidents")).json()["incidents"]
        assert [one["id"] for one in listed] == [ident]
        body = {"by": "dev-a", "reason": "mine"}
        done = await client.post(f"/api/incidents/{ident}/ack", json=body)
        assert (done.status_code, done.json()["acknowledged_by"]) == (200, "dev-a")
        shown = (await client.get(f"/api/incidents/{ident}")).json()
        assert shown["state"] == "acknowledged"
        assert ("acknowledged", "dev-a", "mine") in {
            (one["kind"], one["who"], one["detail"]) for one in shown["timeline"]
        }


async def test_changes_need_the_token(site: Site) -> None:
    ident = await _down(site)
    async with site.client({"Authorization": "Bearer wrong"}) as client:
        answer = await client.post(f"/api/incidents/{ident}/ack", json={"by": "x"})
    assert answer.status_code == 401
    assert "STEWARDMON_TOKEN" in answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/api/incidents/none", b"", 404),
        ("GET", "/api/incidents?state=odd", b"", 400),
        ("GET", "/api/incidents?limit=0", b"", 400),
        ("GET", "/api/incidents?limit=²", b"", 400),
        ("GET", "/api/incidents?before=never", b"", 400),
        ("GET", "/api/incidents?before=0001-01-01T00:00:00%2B23:00", b"", 400),
        ("GET", "/api/incidents/%00", b"", 404),
        ("GET", "/api/probes/none", b"", 404),
        ("GET", "/api/oncall?at=then", b"", 400),
        ("GET", "/api/nothing", b"", 404),
        ("DELETE", "/api/incidents", b"", 405),
        ("POST", "/api/incidents/none/ack", b"{}", 404),
        ("POST", "/api/incidents/none/dance", b"{}", 404),
        ("POST", "/api/incidents/none/ack", b"[1]", 400),
        ("POST", "/api/incidents/none/ack", b"{" * 100_000, 400),
        ("POST", "/api/incidents/none/ack", b'{"by": 1}', 400),
        ("POST", "/api/incidents/none/ack", b'{"by": "' + b"x" * 101 + b'"}', 400),
        ("POST", "/api/incidents/none/ack", b" " * (2 << 20), 413),
        ("POST", "/api/silences", b"{}", 409),
        ("POST", "/api/silences", b'{"matchers": "odd"}', 409),
        ("POST", "/api/silences", b'{"matchers": "a=~\\"(\\""}', 409),
        ("POST", "/api/silences", b'{"matchers": "a=b", "for": "9y"}', 409),
        ("POST", "/api/silences", b'{"matchers": "a=b", "for": "999999999999y"}', 400),
        ("POST", "/api/silences", b'{"matchers": "a=b", "ends_at": "2001-01-01"}', 409),
        ("DELETE", "/api/silences/none", b"", 404),
        ("DELETE", "/api/maintenance/none", b"", 404),
    ],
)
async def test_what_cannot_be_is_told_in_a_sentence(
    site: Site, method: str, path: str, content: bytes, status: int
) -> None:
    async with site.client(signed=True) as client:
        answer = await client.request(method, path, content=content)
    assert answer.status_code == status
    body = answer.json()
    assert body["status"] == "error"
    assert body["error"]


async def test_odd_text_is_stored_and_shown(site: Site) -> None:
    ident = await _down(site)
    async with site.client(signed=True) as client:
        body = b'{"by": "\\ud800", "reason": "zero \\u0000 and \\ud83d"}'
        done = await client.post(f"/api/incidents/{ident}/note", content=body)
        assert done.status_code == 200
        assert (await client.get(f"/api/incidents/{ident}")).status_code == 200


async def test_a_snooze_says_when_it_ends(site: Site) -> None:
    ident = await _down(site)
    async with site.client(signed=True) as client:
        done = await client.post(f"/api/incidents/{ident}/snooze", json={"for": "30m"})
        assert done.json()["snoozed_until"]
        for wrong in ({"for": "soon"}, {"until": "soon"}, {"until": "9999-12-31T23:59:59-23:00"}):
            answer = await client.post(f"/api/incidents/{ident}/snooze", json=wrong)
            assert answer.status_code == 400, wrong


async def test_silences_and_windows_come_and_go(site: Site) -> None:
    async with site.client(signed=True) as client:
        wanted = {"matchers": 'alertname="Slow"', "for": "1h", "by": "dev-a", "reason": "deploy"}
        made = await client.post("/api/silences", json=wanted)
        assert (made.status_code, made.json()["state"]) == (201, "active")
        ended = await client.delete(f"/api/silences/{made.json()['id']}")
        assert ended.json()["state"] == "expired"
        body = {"name": "deploy", "for": "10m", "reason": "version 1.5"}
        long = await client.post("/api/maintenance", json={**body, "reason": "x" * 1001})
        assert (long.status_code, "reason is longer" in long.text) == (400, True)
        opened = await client.post("/api/maintenance", json=body)
        assert opened.json()["reason"] == "version 1.5"
        assert "version 1.5" in (await client.get("/silences")).text
        assert opened.json()["open"] is True
        window = f"/api/maintenance/{opened.json()['id']}"
        assert (await client.delete(window)).status_code == 200
        assert (await client.delete(window)).status_code == 404


async def test_everything_at_a_glance(site: Site) -> None:
    async with site.client() as client:

        async def known() -> bool:
            probes = (await client.get("/api/status")).json()["probes"]
            return [one["state"] for one in probes] == ["up", "up", "up"]

        await until_async(known, what="every probe is up")
        rules = {one["name"]: one for one in (await client.get("/api/rules")).json()["rules"]}
        assert rules["Slow"]["threshold"] == "> 5"
        oncall = (await client.get("/api/oncall")).json()
        assert [one["people"] for one in oncall["levels"]] == [
            ["dev-a"],
            ["senior"],
            ["lead"],
            ["cto"],
        ]
        assert (await client.get("/api/openapi.json")).json()["openapi"] == "3.1.0"


async def test_readiness_names_the_loops(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url, verify=NO_TLS, trust_env=False) as client:
        assert (await client.get("/healthz")).text == "ok\n"
        ready = (await client.get("/readyz")).json()
        assert ready["ready"] is True
        assert {"watch", "evaluate", "deliver"} <= set(ready["loops"])
