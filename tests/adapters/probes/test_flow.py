"""Requests in a row: what one brings stands in the next, and no captured value is ever shown."""

from __future__ import annotations

from typing import Any, Final

import orjson
import pytest
from pydantic import ValidationError

from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.probes import KINDS
from tests.support.probing import asked, measured
from tests.support.servers import answer, hangs, redirects_to_itself, sends_in_turn, serving

TOKEN: Final = 'to"ken/+&=\\x'
LOGIN: Final = answer(
    200,
    orjson.dumps({"session": {"token": TOKEN, "n": 7}}),
    headers={"Set-Cookie": "sid=cookie-secret; Path=/; HttpOnly", "X-Next": "next-secret"},
)
STEPS: Final[list[dict[str, Any]]] = [
    {
        "name": "login",
        "path": "/login",
        "method": "POST",
        "json": '{"password": "hunter2hunter2"}',
        "capture": {
            "token": {"json": "session.token"},
            "n": {"json": "session.n"},
            "next": {"header": "x-next"},
            "sid": {"cookie": "sid"},
        },
    },
    {
        "name": "use",
        "path": "/items/{{n}}?q={{ token }}",
        "method": "POST",
        "headers": {"X-Again": "{{next}} {{sid}}"},
        "json": '{"token": "{{token}}"}',
        "expect": {"status": [200], "json": {"ok": True}},
    },
]


async def walk(*answers: bytes, steps: list[dict[str, Any]] = STEPS) -> tuple[Outcome, list[str]]:
    async with serving(sends_in_turn(*answers)) as server:
        outcome = await asked("flow", url=server.url, steps=steps)
        return outcome, server.requests


async def test_what_one_step_brings_stands_in_the_next() -> None:
    outcome, heads = await walk(LOGIN, answer(200, b'{"ok": true}'))
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK), outcome.detail
    assert heads[1].startswith("POST /items/7?q=to%22ken%2F%2B%26%3D%5Cx HTTP/1.1")
    assert "Cookie: sid=cookie-secret\r\n" in heads[1]
    assert "X-Again: next-secret cookie-secret\r\n" in heads[1]
    body = orjson.dumps({"token": TOKEN})
    assert f"Content-Length: {len(body) + 1}\r\n" in heads[1]  # the template's own space
    found = measured(outcome)
    for step in ("login", "use"):
        assert found[f"stewardmon_flow_step_up{{step={step}}}"] == 1
        assert found[f"stewardmon_flow_step_seconds{{step={step}}}"] > 0
        assert f"stewardmon_flow_phase_seconds{{step={step},phase=processing}}" in found


@pytest.mark.parametrize(
    ("answers", "state", "reason", "says"),
    [
        ((answer(500),), State.DOWN, Reason.STATUS, "step login: answered 500"),
        ((answer(401),), State.MISCONFIGURED, Reason.AUTH, "step login: answered 401"),
        ((answer(200, b"{}"),), State.DOWN, Reason.BODY, "step login: token"),
        ((answer(200, b"nonsense"),), State.DOWN, Reason.BODY, "is not there"),
        ((answer(302, headers={"Location": "http://10.0.0.1/"}),), State.DOWN, Reason.REDIRECT, ""),
        ((LOGIN, answer(200, b'{"ok": false}')), State.DOWN, Reason.BODY, "step use: ok is false"),
        ((LOGIN, answer(200, b"[]")), State.DOWN, Reason.BODY, "step use: ok is missing"),
    ],
)
async def test_the_step_that_fails_is_named(
    answers: tuple[bytes, ...], state: State, reason: Reason, says: str
) -> None:
    outcome, _ = await walk(*answers)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.detail
    assert says in outcome.detail
    failing = "use" if len(answers) > 1 else "login"
    assert measured(outcome)[f"stewardmon_flow_step_up{{step={failing}}}"] == 0


async def test_a_captured_value_that_comes_back_is_hidden() -> None:
    echo = answer(200, orjson.dumps({"ok": "next-secret and cookie-secret"}))
    outcome, _ = await walk(LOGIN, echo)
    assert "step use: ok is" in outcome.detail
    for secret in ("next-secret", "cookie-secret", TOKEN, "hunter2hunter2"):
        assert secret not in repr(outcome)


async def test_a_value_that_cannot_stand_in_a_header_is_refused() -> None:
    login = answer(200, orjson.dumps({"token": "a\r\nX-Evil: 1"}))
    steps: list[dict[str, Any]] = [
        {"name": "one", "capture": {"token": {"json": "token"}}},
        {"name": "two", "headers": {"Authorization": "Bearer {{token}}"}},
    ]
    outcome, heads = await walk(login, steps=steps)
    assert outcome.reason is Reason.REQUEST
    assert len(heads) == 1


async def test_a_step_that_hangs_is_a_timeout_of_that_step() -> None:
    async with serving(hangs) as server:
        outcome = await asked("flow", timeout=0.5, url=server.url, steps=[{"name": "one"}])
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)
    assert measured(outcome)["stewardmon_flow_step_up{step=one}"] == 0


async def test_redirects_are_answers_and_private_addresses_may_be_refused() -> None:
    async with serving(redirects_to_itself) as server:
        settings: dict[str, Any] = {"url": server.url, "steps": [{"name": "one"}]}
        outcome = await asked("flow", **settings)
        assert outcome.reason is Reason.REDIRECT
        assert len(server.requests) == 1
        settings["steps"] = [{"name": "one", "expect": {"status": [302]}}]
        assert (await asked("flow", **settings)).success
        outcome = await asked("flow", allow_private=False, **settings)
    assert outcome.reason is Reason.FORBIDDEN_ADDRESS


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([], "at least 1 item"),
        ([{"name": "a"}, {"name": "a"}], "two steps are called a"),
        ([{"name": "a", "path": "/{{token}}"}], "step a needs token"),
        ([{"name": "a", "path": "//evil.example/"}], "starts with one slash"),
        ([{"name": "a", "path": "relative"}], "starts with one slash"),
        ([{"name": "a b"}], "is no name"),
        ([{"name": "a", "capture": {"x": {}}}], "one of json, header and cookie"),
        ([{"name": "a", "capture": {"x": {"json": "a", "header": "b"}}}], "one of json, header"),
    ],
)
def test_a_flow_that_cannot_be_walked_is_a_mistake(steps: list[dict[str, Any]], says: str) -> None:
    settings = {"url": "http://127.0.0.1:1", "steps": steps}
    with pytest.raises(ValidationError, match=says):
        KINDS["flow"].settings.model_validate(settings)
