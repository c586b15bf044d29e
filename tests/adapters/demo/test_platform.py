"""The simulated platform while all is well: it answers as PLATFORM.md says the real one does."""

from __future__ import annotations

import asyncio
import math
import ssl
from datetime import UTC, datetime, timedelta

import httpx
import psycopg
import pytest

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.identity import COOKIE_CHUNK, Identity, cookies_of
from tests.adapters.demo.world import LAST_MONTH, World, events

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_health_has_the_guides_shape(world: World) -> None:
    answer = await world.get("/api/health")
    services = {"database": "healthy", "openai": "healthy", "cache": "healthy"}
    assert answer.status_code == 200
    assert answer.json()["status"] == "healthy"
    assert answer.json()["services"] == services
    assert answer.headers["x-app-version"] == "1.4.2"
    assert answer.headers["x-vercel-id"].startswith("fra1::iad1::")


@pytest.mark.parametrize(
    "fault",
    [Fault.DATABASE_DOWN, Fault.DATABASE_REFUSING, Fault.OPENAI_KEY, Fault.OPENAI_PROVIDER],
    ids=str,
)
async def test_health_finds_out_for_real(world: World, fault: Fault) -> None:
    await world.platform.faults.on(fault)
    answer = await world.get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["status"] == "unhealthy"
    assert answer.json()["error"]


@pytest.mark.parametrize(
    ("shape", "status", "word", "database"),
    [
        (Fault.HEALTH_SHAPE_B, 503, "degraded", "unhealthy"),
        (Fault.HEALTH_SHAPE_C, 200, "healthy", "healthy"),
        (Fault.HEALTH_SHAPE_D, 200, "degraded", "unhealthy"),
    ],
    ids=str,
)
async def test_the_other_shapes_of_health_with_the_database_down(
    world: World, shape: Fault, status: int, word: str, database: str
) -> None:
    await world.platform.faults.on(shape)
    await world.platform.faults.on(Fault.DATABASE_DOWN)
    answer = await world.get("/api/health")
    said = (answer.status_code, answer.json()["status"], answer.json()["services"]["database"])
    assert said == (status, word, database)


async def test_shape_d_counts_receipts_and_rations_its_own_ai_calls(world: World) -> None:
    await world.platform.faults.on(Fault.HEALTH_SHAPE_D)
    bodies = [await world.health() for _ in range(21)]
    assert bodies[0]["details"]["database"] == "Connected successfully. Receipt count: 400"
    assert [body["status"] for body in bodies[19:]] == ["healthy", "degraded"]
    assert bodies[20]["details"]["ai"] == "AI_RATE_LIMIT"


async def test_a_frozen_database_leaves_health_without_an_answer_until_it_thaws(
    world: World,
) -> None:
    await world.platform.faults.on(Fault.DATABASE_FROZEN)
    with pytest.raises(httpx.ReadTimeout):
        await world.get("/api/health", timeout=0.3)
    await world.platform.faults.off(Fault.DATABASE_FROZEN)
    assert (await world.get("/api/health")).status_code == 200


async def test_the_agents_amount_is_the_sum_of_last_month(world: World) -> None:
    answer = (await world.ask()).json()
    true = await world.sql(
        """SELECT sum(total) FROM receipts WHERE "userId" = %s
        AND date_trunc('month', "purchaseDate") = date_trunc('month', %s::timestamp)
            - interval '1 month'""",
        world.platform.user.id,
        world.clock.now().replace(tzinfo=None).isoformat(),
    )
    assert math.isclose(answer["data"]["totalSpent"], float(true), abs_tol=0.001)
    assert f"${true:,.2f}" in answer["message"]
    assert answer["executionTime"] >= 0


async def test_the_agent_refuses_in_order_401_then_429_then_400(world: World) -> None:
    address = world.platform.app_url + "/api/agent/query"
    cookies = await world.signed_in()
    for _ in range(10):
        bad = await world.client.post(address, content=b"{", headers=cookies)
        assert bad.status_code == 400
    refused = await world.client.post(address, content=b"{", headers=cookies)
    assert refused.status_code == 429
    assert refused.json()["retryAfter"] == 60
    assert refused.headers["retry-after"] == "60"
    assert (await world.client.post(address, content=b"{")).status_code == 401
    world.clock.advance(seconds=61)
    assert (await world.client.post(address, content=b"{", headers=cookies)).status_code == 400


@pytest.mark.parametrize(
    ("query", "status"), [("", 400), ("x" * 1000, 200), ("x" * 1001, 400), (7, 400), (None, 400)]
)
async def test_the_agent_validates_its_input(world: World, query: object, status: int) -> None:
    assert (await world.ask(query)).status_code == status


async def test_the_stream_tells_its_steps_and_ends_in_complete(world: World) -> None:
    world.clock.advance(hours=2)
    lines = await world.lines()
    kinds = [event["type"] for event in events(lines)]
    assert kinds == ["start", "function_call", "data_processing", "summary", "complete"]
    assert events(lines)[-1]["message"].startswith("You spent $")
    assert lines[-1][0] - lines[0][0] > 0.03


async def test_a_failing_vendor_is_an_error_inside_a_200(world: World) -> None:
    world.clock.advance(hours=2)
    await world.platform.faults.on(Fault.OPENAI_PROVIDER)
    whole, streamed = await world.ask(), events(await world.lines())
    assert whole.status_code == 200
    assert whole.json()["error"].startswith("500 ")
    assert [event["type"] for event in streamed] == ["start", "function_call", "error"]


async def test_a_session_expires_and_a_tampered_one_is_nobodys(world: World) -> None:
    address = world.platform.app_url + "/api/monitoring/agent-metrics?timeRange=1h"
    cookies = await world.signed_in()
    assert (await world.client.get(address, headers=cookies)).status_code == 200
    tampered = {"cookie": cookies["cookie"][:-40] + "A" * 40}
    assert (await world.client.get(address, headers=tampered)).status_code == 401
    world.clock.advance(hours=1, seconds=1)
    assert (await world.client.get(address, headers=cookies)).status_code == 401


async def test_agent_metrics_count_what_was_asked(world: World) -> None:
    world.clock.advance(hours=3)
    await world.ask("How much on dining this year?")
    await world.ask("How much on dining this year?")
    body = (
        await world.get(
            "/api/monitoring/agent-metrics?timeRange=1h", headers=await world.signed_in()
        )
    ).json()
    assert body["metrics"]["totalQueries"] == 2
    assert body["metrics"]["cacheHitRate"] == 50
    assert body["metrics"]["functionUsage"] == {"getSpending": 1}
    assert body["timeRange"] == "1h"


async def test_pages_send_strangers_to_the_login_and_hide_debug_routes(world: World) -> None:
    signed_out = await world.get("/dashboard")
    assert (signed_out.status_code, signed_out.headers["location"]) == (307, "/login")
    assert (await world.get("/dashboard", headers=await world.signed_in())).status_code == 200
    assert (await world.get("/api/debug")).status_code == 404
    missing = await world.get("/api/no-such-thing")
    assert missing.headers["content-type"].startswith("text/html")


async def test_only_the_apps_own_origin_may_read(world: World) -> None:
    own = await world.get("/api/health", headers={"origin": world.platform.app_url})
    assert own.headers["access-control-allow-origin"] == world.platform.app_url
    for origin in ("https://evil.example", "null", world.platform.app_url + ".evil.example"):
        other = await world.get("/api/health", headers={"origin": origin})
        assert "access-control-allow-origin" not in other.headers
        assert "Origin" in other.headers["vary"]


async def test_the_limit_by_address_can_be_switched_on(world: World) -> None:
    limits = world.platform.limits
    limits.per_address = 3
    try:
        answers = [await world.get("/api/agent/query") for _ in range(4)]
    finally:
        limits.per_address = None
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429]
    assert answers[0].headers["ratelimit-policy"] == "3;w=900"
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[3].headers["retry-after"] == "900"


async def test_rest_counts_nothing_for_strangers_and_everything_for_the_service(
    world: World,
) -> None:
    counting = {"prefer": "count=exact"}
    anon = await world.supabase("HEAD", "/rest/v1/receipts?select=*", headers=counting)
    assert (anon.status_code, anon.headers["content-range"]) == (200, "*/0")
    key = {"apikey": world.platform.identity.service_role_key, **counting}
    service = await world.supabase("HEAD", "/rest/v1/receipts?select=*", headers=key)
    assert (service.status_code, service.headers["content-range"]) == (206, "0-99/400")
    hidden = await world.supabase("HEAD", "/rest/v1/_prisma_migrations", headers=counting)
    assert hidden.status_code == 401
    assert (await world.supabase("HEAD", "/rest/v1/no_such_table")).status_code == 404
    keyless = await world.client.get(world.platform.supabase_url + "/auth/v1/health")
    assert keyless.status_code == 401


async def test_the_monitoring_role_reads_statistics_and_may_not_write(world: World) -> None:
    url = world.platform.monitor_database_url
    assert await world.sql("SHOW statement_timeout", url=url) == "3s"
    assert await world.sql("SELECT count(*) FROM receipts", url=url) == 400
    assert await world.sql("SELECT count(query) FROM pg_stat_activity", url=url) > 0
    with pytest.raises(psycopg.Error):
        await world.sql("DELETE FROM receipts RETURNING 1", url=url)


async def test_openai_wants_its_key_and_answers_every_endpoint(world: World) -> None:
    address = world.platform.openai_url
    assert (await world.client.get(address + "/models")).status_code == 401
    words = {"role": "user", "content": "ping"}
    chat = await world.openai(
        "POST", "/chat/completions", json={"model": "gpt-4o-mini", "messages": [words]}
    )
    assert chat.json()["choices"][0]["finish_reason"] == "stop"
    response = await world.openai(
        "POST", "/responses", json={"model": "gpt-4o-mini", "input": "ping"}
    )
    assert response.json()["usage"]["output_tokens"] == 6
    embedding = await world.openai(
        "POST", "/embeddings", json={"model": "text-embedding-3-small", "input": ["a", "b"]}
    )
    assert len(embedding.json()["data"]) == 2
    unknown = await world.openai(
        "POST", "/chat/completions", json={"model": "gpt-none", "messages": [words]}
    )
    assert unknown.json()["error"]["code"] == "model_not_found"


async def test_tls_is_good_for_those_who_trust_its_authority(world: World) -> None:
    context = ssl.create_default_context(cafile=str(world.platform.ca_file))
    async with httpx.AsyncClient(verify=context, trust_env=False) as client:
        answer = await client.get(world.platform.app_tls_url + "/api/health")
    assert answer.status_code == 200


async def test_a_deployment_changes_version_id_and_bundle(world: World) -> None:
    before = await world.get("/")
    world.platform.deploy("1.5.0")
    after = await world.get("/")
    world.platform.deploy("1.4.2")
    assert after.headers["x-app-version"] == "1.5.0"
    assert before.headers["x-deployment-id"] != after.headers["x-deployment-id"]
    assert before.text != after.text


async def test_the_environment_is_the_guides_with_working_values(world: World) -> None:
    environment = world.platform.environment()
    assert environment["OPENAI_API_KEY"].startswith("sk-")
    assert environment["NODE_ENV"] == "production"
    assert environment["SUPABASE_ANON_KEY"].count(".") == 2
    assert await world.sql("SELECT current_user", url=environment["DATABASE_URL"]) == "steward_app"
    app = await world.client.get(environment["NEXT_PUBLIC_APP_URL"] + "/api/health")
    assert app.status_code == 200


async def test_a_long_session_is_split_over_cookies_and_still_read() -> None:
    identity = Identity()
    now = datetime(2026, 1, 5, tzinfo=UTC)
    session = {**identity.session(identity.users[0], now=now), "padding": "x" * 2 * COOKIE_CHUNK}
    cookies = cookies_of(session)
    assert len(cookies) > 1
    assert all(len(value) <= COOKIE_CHUNK for value in cookies.values())
    later = now + timedelta(minutes=59)
    assert identity.user_of_cookies(cookies, now=later) == identity.users[0]


async def test_a_query_is_remembered_by_its_first_hundred_characters(world: World) -> None:
    head = f"{world.clock.now()} {LAST_MONTH}".ljust(100, ".")
    first, second = await asyncio.gather(world.ask(head + " one"), world.ask("other " + head))
    assert not first.json()["cached"]
    assert not second.json()["cached"]
    assert (await world.ask(head + " two")).json()["cached"]


async def test_supabase_lists_its_backups_to_whoever_has_its_token(world: World) -> None:
    address = world.platform.supabase_url + "/v1/projects/simulated/database/backups"
    assert (await world.client.get(address)).status_code == 401
    token = world.platform.environment()["SUPABASE_ACCESS_TOKEN"]
    headers = {"authorization": f"Bearer {token}"}

    async def age() -> timedelta:
        newest = (await world.client.get(address, headers=headers)).json()["backups"][0]
        return world.clock.now() - datetime.fromisoformat(newest["inserted_at"])

    assert await age() == timedelta(hours=5)
    await world.platform.faults.on(Fault.BACKUP_STALE)
    assert await age() == timedelta(hours=40)


async def test_sentry_takes_envelopes_at_its_dsn(world: World) -> None:
    assert world.platform.sentry_dsn.endswith("/1")
    await world.client.post(world.platform.sentry_url + "/api/1/envelope/", content=b"{}")
    assert world.platform.sentry.envelopes[-1] == b"{}"
