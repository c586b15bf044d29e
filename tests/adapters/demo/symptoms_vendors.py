"""How the faults of the AI vendor, of Supabase and of the certificate show."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta

import httpx

from stewardmon.demo.catalogue import Fault
from tests.adapters.demo.symptoms import Symptom, Visible, shows
from tests.adapters.demo.world import World


def refused(status: int, code: str | None, path: str = "/models") -> Visible:
    async def visible(world: World) -> bool:
        answer = await world.openai(path=path)
        if answer.status_code != status:
            return False
        return bool(answer.json()["error"]["code"] == code)

    return visible


def unreachable(kind: type[Exception]) -> Visible:
    async def visible(world: World) -> bool:
        try:
            await world.openai(timeout=0.4)
        except kind:
            return True
        return False

    return visible


async def told_to_wait(world: World) -> bool:
    answer = await world.openai()
    return bool(answer.status_code == 429 and answer.headers["retry-after"] == "7")


async def refuses_parameters(world: World) -> bool:
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "ping"}]}
    answer = await world.openai("POST", "/chat/completions", json=body)
    return bool(answer.status_code == 400)


async def model_gone(world: World) -> bool:
    listed = [model["id"] for model in (await world.openai()).json()["data"]]
    return "gpt-4o-mini" not in listed


async def late_first_chunk(world: World) -> bool:
    async for after, _ in world.chat():
        return after > 0.3
    return False


async def stalled(world: World) -> bool:
    seen = 0
    try:
        async with asyncio.timeout(0.5):
            async for _ in world.chat():
                seen += 1
    except TimeoutError:
        return seen == 3
    return False


async def broken(world: World) -> bool:
    seen: list[str] = []
    try:
        seen.extend([line async for _, line in world.chat()])
    except httpx.RemoteProtocolError:
        return True
    assert seen[-1] == "data: [DONE]"
    usage = json.loads(seen[-2].removeprefix("data: "))["usage"]
    assert usage["completion_tokens"] == 6
    return False


async def no_headers(world: World) -> bool:
    return "x-ratelimit-limit-requests" not in (await world.openai()).headers


async def little_left(world: World) -> bool:
    headers = (await world.openai()).headers
    left = int(headers["x-ratelimit-remaining-requests"])
    return left / int(headers["x-ratelimit-limit-requests"]) < 0.1


async def dated(world: World) -> bool:
    return any("shutdown_date" in model for model in (await world.openai()).json()["data"])


async def incident(world: World) -> bool:
    address = world.platform.status_url + "/api/v2/summary.json"
    body = (await world.client.get(address)).json()
    return body["status"]["indicator"] == "major" and len(body["incidents"]) == 1


async def costly_today(world: World) -> bool:
    key = world.platform.identity.openai_admin_key
    answer = await world.client.get(
        world.platform.openai_url + "/organization/costs",
        headers={"authorization": f"Bearer {key}"},
    )
    days = [bucket["results"][0]["amount"]["value"] for bucket in answer.json()["data"]]
    return bool(days[-1] > 3 * sorted(days)[len(days) // 2])


def down(path: str) -> Visible:
    async def visible(world: World) -> bool:
        return (await world.supabase("GET", path)).status_code == 503

    return visible


async def ingest_down(world: World) -> bool:
    address = world.platform.sentry_url + "/api/1/envelope/"
    return (await world.client.post(address, content=b"{}")).status_code == 503


async def old_events(world: World) -> bool:
    address = world.platform.sentry_url + "/api/0/projects/steward/app/events/"
    newest = (await world.client.get(address)).json()[0]["dateCreated"]
    return world.clock.now() - datetime.fromisoformat(newest) > timedelta(days=1)


def certificate(failure: str) -> Visible:
    async def visible(world: World) -> bool:
        return failure in (await world.tls_failure() or "trusted")

    return visible


async def expires_soon(world: World) -> bool:
    return await world.certificate_days() < 4


VENDOR_SYMPTOMS: dict[Fault, Symptom] = {
    Fault.OPENAI_KEY: shows(refused(401, "invalid_api_key")),
    Fault.OPENAI_QUOTA: shows(refused(429, "insufficient_quota")),
    Fault.OPENAI_RATE: shows(told_to_wait, seconds=7),
    Fault.OPENAI_PROVIDER: shows(refused(500, None)),
    Fault.OPENAI_UNAVAILABLE: shows(refused(503, None)),
    Fault.OPENAI_TIMEOUT: shows(unreachable(httpx.ReadTimeout)),
    Fault.OPENAI_DOWN: shows(unreachable(httpx.ConnectError)),
    Fault.OPENAI_BAD_REQUEST: shows(refuses_parameters),
    Fault.OPENAI_MODEL_MISSING: shows(model_gone),
    Fault.OPENAI_SLOW_FIRST_TOKEN: shows(late_first_chunk, seconds=0.4),
    Fault.OPENAI_STALLED_STREAM: shows(stalled),
    Fault.OPENAI_BROKEN_STREAM: shows(broken),
    Fault.OPENAI_MISSING_HEADERS: shows(no_headers),
    Fault.OPENAI_LOW_HEADROOM: shows(little_left),
    Fault.OPENAI_RETIRED_MODEL: shows(dated),
    Fault.OPENAI_INCIDENT: shows(incident),
    Fault.OPENAI_COST_SPIKE: shows(costly_today),
    Fault.SUPABASE_AUTH_DOWN: shows(down("/auth/v1/health")),
    Fault.SUPABASE_REST_DOWN: shows(down("/rest/v1/")),
    Fault.SUPABASE_STORAGE_DOWN: shows(down("/storage/v1/status")),
    Fault.SENTRY_DOWN: shows(ingest_down),
    Fault.SENTRY_STALE: shows(old_events),
    Fault.CERTIFICATE_EXPIRING: shows(expires_soon),
    Fault.CERTIFICATE_EXPIRED: shows(certificate("certificate has expired")),
    Fault.CERTIFICATE_WRONG_NAME: shows(certificate("mismatch")),
    Fault.CERTIFICATE_UNTRUSTED: shows(certificate("unable to get local issuer certificate")),
}
