"""Rate-limit headers in every dialect: what they promise, and what cannot be true."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stewardmon.domain.ratelimit import allowances, complaints, falling, retry_after

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
SIX = {
    "ratelimit-limit": "10",
    "ratelimit-remaining": "9",
    "ratelimit-reset": "50",
    "ratelimit-policy": "10;w=60",
}
SEVEN = {"ratelimit": "limit=10, remaining=9, reset=50", "ratelimit-policy": "10;w=60"}
EIGHT = {"ratelimit": '"user";r=9;t=50', "ratelimit-policy": '"user";q=10;w=60'}
OLD = {
    "x-ratelimit-limit": "10",
    "x-ratelimit-remaining": "9",
    "x-ratelimit-reset": str(int(NOW.timestamp()) + 50),
}


@pytest.mark.parametrize(
    ("headers", "dialect"),
    [(SIX, "draft-6"), (SEVEN, "draft-7"), (EIGHT, "draft-8"), (OLD, "X-RateLimit")],
)
def test_each_dialect_is_read(headers: dict[str, str], dialect: str) -> None:
    (one,) = allowances(headers, now=NOW)
    assert (one.dialect, one.limit, one.remaining, one.reset) == (dialect, 10, 9, 50)
    assert list(complaints(headers, status=200, now=NOW)) == []


@pytest.mark.parametrize("headers", [{}, {"x-ratelimit-limit": "many"}, {"content-type": "x"}])
def test_no_dialect_is_no_complaint(headers: dict[str, str]) -> None:
    assert allowances(headers, now=NOW) == ()
    assert list(complaints(headers, status=200, now=NOW)) == []


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({**SIX, "ratelimit-remaining": "11"}, 200, "11 requests remain of a limit of 10"),
        ({**SIX, "ratelimit-remaining": "-1"}, 200, "-1 requests remain"),
        ({**SIX, "ratelimit-reset": "-5"}, 200, "it was reset 5 s ago"),
        ({**SIX, "ratelimit-reset": "900"}, 200, "the window has 60 s"),
        ({**SIX, "x-ratelimit-limit": "500"}, 200, "10 (draft-6) and 500 (X-RateLimit)"),
        ({**SEVEN, "ratelimit": "limit=10, remaining=12, reset=5"}, 200, "12 requests remain"),
        ({**EIGHT, "ratelimit": '"user";r=12;t=5'}, 200, "12 requests remain"),
        ({**EIGHT, "ratelimit": '"user";r=2;t=500'}, 200, "the window has 60 s"),
        ({"x-ratelimit-limit": "-3"}, 200, "the limit is -3"),
        ({**SIX, "retry-after": "5"}, 429, "though 9 requests are said to remain"),
        ({"ratelimit-remaining": "0"}, 429, "without a Retry-After"),
        ({"retry-after": "soon"}, 429, "without a Retry-After"),
        ({"retry-after": "-3"}, 429, "Retry-After asks to wait -3 s"),
        ({"retry-after": "99999999"}, 429, "Retry-After asks to wait 99999999 s"),
    ],
)
def test_what_cannot_be_true_is_said(headers: dict[str, str], status: int, says: str) -> None:
    assert says in "; ".join(complaints(headers, status=status, now=NOW))


def test_a_sane_refusal_is_no_complaint() -> None:
    headers = {**SIX, "ratelimit-remaining": "0", "retry-after": "50"}
    assert list(complaints(headers, status=429, now=NOW)) == []


@pytest.mark.parametrize(
    ("before", "after", "wrong"),
    [
        (("9", "50"), ("8", "50"), False),
        (("9", "50"), ("9", "50"), True),
        (("9", "50"), ("10", "49"), True),
        (("1", "1"), ("9", "60"), False),
        (("0", "5"), ("0", "4"), False),
    ],
)
def test_a_request_uses_something_up(
    before: tuple[str, str], after: tuple[str, str], *, wrong: bool
) -> None:
    first, second = (
        {"ratelimit-limit": "10", "ratelimit-remaining": left, "ratelimit-reset": reset}
        for left, reset in (before, after)
    )
    assert bool(falling(first, second, now=NOW)) is wrong


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("Thu, 26 Nov 2026 12:01:00 GMT", 60.0),
        ("", None),
        ("soon", None),
        ("1e9", None),
        ("Thu, 99 Nov 2026 12:01:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, now=NOW) == seconds
