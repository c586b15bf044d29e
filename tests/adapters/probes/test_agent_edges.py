"""The agent's promises at their edges and its cache, on the simulated platform."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from stewardmon.clock import SystemClock
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.ports import Context, Probe
from stewardmon.probes import KINDS
from stewardmon.probes.agent_contract import ContractSettings
from stewardmon.probes.asking import ask as ask_probe
from tests.adapters.demo.world import Hand
from tests.support.probing import asked_in, measured, unexpected

pytestmark = pytest.mark.asyncio(loop_scope="module")
HAND = Hand()


class MovedClock(SystemClock):
    """The platform's own clock, which the tests turn past limits' windows and lifetimes."""

    def now(self) -> datetime:
        return HAND.now()

    def monotonic(self) -> float:
        return HAND.now().timestamp()


SHARED = Context(clock=MovedClock())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform with its limits on a clock of its own; `postgres` says if it can be."""
    async with Platform(now=HAND.now) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well, nothing of its limits used up."""
    HAND.advance(minutes=2)
    yield running
    await running.faults.clear()


def user(platform: Platform, **more: Any) -> dict[str, Any]:
    return {
        "url": platform.app_url,
        "supabase_url": platform.supabase_url,
        "anon_key": platform.identity.anon_key,
        "email": platform.user.email,
        "password": platform.user.password,
        "other_email": platform.other_user.email,
        "other_password": platform.other_user.password,
        **more,
    }


async def contract(platform: Platform, **more: Any) -> Outcome:
    settings = {**user(platform), "database": platform.direct_database_url, **more}
    outcome = await asked_in(SHARED, "agent_contract", timeout=10, **settings)
    for secret in (platform.user.password, platform.other_user.password, "auth-token", "eyJ"):
        assert secret not in repr(outcome)
    return outcome


async def test_every_promise_is_kept(platform: Platform) -> None:
    outcome = await contract(platform)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.findings
    found = measured(outcome)
    for check in ("input", "limits", "access"):
        assert found[f"stewardmon_agent_contract_check_possible{{check={check}}}"] == 1
        assert found[f"stewardmon_agent_contract_findings{{check={check}}}"] == 0


@pytest.mark.parametrize(
    ("fault", "check", "state", "says"),
    [
        (Fault.AGENT_UNVALIDATED_INPUT, "input", State.DEGRADED, "1001 characters"),
        (Fault.RATE_LIMIT_MISMATCH, "limits", State.DEGRADED, "of a limit of"),
        (Fault.SECURITY_OBJECT_ACCESS, "access", State.DOWN, "another's /api/receipts/{id}: 200"),
    ],
)
async def test_a_broken_promise_is_found(
    platform: Platform, fault: Fault, check: str, state: State, says: str
) -> None:
    await platform.faults.on(fault.value)
    outcome = await contract(platform)
    assert outcome.state is state
    assert any(says in one for one in outcome.findings), outcome.findings
    found = measured(outcome)
    assert found[f"stewardmon_agent_contract_findings{{check={check}}}"] > 0
    critical = found[f"stewardmon_agent_contract_critical{{check={check}}}"]
    assert bool(critical) == (state is State.DOWN)


async def test_broken_json_that_answers_500_is_a_finding(platform: Platform) -> None:
    await platform.faults.on(Fault.AGENT_UNVALIDATED_INPUT.value)
    outcome = await contract(platform, checks=["input"])
    assert "input: broken JSON is answered with 500, expected 400" in outcome.findings


async def test_the_limit_is_used_up_only_when_asked_by_name(platform: Platform) -> None:
    default: dict[str, Any] = {one.name: one.default for one in fields(ContractSettings)}
    assert "burst" not in default["checks"]
    outcome = await contract(platform, checks=["burst"])
    # The simulated app, like the real one, sends its refusal after 10 with a Retry-After.
    assert outcome.state is State.UP, outcome.findings
    HAND.advance(minutes=2)
    outcome = await contract(platform, checks=["burst"], limit=5)
    assert "burst: 6 questions within a minute were all let through" in outcome.findings


@pytest.mark.parametrize("missing", ["other_email", "database"])
async def test_what_cannot_be_tried_is_not_seen_and_says_what_is_missing(
    platform: Platform, missing: str
) -> None:
    outcome = await contract(platform, checks=["access"], **{missing: None})
    assert (outcome.state, outcome.reason) == (State.UNKNOWN, Reason.SETUP)
    assert "access was not seen: write " in outcome.detail
    assert measured(outcome)["stewardmon_agent_contract_check_possible{check=access}"] == 0


async def test_a_limit_that_is_used_up_leaves_input_unseen(platform: Platform) -> None:
    await contract(platform, checks=["burst"])
    outcome = await contract(platform, checks=["input"])
    assert "the limit was reached" in outcome.detail


# The cache


def cache_of(platform: Platform, **more: Any) -> Probe:
    kind = KINDS["agent_cache"]
    made: Probe = kind.make(kind.settings.model_validate({**user(platform), **more}), SHARED)
    return made


async def ask(probe: Probe, *, after_minutes: float = 0) -> Outcome:
    HAND.advance(minutes=after_minutes)
    return await ask_probe(probe, timeout=10, bug=unexpected)


async def test_an_answer_lives_an_hour_and_for_one_user(platform: Platform) -> None:
    probe = cache_of(platform)
    right = "stewardmon_agent_cache_right{check=%s}"
    first = await ask(probe)
    assert (first.state, first.reason) == (State.UP, Reason.OK), first.detail
    assert measured(first)[right % "repeat"] == measured(first)[right % "other"] == 1
    assert measured(await ask(probe, after_minutes=30))[right % "kept"] == 1
    assert measured(await ask(probe, after_minutes=45))[right % "expired"] == 1
    assert right % "repeat" in measured(await ask(probe, after_minutes=30))


@pytest.mark.parametrize(
    ("fault", "minutes", "check"),
    [(Fault.CACHE_TTL_SHORT, 30, "kept"), (Fault.CACHE_TTL_LONG, 75, "expired")],
)
async def test_a_lifetime_that_was_not_meant(
    platform: Platform, fault: Fault, minutes: float, check: str
) -> None:
    await platform.faults.on(fault.value)
    probe = cache_of(platform)
    assert (await ask(probe)).state is State.UP
    outcome = await ask(probe, after_minutes=minutes)
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.CACHED)
    assert "1h were meant" in outcome.detail
    assert measured(outcome)[f"stewardmon_agent_cache_right{{check={check}}}"] == 0
    await platform.faults.clear()
    assert (await ask(probe, after_minutes=30)).state is State.UP


async def test_near_its_end_nothing_is_judged(platform: Platform) -> None:
    probe = cache_of(platform)
    await ask(probe)
    outcome = await ask(probe, after_minutes=59)
    assert "stewardmon_agent_cache_right{check=kept}" not in measured(outcome)
    assert outcome.state is State.UP


async def test_another_users_entry_is_given_away(platform: Platform) -> None:
    await platform.faults.on(Fault.CACHE_CROSS_USER.value)
    outcome = await ask(cache_of(platform))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.EXPOSED)
    assert measured(outcome)["stewardmon_agent_cache_right{check=other}"] == 0


async def test_without_another_user_the_rest_is_checked(platform: Platform) -> None:
    outcome = await ask(cache_of(platform, other_email=None))
    assert outcome.state is State.UP
    assert "stewardmon_agent_cache_right{check=other}" not in measured(outcome)
