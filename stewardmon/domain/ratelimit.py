"""What rate-limit headers promise, in each of their dialects, and where they cannot be true.

draft-ietf-httpapi-ratelimit-headers: -06 (RateLimit-Limit, -Remaining, -Reset), -07 (RateLimit:
limit=10, remaining=9, reset=50), -08 (RateLimit: "name";r=9;t=50 with RateLimit-Policy:
"name";q=10;w=60), the older X-RateLimit-*, and Retry-After (RFC 9110, 10.2.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

_NUMBER: Final = re.compile(r"\s*(-?\d{1,15})(?:\.\d+)?\s*(?:$|[;,])")
_PAIR: Final = re.compile(r"\b(limit|remaining|reset|r|t|q|w)\s*=\s*\"?(-?\d{1,15})")
_EPOCH: Final = 1_000_000_000  # a larger reset is a time, in seconds since 1970, not a wait
_LONGEST: Final = 7 * 86400  # seconds; no limit of an app like this waits longer


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What one dialect promises; `reset` in seconds from now, None where it does not say."""

    dialect: str
    limit: int | None = None
    remaining: int | None = None
    reset: int | None = None
    window: int | None = None


def allowances(headers: Mapping[str, str], *, now: datetime) -> tuple[Allowance, ...]:
    """Return the promises of all dialects that the headers (by lower-case name) speak."""
    policy = _pairs(headers.get("ratelimit-policy", ""))
    found = []
    if "ratelimit" in headers:
        told = _pairs(headers["ratelimit"])
        eighth = "r" in told or "t" in told
        found.append(
            Allowance(
                dialect="draft-8" if eighth else "draft-7",
                limit=told.get("limit", policy.get("q") if eighth else None),
                remaining=told.get("r", told.get("remaining")),
                reset=told.get("t", told.get("reset")),
                window=policy.get("w"),
            )
        )
    for dialect, prefix in (("draft-6", "ratelimit-"), ("X-RateLimit", "x-ratelimit-")):
        limit, remaining, reset = (
            _number(headers.get(prefix + part)) for part in ("limit", "remaining", "reset")
        )
        if not (limit is None and remaining is None and reset is None):
            found.append(
                Allowance(
                    dialect=dialect,
                    limit=limit,
                    remaining=remaining,
                    reset=_wait(reset, now=now),
                    window=policy.get("w") if dialect == "draft-6" else None,
                )
            )
    return tuple(found)


def complaints(headers: Mapping[str, str], *, status: int, now: datetime) -> Iterator[str]:
    """Yield what cannot be true of one answer's headers; nothing where it has none."""
    found = allowances(headers, now=now)
    for one in found:
        yield from _alone(one)
    limits = {one.limit for one in found if one.limit is not None}
    if len(limits) > 1:
        said = " and ".join(
            f"{one.limit} ({one.dialect})" for one in found if one.limit is not None
        )
        yield f"the dialects contradict each other on the limit: {said}"
    left = {one.remaining for one in found if one.remaining is not None}
    if status == 429:
        if left and max(left) > 0:
            yield f"refused with 429, though {max(left)} requests are said to remain"
        wait = retry_after(headers, now=now)
        if wait is None:
            yield "refused with 429 without a Retry-After that can be read"
        elif not 0 <= wait <= _LONGEST:
            yield f"Retry-After asks to wait {wait:.0f} s"


def falling(before: Mapping[str, str], after: Mapping[str, str], *, now: datetime) -> str:
    """Return what is wrong between two answers in a row, empty where nothing is.

    A request uses something up, unless a new window began: then the reset is later than before.
    """
    earlier = {one.dialect: one for one in allowances(before, now=now)}
    for one in allowances(after, now=now):
        was = earlier.get(one.dialect)
        if was is None or was.remaining is None or one.remaining is None:
            continue
        fresh = was.reset is None or one.reset is None or one.reset > was.reset
        if one.remaining >= was.remaining > 0 and not fresh:
            return f"{one.dialect}: a request left the remaining {one.remaining} as they were"
    return ""


def retry_after(headers: Mapping[str, str], *, now: datetime) -> float | None:
    """Return the seconds that Retry-After asks to wait, None where it is absent or unreadable."""
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"-?\d{1,12}", text):
        return float(text)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return (at - now).total_seconds() if at.tzinfo is not None else None


def _alone(one: Allowance) -> Iterator[str]:
    where = one.dialect
    if one.limit is not None and one.limit < 0:
        yield f"{where}: the limit is {one.limit}"
    if one.remaining is not None:
        if one.remaining < 0:
            yield f"{where}: {one.remaining} requests remain"
        elif one.limit is not None and one.remaining > one.limit:
            yield f"{where}: {one.remaining} requests remain of a limit of {one.limit}"
    if one.reset is not None:
        longest = one.window if one.window and one.window > 0 else _LONGEST
        if one.reset < 0:
            yield f"{where}: it was reset {-one.reset} s ago"
        elif one.reset > longest + 1:
            yield f"{where}: the reset is in {one.reset} s, the window has {longest} s"


def _pairs(text: str) -> dict[str, int]:
    """Return the first number of each name: where there are several policies, the first counts."""
    found: dict[str, int] = {}
    for name, number in _PAIR.findall(text[:1000]):
        found.setdefault(name, int(number))
    if "q" not in found and (match := _NUMBER.match(text)):
        found["q"] = int(match[1])  # -06 and -07 write the quota first: 10;w=60
    return found


def _number(text: str | None) -> int | None:
    match = _NUMBER.match(text) if text else None
    return int(match[1]) if match else None


def _wait(reset: int | None, *, now: datetime) -> int | None:
    if reset is None or reset < _EPOCH:
        return reset
    # GitHub's way: a time. Some write milliseconds.
    at = reset / 1000 if reset > _EPOCH * 100 else reset
    return round(at - now.timestamp())
