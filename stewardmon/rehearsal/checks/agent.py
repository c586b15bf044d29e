"""The agent, asked as its synthetic user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from stewardmon.domain.outcome import Outcome
from stewardmon.domain.quantity import format_duration, parse_duration
from stewardmon.errors import ExpressionError
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, each, number, unset

# Its lifetime has been 3.6 s where an hour was meant (PLATFORM.md, section 1).
KEPT: Final = timedelta(seconds=4)
WITHIN: Final = 2 / 3  # of its lifetime: there an answer must still live
OVER: Final = 1.2  # of its lifetime: by then an answer is gone, whatever the probe's leeway
PATIENCE: Final = timedelta(minutes=1)  # what the end of a lifetime may be waited for
_TTL: Final = "AGENT_CACHE_TTL"


def _user(flight: Flight) -> dict[str, Any] | None:
    """Return what the probes that ask as the synthetic user need, None where it is not set."""
    names = {
        "url": "NEXT_PUBLIC_APP_URL",
        "supabase_url": "SUPABASE_URL",
        "anon_key": "SUPABASE_ANON_KEY",
        "email": "SYNTHETIC_EMAIL",
        "password": "SYNTHETIC_PASSWORD",
    }
    found = {key: flight.value(name) for key, name in names.items()}
    return found if all(found.values()) else None


def _database_of(flight: Flight) -> dict[str, str]:
    url = flight.value("DIRECT_URL") or flight.value("DATABASE_URL")
    return {"database": url} if url else {}


def _other(flight: Flight) -> dict[str, str | None]:
    names = {"other_email": "OTHER_EMAIL", "other_password": "OTHER_PASSWORD"}
    return {key: flight.value(name) for key, name in names.items()}


async def whole(flight: Flight) -> list[Found]:
    """Ask for an answer in one piece."""
    return await _agent(flight, "json")


async def streamed(flight: Flight) -> list[Found]:
    """Ask for an answer line by line."""
    return await _agent(flight, "stream")


def _buffered(check: str, outcome: Outcome | str) -> list[Found]:
    """Say where a stream came in one piece: whole and right, but nobody saw it grow."""
    live = number(outcome, "stewardmon_agent_stream_live")
    return [(check, Verdict.FAIL, "the stream comes all at once, at its end")] if live == 0 else []


async def _agent(flight: Flight, mode: str) -> list[Found]:
    """Ask the guide's own question (its step 5.2), which without a session must be refused."""
    check = "an answer, whole" if mode == "json" else "an answer, line by line"
    user = _user(flight)
    if user is None:
        return unset(check, "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    outcome = await flight.probe("agent", mode=mode, **user, **_database_of(flight))
    return [*each(check, outcome), *_buffered(check, outcome)]


async def edges(flight: Flight) -> list[Found]:
    """Try what must be refused: bad input, and another user's receipt."""
    user = _user(flight)
    if user is None:
        return unset("input, limits and access", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    more = {**_other(flight), **_database_of(flight)}
    outcome = await flight.probe("agent_contract", **user, **more)
    return list(each("input, limits and access", outcome))


async def cached(flight: Flight) -> list[Found]:
    """Ask one question twice, as another user, who must not get its answer, and again later.

    AGENT_CACHE_TTL says how long an answer should live, the guide's hour where it is not set.
    """
    check = "the answers' cache"
    user = _user(flight)
    if user is None:
        return unset(check, "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    try:
        ttl = parse_duration(flight.value(_TTL) or "1h")
    except ExpressionError as error:
        return [(check, Verdict.FAIL, f"{_TTL}: {error}")]
    kept, over = min(KEPT, ttl * WITHIN), ttl * OVER
    waits = (kept, over - kept) if over <= PATIENCE else (kept,)
    outcome = await flight.probe_again("agent_cache", waits, ttl=ttl, **user, **_other(flight))
    found = list(each(check, outcome))
    return found if over <= PATIENCE else [*found, _endless(ttl)]


def _endless(ttl: timedelta) -> Found:
    """Say that nobody has waited for the end of a lifetime, and who will see it."""
    said = (
        f"an answer should live {format_duration(ttl)}, too long to wait for here: the probe "
        f"agent_cache sees its end; for an app with a shorter life set {_TTL}"
    )
    return "a cached answer's end", Verdict.UNKNOWN, said


async def figures(flight: Flight) -> list[Found]:
    """Read what the app itself says of its agent's traffic."""
    user = _user(flight)
    if user is None:
        return unset("agent-metrics", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    return list(each("agent-metrics", await flight.probe("agent_metrics", **user)))
