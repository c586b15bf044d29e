"""How the faults of the app, its agent, its security, its logs and backups show."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.postgres import find_programs
from tests.adapters.demo.symptoms import Symptom, Visible, shows
from tests.adapters.demo.world import LAST_MONTH, World, events

EVIL = "https://evil.example"


def failing(kind: type[Exception], path: str = "/api/health") -> Visible:
    async def visible(world: World) -> bool:
        try:
            await world.get(path, timeout=1.5)
        except kind:
            return True
        return False

    return visible


def status(path: str, expected: int) -> Visible:
    async def visible(world: World) -> bool:
        answer = await world.get(path, headers=await world.signed_in())
        return answer.status_code == expected

    return visible


def header(name: str, path: str = "/", **request: Any) -> Visible:
    async def visible(world: World) -> bool:
        return name in (await world.get(path, **request)).headers

    return visible


def absent(visible: Visible) -> Visible:
    async def hidden(world: World) -> bool:
        return not await visible(world)

    return hidden


def health_key(*path: str) -> Visible:
    async def visible(world: World) -> bool:
        body: Any = await world.health()
        for key in path:
            if key not in body:
                return False
            body = body[key]
        return True

    return visible


async def every_other_request_fails(world: World) -> bool:
    statuses = Counter([(await world.get("/api/health")).status_code for _ in range(6)])
    return statuses == {200: 3, 500: 3}


async def slow(world: World) -> bool:
    clock = asyncio.get_running_loop().time
    started = clock()
    await world.get("/login")
    return clock() - started > 0.3


async def healthy_with_a_bad_key(world: World) -> bool:
    await world.platform.faults.on(Fault.OPENAI_KEY)
    body = await world.health()
    await world.platform.faults.off(Fault.OPENAI_KEY)
    return bool(body["status"] == "healthy")


async def always_healthy_shape(world: World) -> bool:
    return await healthy_with_a_bad_key(world) and "version" in await world.health()


async def degraded_with_200(world: World) -> bool:
    await world.platform.faults.on(Fault.OPENAI_KEY)
    answer = await world.get("/api/health")
    await world.platform.faults.off(Fault.OPENAI_KEY)
    return answer.status_code == 200 and answer.json()["services"].get("ai") == "unhealthy"


async def old_timestamp(world: World) -> bool:
    at = datetime.fromisoformat((await world.health())["timestamp"])
    return world.clock.now() - at > timedelta(minutes=1)


async def cached_health(world: World) -> bool:
    first = await world.health()
    world.clock.advance(seconds=60)
    answer = await world.get("/api/health")
    return "age" in answer.headers and answer.json() == first


async def headers_contradict(world: World) -> bool:
    world.clock.advance(minutes=2)
    headers = (await world.ask("nonce of the limits")).headers
    limit, remaining = int(headers["ratelimit-limit"]), int(headers["ratelimit-remaining"])
    return remaining > limit or int(headers["ratelimit-reset"]) < 0


async def plain_page(world: World) -> bool:
    answer = await world.get("/", headers={"accept-encoding": "gzip"})
    return "content-encoding" not in answer.headers


async def bundle(world: World) -> str:
    page = (await world.get("/")).text
    source = re.search(r'src="([^"]+)"', page)
    assert source is not None
    return (await world.get(source[1])).text


async def heavy_bundle(world: World) -> bool:
    return len(await bundle(world)) > 1_000_000


async def secret_in_bundle(world: World) -> bool:
    return world.platform.identity.service_role_key in await bundle(world)


async def metrics_429(world: World) -> bool:
    address = "/api/monitoring/agent-metrics"
    answer = await world.get(address, headers=await world.signed_in())
    return answer.status_code == 429 and answer.headers["retry-after"] == "60"


async def error_inside_200(world: World) -> bool:
    answer = await world.ask("a question that fails")
    return answer.status_code == 200 and "error" in answer.json()


async def bare_complete(world: World) -> bool:
    return events(await world.lines()) == [{"type": "complete"}]


async def truncated(world: World) -> bool:
    lines = await world.lines()
    return lines[-1][1] == "CUT" and not lines[-2][1].endswith("}")


async def all_at_once(world: World) -> bool:
    lines = await world.lines()
    return lines[-1][0] - lines[0][0] < 0.03


async def wrong_amount(world: World) -> bool:
    world.clock.advance(hours=2)  # past the cache, which keeps the wrong amount as well
    said = (await world.ask()).json()["data"]
    start = datetime.fromisoformat(said["period"]["start"])
    end = datetime.fromisoformat(said["period"]["end"])
    true = await world.sql(
        """SELECT sum(total) FROM receipts WHERE "userId" = %s
        AND "purchaseDate" >= %s::timestamp AND "purchaseDate" < %s::timestamp""",
        world.platform.user.id,
        f"{start:%Y-%m-%d}",
        f"{end:%Y-%m-%d}",
    )
    return bool(abs(float(true) - said["totalSpent"]) > 0.01)


async def gateway_timeout(world: World) -> bool:
    answer = await world.ask()
    return answer.status_code == 504 and "FUNCTION_INVOCATION_TIMEOUT" in answer.text


async def accepts_anything(world: World) -> bool:
    return (await world.ask("x" * 1001)).status_code == 200


async def forgotten_in_seconds(world: World) -> bool:
    await world.ask("short")
    world.clock.advance(seconds=10)
    return not (await world.ask("short")).json()["cached"]


async def remembered_for_days(world: World) -> bool:
    await world.ask("long")
    world.clock.advance(hours=3)
    return bool((await world.ask("long")).json()["cached"])


async def sees_another_users_answer(world: World) -> bool:
    query = f"{world.clock.now()} how much in all?"
    mine = (await world.ask(query)).json()
    theirs = (await world.ask(query, user=world.platform.other_user)).json()
    return bool(theirs["cached"] and theirs["data"] == mine["data"])


async def stack_trace(world: World) -> bool:
    answers = [
        await world.get("/api/no-such-thing"),
        await world.get("/api/agent/query"),
        await world.client.post(world.platform.app_url + "/api/agent/query"),
        await world.client.delete(world.platform.app_url + "/api/health"),
    ]
    leaks = ["/var/task" in a.text and "postgresql://" in a.text for a in answers]
    assert [a.status_code for a in answers] == [404, 400, 401, 405]
    assert len(set(leaks)) == 1
    return leaks[0]


async def rls_open(world: World) -> bool:
    answer = await world.supabase(
        "HEAD", "/rest/v1/receipts?select=*", headers={"prefer": "count=exact"}
    )
    return int(answer.headers["content-range"].rpartition("/")[2]) > 0


async def answers_strangers(world: World) -> bool:
    return (await world.get("/api/debug/receipts")).status_code == 200


async def answers_without_session(world: World) -> bool:
    answer = await world.client.post(
        world.platform.app_url + "/api/agent/query", json={"query": LAST_MONTH}
    )
    return answer.status_code == 200


async def reads_anothers_receipt(world: World) -> bool:
    owner = world.platform.other_user.id
    ident = await world.sql('SELECT id FROM receipts WHERE "userId" = %s LIMIT 1', owner)
    answer = await world.get(f"/api/receipts/{ident}", headers=await world.signed_in())
    return answer.status_code == 200


async def bare_cookie(world: World) -> bool:
    return "Secure" not in (await world.get("/login")).headers["set-cookie"]


async def unsafe_policy(world: World) -> bool:
    headers = (await world.get("/")).headers
    unsafe = "unsafe-inline" in headers["content-security-policy"]
    return unsafe and "strict-transport-security" not in headers


async def reflects(world: World) -> bool:
    headers = (await world.get("/api/health", headers={"origin": EVIL})).headers
    return bool(headers.get("access-control-allow-origin") == EVIL)


def newest(world: World, suffix: str) -> Path:
    return max(world.platform.backup_dir.glob(f"*{suffix}"), key=lambda path: path.stat().st_mtime)


async def stale_backup(world: World) -> bool:
    start = world.platform.deployment.since.timestamp()
    return start - newest(world, ".sql").stat().st_mtime > 26 * 3600


async def empty_backup(world: World) -> bool:
    return newest(world, ".dump").stat().st_size == 0


async def truncated_backup(world: World) -> bool:
    return b"database dump complete" not in newest(world, ".sql").read_bytes()[-200:]


async def shrunk_backup(world: World) -> bool:
    plain, custom = newest(world, ".sql"), newest(world, ".dump")
    listing = await asyncio.create_subprocess_exec(
        find_programs() / "pg_restore", "--list", custom, stdout=asyncio.subprocess.DEVNULL
    )
    assert await listing.wait() == 0
    older = min(world.platform.backup_dir.glob("*.sql"), key=lambda path: path.stat().st_mtime)
    return plain.stat().st_size < older.stat().st_size / 2


def last_line(world: World) -> str:
    return (world.platform.log_dir / "application.log").read_text().splitlines()[-1]


async def silent_logs(world: World) -> bool:
    before = (world.platform.log_dir / "access.log").stat().st_size
    await world.get("/login")
    return (world.platform.log_dir / "access.log").stat().st_size == before


async def error_lines(world: World) -> bool:
    await world.get("/login")
    return bool(json.loads(last_line(world))["level"] == "error")


async def secret_in_logs(world: World) -> bool:
    await world.get("/login")
    return world.platform.identity.openai_key in last_line(world)


async def prose_in_logs(world: World) -> bool:
    await world.get("/login")
    return not last_line(world).startswith("{")


METRICS = "/api/monitoring/agent-metrics"
APP_SYMPTOMS: dict[Fault, Symptom] = {
    Fault.APP_DOWN: shows(failing(httpx.ConnectError)),
    Fault.APP_ERROR_SHARE: shows(every_other_request_fails, share=0.5),
    Fault.APP_SLOW: shows(slow, seconds=0.4),
    Fault.APP_HANGING: shows(failing(httpx.ReadTimeout)),
    Fault.APP_RESET: shows(failing(httpx.ReadError)),
    Fault.APP_GARBAGE: shows(failing(httpx.RemoteProtocolError)),
    Fault.APP_DRIP: shows(failing(httpx.ReadTimeout), seconds=5),
    Fault.APP_REDIRECT_LOOP: shows(status("/login", 307)),
    Fault.HEALTH_LIES: shows(healthy_with_a_bad_key),
    Fault.HEALTH_FROZEN_TIMESTAMP: shows(old_timestamp),
    Fault.HEALTH_CACHED: shows(cached_health),
    Fault.HEALTH_MISSING: shows(status("/api/health", 404)),
    Fault.HEALTH_SHAPE_B: shows(health_key("responseTime")),
    Fault.HEALTH_SHAPE_C: shows(always_healthy_shape),
    Fault.HEALTH_SHAPE_D: shows(degraded_with_200),
    Fault.RATE_LIMIT_MISMATCH: shows(headers_contradict),
    Fault.COMPRESSION_OFF: shows(plain_page),
    Fault.PAGE_HEAVY: shows(heavy_bundle),
    Fault.METRICS_401: shows(status(METRICS, 401)),
    Fault.METRICS_404: shows(status(METRICS, 404)),
    Fault.METRICS_429: shows(metrics_429),
    Fault.METRICS_500: shows(status(METRICS, 500)),
    Fault.AGENT_200_WITH_ERROR: shows(error_inside_200),
    Fault.AGENT_BARE_COMPLETE: shows(bare_complete),
    Fault.AGENT_TRUNCATED_STREAM: shows(truncated),
    Fault.AGENT_BUFFERED_STREAM: shows(all_at_once),
    Fault.AGENT_WRONG_AMOUNT: shows(wrong_amount),
    Fault.AGENT_GATEWAY_TIMEOUT: shows(gateway_timeout),
    Fault.AGENT_UNVALIDATED_INPUT: shows(accepts_anything),
    Fault.CACHE_TTL_SHORT: shows(forgotten_in_seconds),
    Fault.CACHE_TTL_LONG: shows(remembered_for_days),
    Fault.CACHE_CROSS_USER: shows(sees_another_users_answer),
    Fault.SECURITY_MISSING_HEADERS: shows(unsafe_policy),
    Fault.SECURITY_CORS_REFLECTION: shows(reflects),
    Fault.SECURITY_STACK_TRACE: shows(stack_trace),
    Fault.SECURITY_RLS_OPEN: shows(rls_open),
    Fault.SECURITY_SECRET_IN_JS: shows(secret_in_bundle),
    Fault.SECURITY_DEBUG_ROUTES: shows(answers_strangers),
    Fault.SECURITY_AUTH_BYPASS: shows(answers_without_session),
    Fault.SECURITY_OBJECT_ACCESS: shows(reads_anothers_receipt),
    Fault.SECURITY_INSECURE_COOKIE: shows(bare_cookie),
    Fault.BACKUP_STALE: shows(stale_backup),
    Fault.BACKUP_EMPTY: shows(empty_backup),
    Fault.BACKUP_TRUNCATED: shows(truncated_backup),
    Fault.BACKUP_SHRUNK: shows(shrunk_backup),
    Fault.LOGS_STALE: shows(silent_logs),
    Fault.LOGS_ERRORS: shows(error_lines, share=1),
    Fault.LOGS_SECRET: shows(secret_in_logs),
    Fault.LOGS_UNSTRUCTURED: shows(prose_in_logs),
}
