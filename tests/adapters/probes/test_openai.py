"""The openai probe against an API that answers in every class of PLATFORM.md section 3."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes.openai import OpenAiSettings
from stewardmon.probes.openai_api import span
from tests.support.probing import asked, measured
from tests.support.servers import Behaviour, answer, garbage, hangs, sends, serving

KEY = "sk-proj-0123456789abcdefghijkl"
MODELS: dict[str, Any] = {
    "object": "list",
    "data": [
        {"id": "gpt-4o-mini", "object": "model", "shutdown_date": "2027-01-15"},
        {"id": "gpt-4o", "object": "model"},
    ],
}
LIMITS = {
    "x-request-id": "req_123",
    "openai-processing-ms": "12",
    "x-ratelimit-limit-requests": "5000",
    "x-ratelimit-remaining-requests": "4000",
    "x-ratelimit-reset-requests": "12ms",
    "x-ratelimit-limit-tokens": "200000",
    "x-ratelimit-remaining-tokens": "-1",
    "x-ratelimit-reset-tokens": "6m0s",
}


async def ask_of(behaviour: Behaviour, *, timeout: float = 5.0, **settings: Any) -> Outcome:
    async with serving(behaviour) as server:
        return await asked("openai", timeout=timeout, url=f"{server.url}/v1", key=KEY, **settings)


def lists(document: Any, status: int = 200, **headers: str) -> Behaviour:
    return sends(answer(status, orjson.dumps(document), headers={**LIMITS, **headers}))


def refuses(status: int, code: str | None, kind: str = "invalid_request_error") -> Behaviour:
    error = {"message": f"Trouble with {KEY}", "type": kind, "param": None, "code": code}
    return sends(answer(status, orjson.dumps({"error": error}), headers={"Retry-After": "20"}))


async def test_the_models_are_there() -> None:
    outcome = await ask_of(lists(MODELS), models=["gpt-4o-mini", "gpt-4o"])
    assert outcome.success, outcome.detail
    assert outcome.detail == "2 models; request req_123"


async def test_it_sends_the_key_and_nothing_else() -> None:
    async with serving(lists(MODELS)) as server:
        await asked("openai", url=f"{server.url}/v1/", key=KEY, project="proj_1")
    assert server.requests[0].startswith("GET /v1/models HTTP/1.1\r\n")
    assert f"Authorization: Bearer {KEY}\r\n" in server.requests[0]
    assert "OpenAI-Project: proj_1" in server.requests[0]


async def test_headroom_and_retirement_are_measured() -> None:
    found = measured(await ask_of(lists(MODELS), models=["gpt-4o-mini"]))
    assert found["stewardmon_openai_rate_limit_remaining_ratio{kind=requests}"] == 0.8
    assert found["stewardmon_openai_rate_limit_reset_seconds{kind=requests}"] == 0.012
    assert found["stewardmon_openai_rate_limit_reset_seconds{kind=tokens}"] == 360
    assert found["stewardmon_openai_processing_seconds"] == 0.012
    retirement = datetime(2027, 1, 15, tzinfo=UTC).timestamp()
    name = "stewardmon_openai_model_shutdown_timestamp_seconds{model=gpt-4o-mini}"
    assert found[name] == retirement
    took = found["gen_ai_client_operation_duration_seconds{gen_ai_operation_name=models}"]
    assert 0 < took < 5


async def test_a_header_that_is_absent_or_minus_one_gives_no_sample() -> None:
    found = measured(await ask_of(lists(MODELS)))
    assert "stewardmon_openai_rate_limit_remaining_ratio{kind=tokens}" not in found
    bare = measured(await ask_of(sends(answer(body=orjson.dumps(MODELS)))))
    assert not [name for name in bare if "rate_limit" in name or "processing" in name.lower()[:30]]


@pytest.mark.parametrize(
    ("status", "code", "kind", "state", "reason"),
    [
        (401, "invalid_api_key", "invalid_request_error", State.DOWN, Reason.AUTH),
        (401, None, "invalid_request_error", State.DOWN, Reason.AUTH),
        (403, None, "x", State.DOWN, Reason.AUTH),
        (429, "insufficient_quota", "insufficient_quota", State.DOWN, Reason.QUOTA),
        (429, None, "insufficient_quota", State.DOWN, Reason.QUOTA),
        (429, "credit_balance_exhausted", "x", State.DOWN, Reason.QUOTA),
        (429, "project_spend_limit_exceeded", "x", State.DOWN, Reason.QUOTA),
        (429, "monthly_usage_limit_exceeded", "x", State.DOWN, Reason.QUOTA),
        (403, "organization_spend_limit_exceeded", "x", State.DOWN, Reason.QUOTA),
        (429, "rate_limit_exceeded", "requests", State.DEGRADED, Reason.RATE_LIMIT),
        (429, None, "requests", State.DEGRADED, Reason.RATE_LIMIT),
        (503, "slow_down", "x", State.DEGRADED, Reason.RATE_LIMIT),
        (500, None, "server_error", State.DOWN, Reason.PROVIDER),
        (503, None, "server_error", State.DOWN, Reason.PROVIDER),
        (529, None, "x", State.DOWN, Reason.PROVIDER),
        (404, "model_not_found", "x", State.MISCONFIGURED, Reason.MODEL),
        (404, None, "x", State.MISCONFIGURED, Reason.NOT_FOUND),
        (400, "unsupported_parameter", "x", State.MISCONFIGURED, Reason.REQUEST),
        (301, None, "x", State.MISCONFIGURED, Reason.REDIRECT),
    ],
)
async def test_each_class_of_failure(
    status: int, code: str | None, kind: str, state: State, reason: Reason
) -> None:
    outcome = await ask_of(refuses(status, code, kind))
    assert (outcome.state, outcome.reason) == (state, reason)
    assert f"status {status}" in outcome.detail
    assert KEY not in repr(outcome)
    assert measured(outcome)["probe_http_status_code"] == status


async def test_a_rate_limit_says_when_to_come_back() -> None:
    outcome = await ask_of(refuses(429, "rate_limit_exceeded"))
    assert "retry after 20 s" in outcome.detail


async def test_a_required_model_is_missing() -> None:
    outcome = await ask_of(lists(MODELS), models=["gpt-4o", "gpt-9", "o7"])
    assert (outcome.state, outcome.reason) == (State.MISCONFIGURED, Reason.MODEL)
    assert outcome.detail == "not offered to this key: gpt-9, o7"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (sends(answer(body=b"<html>")), Reason.BODY),
        (lists([]), Reason.BODY),
        (lists({"data": {}}), Reason.BODY),
        (lists(None), Reason.BODY),
        (sends(answer(body=b" " * 5_000_000)), Reason.TOO_LARGE),
        (sends(answer(502, b"<html>Bad gateway")), Reason.PROVIDER),
        (sends(answer(500, b'{"error": "words only"}')), Reason.PROVIDER),
        (sends(answer(body=b"12345")[:-1]), Reason.INCOMPLETE),
        (garbage, Reason.PROTOCOL),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
async def test_an_api_that_answers_nonsense(behaviour: Behaviour, reason: Reason) -> None:
    outcome = await ask_of(behaviour)
    assert (outcome.state, outcome.reason) == (State.DOWN, reason), outcome.detail


async def test_odd_entries_are_passed_over() -> None:
    outcome = await ask_of(lists({"data": [{"id": 5}, "x", None, {"id": "gpt-4o"}]}))
    assert outcome.detail == "1 models; request req_123"


async def test_a_timeout_is_down() -> None:
    outcome = await ask_of(hangs, timeout=0.2)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("12ms", 0.012),
        ("1h2m3.5s", 3723.5),
        ("1d", 86400),
        ("", None),
        ("5", None),
        ("-1", None),
        ("1s!", None),
        ("soon", None),
    ],
)
def test_the_vendors_durations(text: str, seconds: float | None) -> None:
    assert span(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "settings",
    [
        {"key": ""},
        {"key": "two words"},
        {"key": KEY, "url": "api.openai.com/v1"},
        {"key": KEY, "url": "https://me:secret@host/v1"},
        {"key": KEY, "url": "https://host/v1?x=1"},
        {"key": KEY, "model": "gpt-4o"},
        {},
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OpenAiSettings.model_validate(settings)
