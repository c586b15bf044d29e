"""The agent as its user sees it, on the simulated platform, with each fault on and off."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
import pytest
import pytest_asyncio

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked, measured
from tests.support.servers import answer, sends, sends_in_turn, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

SESSION: Final = answer(
    200, orjson.dumps({"access_token": "t", "expires_in": 3600, "user": {"id": "u"}})
)
STRANGER: Final = {"stranger": False}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform without limits; `postgres` says whether it can be."""
    async with Platform(limits=Limits(per_user=None)) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    yield running
    await running.faults.clear()


def user(platform: Platform, **more: Any) -> dict[str, Any]:
    return {
        "url": platform.app_url,
        "supabase_url": platform.supabase_url,
        "anon_key": platform.identity.anon_key,
        "email": platform.user.email,
        "password": platform.user.password,
        "database": platform.direct_database_url,
        **more,
    }


async def ask(platform: Platform, mode: str = "json", **more: Any) -> Outcome:
    timeout = more.pop("timeout", 5.0)
    outcome = await asked("agent", timeout=timeout, **user(platform, mode=mode, **more))
    for secret in (platform.user.password, "auth-token", "eyJ", "base64-"):
        assert secret not in repr(outcome)
    return outcome


@pytest.mark.parametrize("mode", ["json", "stream"])
async def test_an_answer_is_right_to_the_cent_and_no_cache_gave_it(
    platform: Platform, mode: str
) -> None:
    for _ in range(2):
        outcome = await ask(platform, mode)
        assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.detail
    found = measured(outcome)
    assert found[f"stewardmon_agent_answered{{mode={mode}}}"] == 1
    assert found["stewardmon_agent_amount_right"] == 1
    assert found["stewardmon_agent_amount_off"] <= 0.01
    assert found["stewardmon_agent_stranger_refused"] == 1
    assert found["stewardmon_agent_signed_in"] == 1
    total = found[f"stewardmon_agent_answer_seconds{{mode={mode}}}"]
    if mode == "stream":
        assert 0 < found["stewardmon_agent_first_line_seconds"] < total
        assert found["stewardmon_agent_stream_live"] == 1
    logged = await _logged(platform)
    assert "How much did I spend last month?" in logged
    assert not logged.startswith("How")


async def _logged(platform: Platform) -> str:
    async with await platform.database.admin() as admin:
        cursor = await admin.execute("SELECT query FROM agent_logs ORDER BY timestamp DESC LIMIT 1")
        row = await cursor.fetchone()
    assert row is not None
    return str(row[0])


@pytest.mark.parametrize(
    ("fault", "mode", "state", "reason", "answered"),
    [
        (Fault.AGENT_200_WITH_ERROR, "json", State.DOWN, Reason.ERROR_IN_200, 0),
        (Fault.AGENT_200_WITH_ERROR, "stream", State.DOWN, Reason.ERROR_LINE, 0),
        (Fault.AGENT_BARE_COMPLETE, "stream", State.DOWN, Reason.BARE_COMPLETE, 0),
        (Fault.AGENT_TRUNCATED_STREAM, "stream", State.DOWN, Reason.INCOMPLETE, 0),
        (Fault.AGENT_BUFFERED_STREAM, "stream", State.DEGRADED, Reason.SLOW, 1),
        (Fault.AGENT_WRONG_AMOUNT, "json", State.DOWN, Reason.WRONG_ANSWER, 1),
        (Fault.AGENT_WRONG_AMOUNT, "stream", State.DOWN, Reason.WRONG_ANSWER, 1),
        (Fault.AGENT_GATEWAY_TIMEOUT, "json", State.DOWN, Reason.GATEWAY_TIMEOUT, 0),
        (Fault.AGENT_GATEWAY_TIMEOUT, "stream", State.DOWN, Reason.GATEWAY_TIMEOUT, 0),
        (Fault.SECURITY_AUTH_BYPASS, "json", State.DOWN, Reason.EXPOSED, None),
        (Fault.SUPABASE_AUTH_DOWN, "json", State.DOWN, Reason.STATUS, None),
        (Fault.APP_DOWN, "json", State.DOWN, Reason.REFUSED, 0),
        (Fault.APP_HANGING, "stream", State.DOWN, Reason.TIMEOUT, 0),
        (Fault.APP_REDIRECT_LOOP, "json", State.MISCONFIGURED, Reason.REDIRECT, None),
        (Fault.OPENAI_PROVIDER, "json", State.DOWN, Reason.ERROR_IN_200, 0),
    ],
)
async def test_each_way_to_fail_has_a_reason_of_its_own(
    platform: Platform,
    fault: Fault,
    mode: str,
    state: State,
    reason: Reason,
    answered: int | None,
) -> None:
    await platform.faults.on(fault.value)
    timeout = 0.7 if reason is Reason.TIMEOUT else 5.0
    outcome = await ask(platform, mode, timeout=timeout)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail
    assert measured(outcome).get(f"stewardmon_agent_answered{{mode={mode}}}") == answered


async def test_a_stopped_database_is_not_the_agents_amount(platform: Platform) -> None:
    nowhere = "postgresql://nobody:secret@127.0.0.1:1/none"
    outcome = await ask(platform, database=nowhere)
    assert outcome.state is State.UP
    assert "stewardmon_agent_amount_right" not in measured(outcome)


@pytest.mark.parametrize("missing", ["email", "password", "anon_key", "supabase_url"])
async def test_without_a_user_it_is_unknown_and_says_how_to_give_one(
    platform: Platform, missing: str
) -> None:
    settings = {key: one for key, one in user(platform).items() if key != missing}
    for kind in ("agent", "agent_metrics"):
        outcome = await asked(kind, **settings)
        assert (outcome.state, outcome.reason) == (State.UNKNOWN, Reason.SETUP)
        assert "write " in outcome.detail
        assert "stewardmon_agent_signed_in" not in measured(outcome)


async def test_a_user_who_may_not_sign_in_is_our_setup(platform: Platform) -> None:
    outcome = await ask(platform, email="nobody@steward.example")
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.AUTH)
    assert "stewardmon_agent_signed_in" not in measured(outcome)


async def test_too_many_questions_are_our_own_doing(postgres: PostgresServer) -> None:
    async with Platform(limits=Limits(per_user=1)) as platform:
        await ask(platform, stranger=False)
        outcome = await ask(platform, stranger=False)
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.RATE_LIMIT)
    assert "retry after 60 s" in outcome.detail


def _line(**fields: Any) -> bytes:
    return orjson.dumps(fields) + b"\n"


START: Final = _line(type="start", message="Thinking")
SUMMARY: Final = _line(type="summary", message="You spent $1.00.")
DONE: Final = _line(type="complete", message="You spent $1.00.", data={})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.INCOMPLETE),
        (START, Reason.INCOMPLETE),
        (START[:10], Reason.INCOMPLETE),
        (START + SUMMARY[:-1], Reason.INCOMPLETE),
        (START + SUMMARY + DONE[:20], Reason.INCOMPLETE),
        (START + SUMMARY + DONE[:-1], Reason.OK),
        (START + b"\r\n\n" + DONE, Reason.OK),
        (START + _line(type="complete", data={"message": "You spent $1.00."}), Reason.OK),
        (START + _line(type="tomorrow") + DONE, Reason.SLOW),
        (START + b"not json\n" + DONE, Reason.PROTOCOL),
        (START + b"[1]\n" + DONE, Reason.PROTOCOL),
        (START + _line(kind="start") + DONE, Reason.PROTOCOL),
        (START + _line(type=7) + DONE, Reason.PROTOCOL),
        (START + _line(type="error", error={"message": "no"}), Reason.ERROR_LINE),
        (START + _line(type="complete", error="no", message="Sorry"), Reason.ERROR_LINE),
        (START + _line(type="complete"), Reason.BARE_COMPLETE),
        (START + _line(type="complete", message="  "), Reason.BARE_COMPLETE),
        (START + _line(type="complete", message=["x"]), Reason.BARE_COMPLETE),
        (b"\xff\xfe\n" * 3, Reason.PROTOCOL),
        (b"x" * 1_100_000, Reason.TOO_LARGE),
    ],
)
async def test_a_stream_cut_or_bent_at_every_kind_of_line(body: bytes, reason: Reason) -> None:
    plain = {"Content-Type": "text/plain", "X-Streaming": "true"}
    async with serving(sends_in_turn(SESSION, answer(200, body, headers=plain))) as server:
        outcome = await asked("agent", **_fake(server.url, mode="stream"))
    assert outcome.reason is reason, outcome.detail


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", Reason.BODY),
        (b"null", Reason.BODY),
        (b"[]", Reason.BODY),
        (b'{"message": 5}', Reason.EMPTY),
        (b'{"message": ""}', Reason.EMPTY),
        (b'{"message": "Sorry", "error": {"code": 5}}', Reason.ERROR_IN_200),
        (b'{"message": "You spent $1."}', Reason.OK),
        (b'{"message": "You spent $1.", "cached": true}', Reason.CACHED),
    ],
)
async def test_wrong_types_in_a_whole_answer(body: bytes, reason: Reason) -> None:
    async with serving(sends_in_turn(SESSION, answer(200, body))) as server:
        outcome = await asked("agent", **_fake(server.url))
    assert outcome.reason is reason, outcome.detail


@pytest.mark.parametrize(
    "session", [b"{}", b"[]", b"nonsense", b'{"access_token": 5}', b'{"access_token": ""}']
)
async def test_a_sign_in_without_a_session(session: bytes) -> None:
    async with serving(sends(answer(200, session))) as server:
        outcome = await asked("agent", **_fake(server.url))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.BODY)
    assert measured(outcome)["stewardmon_agent_signed_in"] == 0


async def test_a_session_that_the_app_forgot_is_made_anew() -> None:
    good = answer(200, b'{"message": "You spent $1."}')
    turns = sends_in_turn(SESSION, answer(401, b"{}"), SESSION, good)
    async with serving(turns) as server:
        outcome = await asked("agent", **_fake(server.url))
        assert len(server.requests) == 4
    assert outcome.state is State.UP


async def test_a_session_that_the_app_never_takes_is_our_setup() -> None:
    turns = sends_in_turn(SESSION, answer(401), SESSION, answer(401))
    async with serving(turns) as server:
        outcome = await asked("agent", **_fake(server.url))
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.AUTH)


def _fake(url: str, **more: Any) -> dict[str, Any]:
    return {
        "url": url,
        "supabase_url": url,
        "anon_key": "eyJkey",
        "email": "a@b.example",
        "password": "pw",
        **STRANGER,
        **more,
    }


METRICS: Final[dict[str, Any]] = {
    "totalQueries": 8,
    "successfulQueries": 6,
    "failedQueries": 2,
    "averageResponseTime": 250,
    "cacheHitRate": 50,
}


async def metrics(platform: Platform, **more: Any) -> Outcome:
    return await asked("agent_metrics", **{**user(platform), "database": None, **more})


async def test_the_apps_own_figures_are_read(platform: Platform) -> None:
    await ask(platform)
    outcome = await metrics(platform)
    assert outcome.state is State.UP, outcome.detail
    found = measured(outcome)
    assert found["stewardmon_agent_metrics_up"] == 1
    assert found["stewardmon_agent_metrics_source{source=endpoint}"] == 1
    assert found["stewardmon_agent_requests_per_second"] > 0
    assert 0 <= found["stewardmon_agent_error_ratio"] <= 1
    assert "stewardmon_agent_response_seconds{quantile=0.95}" not in found


async def test_agent_logs_know_better_and_stay_when_the_endpoint_fails(platform: Platform) -> None:
    await ask(platform)
    await platform.faults.on(Fault.METRICS_500.value)
    outcome = await metrics(platform, database=platform.direct_database_url)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.STATUS)
    found = measured(outcome)
    assert found["stewardmon_agent_metrics_up"] == 0
    assert found["stewardmon_agent_metrics_source{source=agent_logs}"] == 1
    # (Times are there only where somebody else asked of late: our own questions do not count.)
    assert found["stewardmon_agent_requests_per_second"] >= 0


@pytest.mark.parametrize(
    ("fault", "state", "reason", "up"),
    [
        (Fault.METRICS_401, State.MISCONFIGURED, Reason.AUTH, 0),
        (Fault.METRICS_404, State.MISCONFIGURED, Reason.NOT_FOUND, None),
        (Fault.METRICS_429, State.DEGRADED, Reason.RATE_LIMIT, None),
        (Fault.METRICS_500, State.DOWN, Reason.STATUS, 0),
    ],
)
async def test_the_endpoints_failures_are_kept_apart(
    platform: Platform, fault: Fault, state: State, reason: Reason, up: int | None
) -> None:
    await platform.faults.on(fault.value)
    outcome = await metrics(platform)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail
    assert measured(outcome).get("stewardmon_agent_metrics_up") == up


@pytest.mark.parametrize(
    ("change", "state", "says"),
    [
        ({}, State.UP, "8 queries in 1h"),
        ({"totalQueries": 0, "successfulQueries": 0, "failedQueries": 0}, State.UP, "0 queries"),
        ({"totalQueries": "8"}, State.DOWN, "totalQueries is no count"),
        ({"failedQueries": -1}, State.DOWN, "failedQueries is no count"),
        ({"failedQueries": True}, State.DOWN, "failedQueries is no count"),
        ({"successfulQueries": None}, State.DOWN, "successfulQueries is no count"),
        ({"successfulQueries": 8}, State.DEGRADED, "8 queries, but 10 succeeded or failed"),
        ({"cacheHitRate": 5000}, State.DEGRADED, "cacheHitRate is no share"),
        ({"averageResponseTime": "fast"}, State.UP, ""),
    ],
)
async def test_figures_that_cannot_be_right(
    change: dict[str, Any], state: State, says: str
) -> None:
    body = orjson.dumps({"metrics": {**METRICS, **change}, "health": {"status": "healthy"}})
    async with serving(sends_in_turn(SESSION, answer(200, body))) as server:
        outcome = await asked("agent_metrics", **_fake_metrics(server.url))
    assert outcome.state is state, outcome.detail
    assert says in outcome.detail
    if not change:
        found = measured(outcome)
        assert found["stewardmon_agent_error_ratio"] == 0.25
        assert found["stewardmon_agent_cache_hit_ratio"] == 0.5
        assert found["stewardmon_agent_response_seconds{quantile=mean}"] == 0.25
    if "totalQueries" in change:
        assert "stewardmon_agent_error_ratio" not in measured(outcome)  # no traffic is not 0 %


async def test_what_the_app_calls_unwell_is_said() -> None:
    health = {"status": "healthy", "database": "unknown", "cache": "down"}
    body = orjson.dumps({"metrics": METRICS, "health": health})
    async with serving(sends_in_turn(SESSION, answer(200, body))) as server:
        outcome = await asked("agent_metrics", **_fake_metrics(server.url))
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.FINDING)
    assert outcome.detail == 'its own cache is "down"'


def _fake_metrics(url: str) -> dict[str, Any]:
    return {key: value for key, value in _fake(url).items() if key != "stranger"}
