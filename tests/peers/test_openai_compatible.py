"""The AI probes against a compatible server that others wrote (the package llmock), well and ill.

It speaks real HTTP on a port of its own, and misbehaves where a scenario tells it to.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from llmock.scenarios import Behavior, Delay, Fail, StreamFault
from llmock.testing import LLMockServer

from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import asked, measured

KEY = "sk-proj-0123456789abcdefghijkl"
MODEL = "gpt-4o-mini"
SETTINGS: dict[str, dict[str, Any]] = {
    "openai": {"models": [MODEL]},
    "openai_chat": {"model": MODEL},
    "responses": {"model": MODEL, "api": "responses"},
    "openai_embeddings": {"model": "text-embedding-3-small"},
}


@pytest.fixture(scope="module")
def running() -> Iterator[LLMockServer]:
    """A server on loopback."""
    with LLMockServer() as server:
        yield server


@pytest.fixture
def server(running: LLMockServer) -> Iterator[LLMockServer]:
    """The module's server, behaving."""
    yield running
    running.state.scenarios.clear()


async def ask(server: LLMockServer, kind: str, *, timeout: float = 5.0, **more: Any) -> Outcome:
    settings = {"url": server.base_url("openai"), "key": KEY, **SETTINGS[kind], **more}
    return await asked("openai_chat" if kind == "responses" else kind, timeout=timeout, **settings)


@pytest.mark.parametrize("kind", sorted(SETTINGS))
async def test_it_answers_as_it_should(server: LLMockServer, kind: str) -> None:
    outcome = await ask(server, kind)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.detail


async def test_the_canary_counts_its_tokens_and_chunks(server: LLMockServer) -> None:
    found = measured(await ask(server, "openai_chat"))
    names = {name.partition("{")[0] for name in found}
    assert {
        "gen_ai_client_token_usage",
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        "gen_ai_client_operation_duration_seconds",
    } <= names


@pytest.mark.parametrize("kind", sorted(SETTINGS))
@pytest.mark.parametrize(
    ("trouble", "state", "reason"),
    [
        (Fail(401), State.DOWN, Reason.AUTH),
        (Fail(403), State.DOWN, Reason.AUTH),
        (Fail(429), State.DEGRADED, Reason.RATE_LIMIT),
        (Fail(429, code="insufficient_quota"), State.DOWN, Reason.QUOTA),
        (Fail(404, code="model_not_found"), State.MISCONFIGURED, Reason.MODEL),
        (Fail(400), State.MISCONFIGURED, Reason.REQUEST),
        (Fail(500), State.DOWN, Reason.PROVIDER),
        (Fail(503), State.DOWN, Reason.PROVIDER),
    ],
    ids=str,
)
async def test_each_class_of_failure(
    server: LLMockServer, kind: str, trouble: Behavior, state: State, reason: Reason
) -> None:
    server.state.scenarios.add(trouble)
    outcome = await ask(server, kind)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail
    assert KEY not in repr(outcome)


@pytest.mark.parametrize("kind", ["openai_chat", "responses"])
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (StreamFault("disconnect", after_chunks=2), Reason.INCOMPLETE),
        (StreamFault("truncate", after_chunks=2), Reason.INCOMPLETE),
        (StreamFault("malformed", after_chunks=2), Reason.PROTOCOL),
        (StreamFault("stall", after_chunks=2, stall_seconds=2), Reason.TIMEOUT),
        (Delay(2), Reason.TIMEOUT),
    ],
    ids=str,
)
async def test_a_stream_that_breaks(
    server: LLMockServer, kind: str, trouble: Behavior, reason: Reason
) -> None:
    server.state.scenarios.add(trouble)
    outcome = await ask(server, kind, timeout=1.0)
    assert (outcome.state, outcome.reason) == (State.DOWN, reason), outcome.detail


async def test_a_model_that_it_does_not_offer(server: LLMockServer) -> None:
    outcome = await ask(server, "openai", models=["gpt-nowhere"])
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.MODEL)
