"""The http probe on an answer that came: status, JSON, headers, freshness, cache."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.probing import CLOCK, asked, measured
from tests.support.servers import answer, sends, serving

# What examples/probes.yml expects of the app's health.
HEALTH: dict[str, Any] = {
    "status": [200],
    "json": {"status": {"in": ["healthy"]}, "services.*": {"in": ["healthy"]}},
    "fresh": {"path": "timestamp", "within": "30s"},
}
WELL = {"database": "healthy", "openai": "healthy", "cache": "healthy"}


def health(status: str = "healthy", *, age: float = 0, **services: Any) -> dict[str, Any]:
    at = CLOCK.now() - timedelta(seconds=age)
    stamp = at.isoformat().replace("+00:00", "Z")
    return {"status": status, "timestamp": stamp, "services": {**WELL, **services}}


async def judged(
    document: Any, expect: dict[str, Any] | None = None, *, status: int = 200, headers: Any = ()
) -> Outcome:
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    async with serving(sends(answer(status, body, headers=dict(headers)))) as server:
        return await asked("http", url=server.url, expect=HEALTH if expect is None else expect)


async def test_the_guides_health_is_up() -> None:
    outcome = await judged(health())
    assert outcome.success, outcome.detail


HEALTHY = "expected one of healthy"


@pytest.mark.parametrize(
    ("changes", "state", "detail"),
    [
        ({"database": "unhealthy"}, State.DOWN, f'services.database is "unhealthy", {HEALTHY}'),
        ({"cache": "unknown"}, State.DEGRADED, f'services.cache is "unknown", {HEALTHY}'),
        ({"cache": "degraded"}, State.DEGRADED, f'services.cache is "degraded", {HEALTHY}'),
        ({"cache": True}, State.DOWN, f"services.cache is true, {HEALTHY}"),
        ({"cache": None}, State.DOWN, f"services.cache is null, {HEALTHY}"),
        ({"cache": ["healthy"]}, State.DOWN, f"services.cache is a list of 1, {HEALTHY}"),
        ({"cache": {}}, State.DOWN, f"services.cache is an object, {HEALTHY}"),
    ],
)
async def test_a_service_that_is_not_healthy(
    changes: dict[str, Any], state: State, detail: str
) -> None:
    outcome = await judged(health(**changes))
    assert (outcome.state, outcome.reason, outcome.detail) == (state, Reason.BODY, detail)


async def test_the_worst_complaint_decides_and_all_are_found() -> None:
    outcome = await judged(health("degraded", database="unhealthy"))
    assert outcome.state is State.DOWN
    assert outcome.detail == f'services.database is "unhealthy", {HEALTHY}, and 1 more'
    assert outcome.findings == (
        f'status is "degraded", {HEALTHY}',
        f'services.database is "unhealthy", {HEALTHY}',
    )


@pytest.mark.parametrize(
    ("part", "detail"),
    [
        ({"services": {}}, "services.* is missing in the body"),
        ({"services": "healthy"}, "services.* is missing in the body"),
        ({"timestamp": "soon"}, 'timestamp is "soon", expected a time'),
        ({"timestamp": True}, "timestamp is true, expected a time"),
        ({"timestamp": 1e300}, "timestamp is 1e+300, expected a time"),
        ({"timestamp": {}}, "timestamp is an object, expected a time"),
    ],
)
async def test_a_part_of_the_wrong_type(part: dict[str, Any], detail: str) -> None:
    outcome = await judged({**health(), **part})
    assert (outcome.state, outcome.reason, outcome.detail) == (State.DOWN, Reason.BODY, detail)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b"[]", "status is missing in the body, and 2 more"),
        (b"", "the body is empty, expected JSON"),
        (b"<html>\x1b[31m not\x00 json", 'the body is not JSON: "<html> [31m not json"'),
        (b'{"status": "heal', 'the body is not JSON: "{"status": "heal"'),
    ],
)
async def test_a_body_that_is_no_such_json(body: bytes, detail: str) -> None:
    outcome = await judged(body)
    assert (outcome.state, outcome.reason, outcome.detail) == (State.DOWN, Reason.BODY, detail)


@pytest.mark.parametrize(
    ("age", "detail"),
    [
        (95, "timestamp is 1m35s old, expected within 30s"),
        (-3600.3, "timestamp is 1h ahead of our clock, expected within 30s"),
    ],
)
async def test_a_timestamp_that_is_not_now(age: float, detail: str) -> None:
    outcome = await judged(health(age=age))
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.STALE)
    assert outcome.detail == detail


async def test_epoch_seconds_and_milliseconds_are_times_too() -> None:
    now = CLOCK.now().timestamp()
    for stamp in (now, now * 1000, int(now)):
        outcome = await judged({**health(), "timestamp": stamp})
        assert outcome.success, outcome.detail


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        (500, State.DOWN, Reason.STATUS),
        (503, State.DOWN, Reason.STATUS),
        (404, State.MISCONFIGURED, Reason.NOT_FOUND),
        (401, State.MISCONFIGURED, Reason.AUTH),
        (403, State.MISCONFIGURED, Reason.AUTH),
        (405, State.MISCONFIGURED, Reason.REQUEST),
        (429, State.DEGRADED, Reason.RATE_LIMIT),
        (418, State.DOWN, Reason.STATUS),
        (304, State.DOWN, Reason.REDIRECT),
        (204, State.DOWN, Reason.STATUS),
    ],
)
async def test_a_status_that_is_not_expected(status: int, state: State, reason: Reason) -> None:
    outcome = await judged(b"", status=status)
    assert (outcome.state, outcome.reason) == (state, reason)
    assert outcome.detail.startswith(f"answered {status}, expected 200")
    assert measured(outcome)["probe_http_status_code"] == status


@pytest.mark.parametrize(
    ("document", "state", "reason", "said"),
    [
        (health("degraded"), State.DEGRADED, Reason.BODY, 'status is "degraded"'),
        (health("unhealthy"), State.DOWN, Reason.BODY, 'status is "unhealthy"'),
        (health(), State.DOWN, Reason.STATUS, "answered 503"),
        ({"error": "no database"}, State.DOWN, Reason.STATUS, "answered 503"),
        ([], State.DOWN, Reason.STATUS, "answered 503"),
    ],
)
async def test_what_the_body_says_goes_before_the_status(
    document: Any, state: State, reason: Reason, said: str
) -> None:
    outcome = await judged(document, status=503)
    assert (outcome.state, outcome.reason) == (state, reason)
    assert outcome.detail.startswith(said)
    assert "answered 503, expected 200" in outcome.detail


@pytest.mark.parametrize(
    ("expect", "detail"),
    [
        ({"n": 5}, ""),
        ({"n": 5.0}, ""),
        ({"n": 6}, "n is 5, expected 6"),
        ({"n": True}, "n is 5, expected true"),
        ({"one": True}, "one is 1, expected true"),
        ({"n": {"gt": 4, "lt": 6}}, ""),
        ({"n": {"ge": 5, "le": 5}}, ""),
        ({"n": {"gt": 5}}, "n is 5, expected above 5"),
        ({"n": {"lt": 5}}, "n is 5, expected below 5"),
        ({"text": {"gt": 5}}, 'text is "abc", expected a number'),
        ({"text": {"matches": "b"}}, ""),
        ({"text": {"matches": "^b"}}, 'text is "abc", expected it to match ^b'),
        ({"text": {"not_matches": "b"}}, 'text is "abc", expected it not to match b'),
        ({"text": {"not_in": ["abc", "d"]}}, 'text is "abc", expected none of abc, d'),
        ({"text": {"kind": "string"}, "n": {"kind": "number"}, "list": {"kind": "list"}}, ""),
        ({"text": {"kind": "number"}}, 'text is "abc", expected a number'),
        ({"gone": {"exists": False}}, ""),
        ({"text": {"exists": False}}, "text is there, expected it not to be"),
        ({"gone": {}}, "gone is missing in the body"),
        ({"list[0].a": 1, "list[-1].a": 2}, ""),
        ({"list[2].a": 1}, "list[2].a is missing in the body"),
        ({"list[*].a": {"in": [1]}}, "list[1].a is 2, expected one of 1"),
        ({"list.*.a": {"in": [1]}}, "list[1].a is 2, expected one of 1"),
        ({'["odd key"].x': 1}, ""),
        ({"*.x": 1}, ""),
        ({"$": {"kind": "object"}}, ""),
    ],
)
async def test_conditions_on_json(expect: dict[str, Any], detail: str) -> None:
    document = {
        "n": 5,
        "one": 1,
        "text": "abc",
        "list": [{"a": 1}, {"a": 2}],
        "odd key": {"x": 1},
    }
    outcome = await judged(document, {"json": expect})
    assert outcome.detail == (detail or "answered 200")
    assert outcome.success is (detail == "")


@pytest.mark.parametrize(
    ("expect", "headers", "detail"),
    [
        ({"headers": {"X-Frame-Options": "DENY"}}, {"x-frame-options": "DENY"}, ""),
        ({"headers": {"X-Frame-Options": "DENY"}}, {}, "header X-Frame-Options is missing"),
        ({"headers": {"X-Powered-By": {"exists": False}}}, {}, ""),
        (
            {"headers": {"X-Powered-By": {"exists": False}}},
            {"x-powered-by": "Next.js"},
            "header X-Powered-By is there, expected it not to be",
        ),
        ({"cached": False}, {}, ""),
        ({"cached": False}, {"age": "0"}, ""),
        ({"cached": False}, {"age": "7"}, "the answer comes from a cache and is 7 s old"),
        ({"max_age": "10s"}, {"age": "7"}, ""),
        ({"max_age": "5s"}, {"age": "7"}, "the answer comes from a cache and is 7 s old"),
        ({"cached": False}, {"x-vercel-cache": "MISS"}, ""),
        (
            {"cached": False},
            {"x-vercel-cache": "HIT"},
            "the answer comes from a cache (x-vercel-cache: HIT)",
        ),
        ({"cached": False}, {"age": "many"}, ""),
        ({"body": {"contains": ["b", "c"], "not_contains": "x"}}, {}, ""),
        ({"body": {"contains": ["b", "z"]}}, {}, 'the body lacks "z"'),
        ({"body": {"not_contains": "b"}}, {}, 'the body holds "b"'),
        ({"body": {"not_matches": ["Prisma", "b."]}}, {}, "the body matches b."),
        ({"tls": {"min_days": 3}}, {}, "the answer came without TLS"),
    ],
)
async def test_conditions_on_headers_and_body(
    expect: dict[str, Any], headers: dict[str, str], detail: str
) -> None:
    outcome = await judged(b"abc", expect, headers=headers)
    assert outcome.detail == (detail or "answered 200")
    assert outcome.success is (detail == "")


async def test_a_regular_expression_that_fails_is_measured() -> None:
    outcome = await judged(b"abc", {"body": {"matches": "x"}})
    assert measured(outcome)["probe_failed_due_to_regex"] == 1
    outcome = await judged(b"abc", {"status": [201]})
    assert measured(outcome)["probe_failed_due_to_regex"] == 0


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-abcdefghijklmnop123456",
        "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2lnbmF0dXJl",
        "postgresql://steward:hunter2hunter2@db.example:5432/app",
    ],
)
async def test_no_secret_of_the_target_is_repeated(secret: str) -> None:
    for document in ({"status": f"failed with {secret}"}, f"failed with {secret}".encode()):
        outcome = await judged(document)
        assert secret not in repr(outcome)
        assert "hunter2" not in repr(outcome)
        assert "failed with" in outcome.detail + str(outcome.findings)
