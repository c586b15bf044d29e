"""The session cookie as Supabase's clients store it: encoded, and split where it is long."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from stewardmon.demo.identity import Identity
from stewardmon.domain.outcome import Reason, State
from stewardmon.probes.rest import Answer
from stewardmon.probes.steward import cookie_name, cookies, refused, retry_after

CHUNK = 3180  # PLATFORM.md section 1
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("metadata", "parts"), [(0, 1), (CHUNK, 2), (3 * CHUNK, 5)], ids=["short", "long", "longer"]
)
def test_a_session_is_split_past_3180_characters_and_put_together_again(
    metadata: int, parts: int
) -> None:
    identity = Identity()
    user = identity.users[0]
    session: dict[str, Any] = {**identity.session(user, now=NOW), "more": "ü" * (metadata // 2)}
    found = cookies(session, name="sb-abcdefgh-auth-token")
    names = ["sb-abcdefgh-auth-token"]
    if parts > 1:
        names = [f"sb-abcdefgh-auth-token.{n}" for n in range(len(found))]
    assert list(found) == names
    assert len(found) >= parts
    assert all(len(value) <= CHUNK for value in found.values())
    assert next(iter(found.values())).startswith("base64-")
    assert identity.user_of_cookies(found, now=NOW) == user


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://abcdefgh.supabase.co", "sb-abcdefgh-auth-token"),
        ("http://127.0.0.1:54321", "sb-127-auth-token"),
        ("https://auth.steward.example", "sb-auth-auth-token"),
    ],
)
def test_the_cookie_is_called_after_the_project(url: str, name: str) -> None:
    assert cookie_name(url) == name


def answered(status: int, body: bytes = b"", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(where="http://app/", status=status, headers=named, body=body)


@pytest.mark.parametrize(
    ("answer", "state", "reason"),
    [
        (answered(401), State.MISCONFIGURED, Reason.AUTH),
        (answered(404), State.MISCONFIGURED, Reason.NOT_FOUND),
        (answered(400, b'{"error": "no"}'), State.MISCONFIGURED, Reason.REQUEST),
        (answered(429), State.DEGRADED, Reason.RATE_LIMIT),
        (answered(500), State.DOWN, Reason.STATUS),
        (answered(504), State.DOWN, Reason.STATUS),
        (answered(504, b"FUNCTION_INVOCATION_TIMEOUT"), State.DOWN, Reason.GATEWAY_TIMEOUT),
        (
            answered(504, x_vercel_error="FUNCTION_INVOCATION_TIMEOUT"),
            State.DOWN,
            Reason.GATEWAY_TIMEOUT,
        ),
        (answered(204), State.DOWN, Reason.STATUS),
        (answered(307), State.MISCONFIGURED, Reason.REDIRECT),
    ],
)
def test_what_is_no_200_has_a_reason(answer: Answer, state: State, reason: Reason) -> None:
    failure = refused(answer)
    assert (failure.state, failure.reason) == (state, reason)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (answered(429, b'{"retryAfter": 60}'), 60.0),
        (answered(429, b'{"retryAfter": 60}', retry_after="7"), 7.0),
        (answered(429, b'{"retryAfter": true}'), None),
        (answered(429, b'{"retryAfter": -1}'), None),
        (answered(429, b"[]"), None),
        (answered(429, b"slow down"), None),
    ],
)
def test_a_limit_says_how_long_to_wait(answer: Answer, seconds: float | None) -> None:
    assert retry_after(answer) == seconds
    assert refused(answer).retry_after == seconds
