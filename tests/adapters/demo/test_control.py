"""The control address, the scenarios, noise, and a clean end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from stewardmon.demo.catalogue import Fault, list_faults
from stewardmon.demo.noise import Noise
from stewardmon.demo.platform import Platform
from stewardmon.demo.scenarios import (
    DEFAULT,
    Action,
    list_scenarios,
    perform,
    scenario_named,
)
from stewardmon.errors import UsageError
from tests.adapters.demo.world import World
from tests.support.plain import NO_TLS

if TYPE_CHECKING:
    from stewardmon.demo.postgres import PostgresServer

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_faults_are_listed_switched_on_and_off_over_http(world: World) -> None:
    client, url = world.client, world.platform.control_url
    listed = (await client.get(url + "/faults")).json()
    assert [fault["name"] for fault in listed] == [spec.name for spec in list_faults()]
    assert not any(fault["active"] for fault in listed)
    on = await client.post(url + "/faults/app-error-share", json={"share": 1})
    assert on.status_code == 200
    assert (await world.get("/login")).status_code == 500
    active = [fault for fault in (await client.get(url + "/faults")).json() if fault["active"]]
    assert [(fault["name"], fault["numbers"]) for fault in active] == [
        ("app-error-share", {"share": 1})
    ]
    await client.delete(url + "/faults/app-error-share")
    assert (await world.get("/login")).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/faults/nonsense", b"", "there is no fault named 'nonsense'"),
        ("/faults/app-slow", b'{"seconds": "x"}', "seconds must be a number"),
        ("/faults/app-slow", b"{", "not JSON"),
        ("/faults/app-slow", b"[]", "must be a JSON object"),
        ("/deploy", b"{}", "version"),
    ],
)
async def test_a_bad_command_is_refused_in_a_sentence(
    world: World, path: str, body: bytes, message: str
) -> None:
    answer = await world.client.post(world.platform.control_url + path, content=body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


async def test_control_deploys_and_clears(world: World) -> None:
    client, url = world.client, world.platform.control_url
    await client.post(url + "/deploy", json={"version": "9.9.9"})
    assert (await world.get("/login")).headers["x-app-version"] == "9.9.9"
    world.platform.deploy("1.4.2")
    await world.platform.faults.on(Fault.APP_DOWN)
    assert (await client.get(url + "/")).json()["active"] == ["app-down"]
    await client.delete(url + "/faults")
    assert (await world.get("/login")).status_code == 200


async def test_control_does_not_answer_to_a_foreign_name(world: World) -> None:
    answer = await world.client.get(
        world.platform.control_url + "/faults", headers={"host": "rebound.example"}
    )
    assert answer.status_code == 403


async def test_there_is_a_story_for_newcomers_and_a_scenario_for_every_fault(
    world: World,
) -> None:
    names = [scenario.name for scenario in list_scenarios()]
    assert names[:4] == ["outage", "ai-key-revoked", "bad-deploy", "storm"]
    assert set(Fault) <= set(names)
    assert len(names) == len(set(names))
    with pytest.raises(UsageError, match="try outage"):
        scenario_named("nonsense")


@pytest.mark.parametrize("name", [DEFAULT, "ai-key-revoked", "bad-deploy", "storm"])
async def test_a_story_breaks_the_platform_and_leaves_it_well(world: World, name: str) -> None:
    broken = False
    scenario = scenario_named(name)
    times = [step.at for step in scenario.steps]
    assert times == sorted(times)
    assert times[-1] < scenario.length
    for step in scenario.steps:
        acted = await perform(step, world.platform)
        assert acted == (step.action not in {Action.ACKNOWLEDGE, Action.WATCH})
        broken = broken or bool(world.platform.faults.active())
    assert broken
    assert world.platform.faults.active() == {}
    assert (await world.get("/api/health")).status_code == 200


@pytest.mark.usefixtures("postgres_programs")
async def test_noise_is_small_and_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[bool]:
        noise = Noise(seed=seed)
        return [noise.failed() for _ in range(10_000)]

    assert 20 < sum(drawn(1)) < 100
    assert drawn(1) == drawn(1) != drawn(2)


@pytest.mark.usefixtures("postgres_programs")
async def test_noise_fails_and_slows_requests() -> None:
    noise = Noise(slow_share=0, failed_share=1)
    async with (
        Platform(noise=noise) as platform,
        httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client,
    ):
        assert (await client.get(platform.app_url + "/login")).status_code == 500
        noise.failed_share, noise.slow_share, noise.slow_seconds = 0, 1, 0.3
        clock = asyncio.get_running_loop().time
        started = clock()
        assert (await client.get(platform.app_url + "/login")).status_code == 200
        assert clock() - started > 0.25


@pytest.mark.usefixtures("postgres_programs")
async def test_stopping_frees_whoever_hangs_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    platform = Platform()
    await platform.start()
    process = platform.database.server.pid
    for fault in (Fault.DATABASE_BLOCKED, Fault.DATABASE_FROZEN, Fault.OPENAI_TIMEOUT):
        await platform.faults.on(fault)
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        hanging = asyncio.gather(
            client.get(platform.app_url + "/api/health"),
            client.get(
                platform.openai_url + "/models",
                headers={"authorization": f"Bearer {platform.identity.openai_key}"},
            ),
            return_exceptions=True,
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await asyncio.shield(hanging)
        await platform.stop()
        await hanging
    assert process is not None
    assert not platform.database.server.running
    assert not platform.backup_dir.exists()
    assert asyncio.all_tasks() == before


@pytest.mark.usefixtures("postgres_programs")
async def test_a_server_of_the_callers_is_left_running(own_postgres: PostgresServer) -> None:
    async with Platform(server=own_postgres) as platform:
        await platform.faults.on(Fault.DATABASE_DOWN)
        assert not own_postgres.running
    assert own_postgres.running
