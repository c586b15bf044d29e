"""The openai_embeddings probe: vectors that can be used, and those that cannot."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes.openai_embeddings import KIND
from tests.support.probing import CONTEXT, asked, measured
from tests.support.servers import Behaviour, answer, sends, serving

KEY = "sk-proj-0123456789abcdefghijkl"
LABELS = "gen_ai_operation_name=embeddings,gen_ai_request_model=tiny"


async def ask_of(behaviour: Behaviour, **settings: Any) -> Outcome:
    async with serving(behaviour) as server:
        url = f"{server.url}/v1"
        return await asked("openai_embeddings", url=url, key=KEY, model="tiny", **settings)


def says(document: Any) -> Behaviour:
    return sends(answer(body=orjson.dumps(document), headers={"x-request-id": "req_7"}))


def vector(*numbers: Any) -> Behaviour:
    usage = {"prompt_tokens": 2, "total_tokens": 2}
    return says({"data": [{"index": 0, "embedding": numbers}], "usage": usage})


async def test_a_vector_is_up() -> None:
    outcome = await ask_of(vector(0.5, -1, 0), dimensions=3)
    assert outcome.success
    assert outcome.detail.startswith("a vector of 3 numbers after 0.")
    assert outcome.detail.endswith("request req_7")
    found = measured(outcome)
    assert found[f"gen_ai_client_token_usage{{{LABELS},gen_ai_token_type=input}}"] == 2
    assert 0 < found[f"gen_ai_client_operation_duration_seconds{{{LABELS}}}"] < 5
    assert found["stewardmon_openai_probe_tokens_today{model=tiny}"] == 2


@pytest.mark.parametrize(
    ("behaviour", "state", "reason"),
    [
        (vector(), State.DOWN, Reason.EMPTY),
        (says({"data": []}), State.DOWN, Reason.EMPTY),
        (says({"data": [[]]}), State.DOWN, Reason.EMPTY),
        (says({"data": [{"embedding": "AAAA"}]}), State.DOWN, Reason.EMPTY),
        (vector(1, None), State.DOWN, Reason.BODY),
        (vector(1, True), State.DOWN, Reason.BODY),
        (says([]), State.DOWN, Reason.BODY),
        (sends(answer(body=b"<html>")), State.DOWN, Reason.BODY),
        (sends(answer(body=b" " * 5_000_000)), State.DOWN, Reason.TOO_LARGE),
        (vector(0, 0.0), State.DEGRADED, Reason.WRONG_ANSWER),
        (vector(1, 2), State.DEGRADED, Reason.WRONG_ANSWER),
    ],
)
async def test_a_vector_that_cannot_be_used(
    behaviour: Behaviour, state: State, reason: Reason
) -> None:
    outcome = await ask_of(behaviour, dimensions=3)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail


async def test_the_days_tokens_are_a_cap() -> None:
    async with serving(vector(1)) as server:
        settings = {"url": f"{server.url}/v1", "key": KEY, "model": "tiny", "daily_tokens": 8}
        probe = KIND.make(KIND.settings.model_validate(settings), CONTEXT)
        outcomes = [await probe.ask() for _ in range(4)]
    # An ask is set aside as five tokens and settled at two: the third would pass eight.
    assert [one.reason for one in outcomes] == [Reason.OK, Reason.OK, *[Reason.BUDGET] * 2]
    assert outcomes[-1].state is State.UNKNOWN
    assert len(server.requests) == 2
