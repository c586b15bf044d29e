"""Is an old deployment pinned? Vercel's API as documented, and whatever else it may answer."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes import vercel_api
from tests.support.probing import CLOCK, asked, measured
from tests.support.servers import hangs, serving

TOKEN = "a-token-of-vercel-hunter2"
BEHIND = "stewardmon_deployment_behind_seconds"


def deployment(uid: str, hours: float, state: str = "READY") -> dict[str, Any]:
    at = CLOCK.now() - timedelta(hours=hours)
    return {"uid": uid, "created": round(at.timestamp() * 1000), "readyState": state}


async def look(server: HTTPServer, api: str = "") -> Outcome:
    server.expect_request("/").respond_with_data("hello", headers={"x-vercel-id": "fra1::iad1::a1"})
    return await asked(
        "vercel",
        url=server.url_for("/"),
        project="steward",
        team="team_1",
        token=TOKEN,
        api_url=api or server.url_for("/").rstrip("/"),
    )


def answers(server: HTTPServer, project: Any, listing: Any, **more: Any) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    query = {"projectId": "steward", "target": "production", "limit": "20", "teamId": "team_1"}
    server.expect_request("/v9/projects/steward", headers=headers).respond_with_json(
        project, **more
    )
    server.expect_request("/v6/deployments", headers=headers, query_string=query).respond_with_json(
        listing, **more
    )


def serves(uid: str) -> dict[str, Any]:
    return {"targets": {"production": {"id": uid}}}


@pytest.mark.parametrize(
    ("served", "deployments", "hours"),
    [
        ("new", [deployment("new", 5), deployment("old", 90)], 0),
        ("old", [deployment("new", 5), deployment("old", 90)], 5),
        # It is the first one passed over that says since when.
        ("old", [deployment("c", 2), deployment("b", 30), deployment("old", 90)], 30),
        ("gone", [deployment("c", 2), deployment("b", 30)], 30),
        # What was not built well, and what is older, pins nothing.
        ("old", [deployment("new", 50, "ERROR"), deployment("old", 90)], 0),
        ("new", [deployment("new", 5), deployment("older", 90)], 0),
    ],
)
async def test_how_long_a_newer_one_waits(
    httpserver: HTTPServer, served: str, deployments: list[dict[str, Any]], hours: float
) -> None:
    answers(httpserver, serves(served), {"deployments": deployments})
    outcome = await look(httpserver)
    assert measured(outcome)[BEHIND] == pytest.approx(hours * 3600, abs=1800)  # made at collection
    pinned = hours > 24
    assert outcome.state is (State.DEGRADED if pinned else State.UP), outcome
    assert ("pinned" in outcome.detail) == pinned
    assert outcome.reason is (Reason.STALE if pinned else Reason.OK)


@pytest.mark.parametrize(
    ("project", "listing", "status", "says"),
    [
        ({}, {}, 401, "the key is refused"),
        ({}, {}, 403, "may not ask this"),
        ({}, {}, 429, "rate limit"),
        ({}, {}, 500, "answered 500"),
        ({}, {}, 200, "names no production deployment"),
        ([], 3, 200, "names no production deployment"),
        ({"targets": {"production": 3}}, {"deployments": [3, {}]}, 200, "names no production"),
        (serves("a"), {"deployments": [{"uid": "a", "created": 10**30}]}, 200, "names no"),
        (serves("a"), {"deployments": "none"}, 200, "names no production deployment"),
    ],
)
async def test_an_api_that_does_not_tell_is_a_finding_and_never_an_outage(
    httpserver: HTTPServer, project: Any, listing: Any, status: int, says: str
) -> None:
    answers(httpserver, project, listing, status=status)
    outcome = await look(httpserver)
    assert outcome.state is State.UP
    assert says in outcome.findings[0], outcome.findings
    assert BEHIND not in measured(outcome)
    assert TOKEN not in repr(outcome)


async def test_an_api_that_never_answers_holds_nothing_up(
    httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vercel_api, "TIMEOUT", 0.2)
    async with serving(hangs) as server:
        outcome = await look(httpserver, api=f"http://127.0.0.1:{server.port}")
    assert outcome.state is State.UP
    assert "did not answer within" in outcome.findings[0]


async def test_a_project_without_a_token_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="needs a token"):
        await asked("vercel", url="http://127.0.0.1:1/", project="steward")
