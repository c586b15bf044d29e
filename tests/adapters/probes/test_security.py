"""The security probe against the platform: sound by default, and each weakness with its points."""

from __future__ import annotations

from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator
from contextlib import suppress
from time import thread_time
from typing import Any

import pytest
import pytest_asyncio

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.rest import Answer, Client
from stewardmon.probes.security import SecuritySettings
from stewardmon.probes.security_checks import CHECKS, Site
from tests.support.probing import CLOCK, asked, measured
from tests.support.servers import answer, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres: PostgresServer) -> AsyncIterator[Platform]:
    """A running platform without its request limit: every test asks some thirty times."""
    async with Platform(limits=Limits(per_address=None)) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    yield running
    await running.faults.clear()


async def look(platform: Platform, **settings: Any) -> Outcome:
    return await asked("security", timeout=15, url=platform.app_url, **settings)


async def test_a_sound_app_keeps_its_hundred_points(platform: Platform) -> None:
    outcome = await asked(
        "security", timeout=15, url=platform.app_tls_url, verify=str(platform.ca_file)
    )
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.findings
    assert measured(outcome)["stewardmon_security_score"] == 100
    assert outcome.findings == ()


async def test_what_cannot_be_seen_is_said_and_gives_no_score(platform: Platform) -> None:
    outcome = await look(platform)
    assert outcome.state is State.UP
    assert outcome.findings == ("tls was not seen: the address is a private one without TLS",)
    assert measured(outcome)["stewardmon_security_check_possible{check=tls}"] == 0
    assert "stewardmon_security_score" not in measured(outcome)


@pytest.mark.parametrize(
    ("fault", "check", "state", "text"),
    [
        (Fault.SECURITY_MISSING_HEADERS, "headers", State.DEGRADED, "no Strict-Transport-Security"),
        (Fault.SECURITY_CORS_REFLECTION, "cors", State.DOWN, "evil.example may act as"),
        (Fault.SECURITY_STACK_TRACE, "errors", State.DOWN, "a connection string"),
        (Fault.SECURITY_SECRET_IN_JS, "scripts", State.DOWN, "service-role key"),
        (Fault.SECURITY_DEBUG_ROUTES, "debug", State.DEGRADED, "/api/debug answers strangers"),
        (
            Fault.SECURITY_AUTH_BYPASS,
            "auth",
            State.DOWN,
            "GET /api/monitoring/agent-metrics answers 200 without a session (−50)",
        ),
        (Fault.SECURITY_INSECURE_COOKIE, "cookies", State.UP, "lacks Secure and SameSite"),
    ],
)
async def test_a_weakness_is_named(
    platform: Platform, fault: Fault, check: str, state: State, text: str
) -> None:
    await platform.faults.on(fault.value)
    outcome = await look(platform)
    assert outcome.state is state, outcome.findings
    assert any(text in line for line in outcome.findings), outcome.findings
    numbers = measured(outcome)
    assert numbers[f"stewardmon_security_findings{{check={check}}}"] > 0
    others = {name for name, value in numbers.items() if "findings" in name and value}
    assert others == {f"stewardmon_security_findings{{check={check}}}"}
    identity = platform.identity
    for secret in (identity.openai_key, identity.service_role_key, identity.database_password):
        assert secret not in repr(outcome)


async def test_a_burst_runs_only_by_name(platform: Platform) -> None:
    outcome = await look(platform, checks=["burst"], burst=5)
    assert outcome.findings == (
        "5 requests in a row were all answered: there is no rate limit (−20)",
    )
    assert "burst" not in "".join(measured(await look(platform)))


async def test_an_app_that_is_down_has_no_score(platform: Platform) -> None:
    await platform.faults.on(Fault.APP_DOWN.value)
    outcome = await look(platform)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REFUSED)
    assert "stewardmon_security_score" not in measured(outcome)


KEY = b"sk-proj-aaaabbbbccccddddeeeeffff"
PAGE = b"<script src=/big.js></script><script src=/small.js></script>"


async def _serves_a_long_script(reader: Reader, writer: Writer) -> None:
    """Serve a page, a script that is too long to be read, and a small one with a key in it."""
    head = await reader.readuntil(b"\r\n\r\n")
    bodies = {b"/": PAGE, b"/big.js": b"x" * (513 << 10), b"/small.js": b"key='" + KEY + b"'"}
    writer.write(answer(body=bodies.get(head.split(b" ")[1], b"{}")))
    await writer.drain()


async def test_a_script_too_long_to_be_read_is_said_and_hides_no_other() -> None:
    async with serving(_serves_a_long_script) as server:
        outcome = await asked("security", url=server.url, checks=["scripts"])
    assert outcome.findings == (
        "/small.js holds a key of the AI provider (−100)",
        "scripts was not seen: of /big.js only the first 512 KiB were read",
    )
    numbers = measured(outcome)
    assert numbers["stewardmon_security_critical{check=scripts}"] == 1
    assert numbers["stewardmon_security_check_possible{check=scripts}"] == 0


@pytest.mark.parametrize("check", ["errors", "scripts"])
async def test_megabytes_are_not_judged_on_the_event_loop(check: str) -> None:
    settings = SecuritySettings(url="http://app", protected=(), protected_posts=())
    site = _Flooding(settings, Client(user_agent="test"), Progress(), CLOCK.now())
    began = thread_time()
    with suppress(Failure):
        assert [one async for one in CHECKS[check](site)] == []
    assert thread_time() - began < 0.3  # seconds of CPU: twice as much and more for five megabytes


class _Flooding(Site):
    """An app whose every page is five megabytes long."""

    async def ask(self, path: str, **_: Any) -> Answer:
        body = b"e-s;" * (5 << 18)
        return Answer(where=path, status=200, headers={}, body=body)
