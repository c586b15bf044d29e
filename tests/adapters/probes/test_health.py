"""The app's health endpoint in the shapes that its versions have had, and in none of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import CLOCK, asked, measured
from tests.support.servers import answer, redirects_to_itself, sends, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

A: Final[dict[str, Any]] = {
    "status": "healthy",
    "services": {"database": "healthy", "openai": "healthy", "cache": "healthy"},
}
B: Final[dict[str, Any]] = {
    **A,
    "responseTime": "12ms",
    "version": "1.4.2",
    "services": {"database": "healthy", "openai": "healthy", "cache": "unknown"},
}
D: Final[dict[str, Any]] = {
    "status": "healthy",
    "version": "1.4.2",
    "services": {"database": "healthy", "storage": "healthy", "ocr": "healthy", "ai": "healthy"},
    "details": {"database": "Connected successfully. Receipt count: 5"},
}


async def health(
    body: dict[str, Any] | bytes,
    status: int = 200,
    *,
    age: float = 0,
    headers: dict[str, str] | None = None,
) -> Outcome:
    if isinstance(body, dict):
        at = (CLOCK.now() - timedelta(seconds=age)).isoformat()
        body = orjson.dumps({"timestamp": at, **body})
    async with serving(sends(answer(status, body, headers=headers))) as server:
        return await asked("health", url=f"{server.url}/api/health")


def with_services(shape: dict[str, Any], status: str, **words: Any) -> dict[str, Any]:
    return {**shape, "status": status, "services": {**shape["services"], **words}}


@pytest.mark.parametrize(("shape", "body"), [("a", A), ("b", B), ("d", D)])
async def test_a_healthy_app_in_each_shape(shape: str, body: dict[str, Any]) -> None:
    outcome = await health(body)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.detail
    found = measured(outcome)
    assert found["stewardmon_health_healthy"] == 1
    assert found[f"stewardmon_health_shape{{shape={shape}}}"] == 1
    assert found["stewardmon_health_service{service=database}"] == 1
    assert "stewardmon_health_service{service=ocr}" not in found
    assert ("stewardmon_health_service{service=cache}" in found) == (shape == "a")
    assert found["probe_http_status_code"] == 200


@pytest.mark.parametrize(
    ("body", "status", "state", "reason"),
    [
        ({"status": "unhealthy", "error": "no database"}, 503, State.DOWN, Reason.BODY),
        (with_services(B, "degraded", openai="unhealthy"), 503, State.DOWN, Reason.BODY),
        (with_services(B, "degraded", openai="degraded"), 503, State.DEGRADED, Reason.BODY),
        (with_services(D, "degraded", database="unhealthy"), 200, State.DOWN, Reason.BODY),
        (with_services(D, "degraded"), 200, State.DEGRADED, Reason.BODY),
        (with_services(D, "degraded", ocr="unhealthy"), 200, State.UP, Reason.OK),
        (with_services(D, "healthy", ocr="unhealthy"), 200, State.UP, Reason.OK),
        (with_services(D, "healthy", ai="unhealthy"), 200, State.DOWN, Reason.BODY),
        (with_services(D, "healthy", database={"status": "down"}), 200, State.DOWN, Reason.BODY),
        (with_services(D, "healthy", database=False), 200, State.DOWN, Reason.BODY),
        (with_services(A, "healthy", cache=5), 200, State.DOWN, Reason.BODY),
        (A, 503, State.DEGRADED, Reason.CONTRADICTION),
        ({**A, "status": "sideways"}, 200, State.DOWN, Reason.BODY),
        ({**A, "services": "all"}, 200, State.UP, Reason.OK),
        ({**A, "timestamp": "yesterday"}, 200, State.DOWN, Reason.BODY),
        ({**A, "timestamp": 5}, 200, State.DEGRADED, Reason.STALE),
    ],
)
async def test_what_it_says_of_itself_is_judged(
    body: dict[str, Any], status: int, state: State, reason: Reason
) -> None:
    outcome = await health(body, status)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.findings


async def test_healthy_with_a_sick_service_is_called_a_contradiction() -> None:
    outcome = await health(with_services(A, "healthy", database="unhealthy"))
    assert any("it says healthy, but services.database" in one for one in outcome.findings)


async def test_the_apps_own_limit_of_ai_calls_is_our_doing() -> None:
    body = with_services(D, "degraded", ai="unhealthy")
    outcome = await health({**body, "details": {"ai": "AI_RATE_LIMIT"}})
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.RATE_LIMIT)


@pytest.mark.parametrize(
    ("body", "status", "state", "reason"),
    [
        (b"", 200, State.DOWN, Reason.BODY),
        (b"<html>", 200, State.DOWN, Reason.BODY),
        (b"[]", 200, State.DOWN, Reason.BODY),
        (b'{"status": 5}', 200, State.DOWN, Reason.BODY),
        (b"<html>", 404, State.MISCONFIGURED, Reason.NOT_FOUND),
        (b"", 401, State.MISCONFIGURED, Reason.AUTH),
        (b"", 429, State.DEGRADED, Reason.RATE_LIMIT),
        (b"Bad gateway", 502, State.DOWN, Reason.STATUS),
        (b" " * 1_200_000, 200, State.DOWN, Reason.TOO_LARGE),
    ],
)
async def test_what_is_no_health_answer(
    body: bytes, status: int, state: State, reason: Reason
) -> None:
    outcome = await health(body, status)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail


@pytest.mark.parametrize(
    ("age", "headers", "reason"),
    [
        (29, {}, Reason.OK),
        (31, {}, Reason.STALE),
        (-31, {}, Reason.STALE),
        (0, {"Age": "45"}, Reason.CACHED),
        (0, {"X-Vercel-Cache": "HIT"}, Reason.CACHED),
        (0, {"X-Vercel-Cache": "MISS"}, Reason.OK),
    ],
)
async def test_it_must_be_fresh_and_from_no_cache(
    age: float, headers: dict[str, str], reason: Reason
) -> None:
    assert (await health(A, age=age, headers=headers)).reason is reason


async def test_a_redirect_loop_ends() -> None:
    async with serving(redirects_to_itself) as server:
        outcome = await asked("health", url=f"{server.url}/api/health")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REDIRECT)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform; `postgres` says whether it can be."""
    async with Platform() as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    yield running
    await running.faults.clear()


@pytest.mark.parametrize(
    ("faults", "state", "reason"),
    [
        ([], State.UP, Reason.OK),
        ([Fault.HEALTH_SHAPE_B], State.UP, Reason.OK),
        ([Fault.HEALTH_SHAPE_C], State.UP, Reason.OK),
        ([Fault.HEALTH_SHAPE_D], State.UP, Reason.OK),
        ([Fault.HEALTH_MISSING], State.MISCONFIGURED, Reason.NOT_FOUND),
        ([Fault.HEALTH_FROZEN_TIMESTAMP], State.DEGRADED, Reason.STALE),
        ([Fault.DATABASE_REFUSING], State.DOWN, Reason.BODY),
        ([Fault.HEALTH_SHAPE_B, Fault.DATABASE_REFUSING], State.DOWN, Reason.BODY),
        ([Fault.HEALTH_SHAPE_D, Fault.DATABASE_REFUSING], State.DOWN, Reason.BODY),
        ([Fault.HEALTH_SHAPE_D, Fault.OPENAI_PROVIDER], State.DOWN, Reason.BODY),
        ([Fault.HEALTH_SHAPE_C, Fault.DATABASE_REFUSING], State.UP, Reason.OK),
        ([Fault.HEALTH_LIES, Fault.DATABASE_REFUSING], State.UP, Reason.OK),
    ],
)
async def test_on_the_platform(
    platform: Platform, faults: list[Fault], state: State, reason: Reason
) -> None:
    for fault in faults:
        await platform.faults.on(fault.value)
    outcome = await asked("health", url=f"{platform.app_url}/api/health")
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail


async def test_a_cached_answer_on_the_platform(platform: Platform) -> None:
    await asked("health", url=f"{platform.app_url}/api/health")
    await platform.faults.on(Fault.HEALTH_CACHED.value)
    outcome = await asked("health", url=f"{platform.app_url}/api/health")
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.CACHED)
