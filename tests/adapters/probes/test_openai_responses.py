"""The openai_chat probe where it asks /responses: typed events, whole, broken and refused."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes.openai_chat import ChatSettings
from tests.support.probing import asked, measured
from tests.support.servers import Behaviour, sends, serving

KEY = "sk-proj-0123456789abcdefghijkl"
USAGE = {"input_tokens": 12, "output_tokens": 3, "total_tokens": 15}
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"


def event(kind: str, **fields: Any) -> bytes:
    return (
        f"event: {kind}\n".encode() + b"data: " + orjson.dumps({"type": kind, **fields}) + b"\n\n"
    )


def delta(text: str) -> bytes:
    return event("response.output_text.delta", delta=text)


CREATED = event("response.created", response={"status": "in_progress", "usage": None})
COMPLETED = event("response.completed", response={"status": "completed", "usage": USAGE})
WHOLE = (CREATED, delta("po"), delta("ng"), COMPLETED)


def incomplete(reason: object) -> bytes:
    response = {"incomplete_details": reason, "usage": USAGE}
    return event("response.incomplete", response=response)


async def ask_of(*pieces: bytes) -> Outcome:
    behaviour: Behaviour = sends(STREAM, *pieces)
    async with serving(behaviour) as server:
        url = f"{server.url}/v1"
        outcome = await asked("openai_chat", url=url, key=KEY, model="tiny", api="responses")
    assert server.requests[0].startswith("POST /v1/responses HTTP/1.1\r\n")
    return outcome


def test_what_it_asks() -> None:
    settings = ChatSettings.model_validate({"key": KEY, "model": "tiny", "api": "responses"})
    assert settings.asked() == (
        "/responses",
        {
            "model": "tiny",
            "input": settings.prompt,
            "max_output_tokens": 16,
            "stream": True,
            "store": False,
        },
    )


async def test_a_whole_response_is_up() -> None:
    outcome = await ask_of(*WHOLE)
    assert outcome.success, outcome.detail
    assert outcome.detail.startswith('"pong" after 0.')
    found = measured(outcome)
    assert found["stewardmon_openai_probe_tokens_today{model=tiny}"] == 15
    assert [name for name in found if "time_to_first_chunk" in name]


@pytest.mark.parametrize("end", range(len(WHOLE)))
async def test_a_response_that_ends_early_is_incomplete(end: int) -> None:
    outcome = await ask_of(*WHOLE[:end])
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.INCOMPLETE)
    assert (
        outcome.detail == f"the stream ended without response.completed, after {max(0, end - 1)}"
        " pieces"
    )


async def test_a_response_cut_at_its_length_is_whole() -> None:
    assert (await ask_of(delta("p"), incomplete({"reason": "max_output_tokens"}))).success


@pytest.mark.parametrize(
    ("pieces", "state", "reason"),
    [
        ([COMPLETED], State.DOWN, Reason.EMPTY),
        (
            [delta("p"), incomplete({"reason": "content_filter"})],
            State.DEGRADED,
            Reason.WRONG_ANSWER,
        ),
        ([delta("p"), incomplete(None)], State.DEGRADED, Reason.WRONG_ANSWER),
        (
            [delta("p"), event("response.completed", response=5)],
            State.DEGRADED,
            Reason.INCOMPLETE,
        ),
        ([event("error", code="rate_limit_exceeded")], State.DEGRADED, Reason.RATE_LIMIT),
        ([event("error", error={"code": "insufficient_quota"})], State.DOWN, Reason.QUOTA),
        (
            [delta("p"), event("response.failed", response={"error": {"code": "server_error"}})],
            State.DOWN,
            Reason.PROVIDER,
        ),
        ([event("response.failed")], State.DOWN, Reason.PROVIDER),
        ([b"data: no json\n\n"], State.DOWN, Reason.PROTOCOL),
    ],
)
async def test_a_response_that_fails_within_a_200(
    pieces: list[bytes], state: State, reason: Reason
) -> None:
    outcome = await ask_of(*pieces)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail
