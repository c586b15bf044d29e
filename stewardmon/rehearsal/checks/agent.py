"""The agent, asked as its synthetic user."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from stewardmon.domain.outcome import Outcome
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, each, number, unset

# Its lifetime has been 3.6 s where an hour was meant (PLATFORM.md, section 1).
KEPT: Final = timedelta(seconds=4)


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
    """Ask one question twice, as another user, who must not get its answer, and once more later."""
    user = _user(flight)
    if user is None:
        return unset("the answers' cache", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    outcome = await flight.probe_twice("agent_cache", KEPT, **user, **_other(flight))
    return list(each("the answers' cache", outcome))


async def figures(flight: Flight) -> list[Found]:
    """Read what the app itself says of its agent's traffic."""
    user = _user(flight)
    if user is None:
        return unset("agent-metrics", "SYNTHETIC_EMAIL", "SYNTHETIC_PASSWORD")
    return list(each("agent-metrics", await flight.probe("agent_metrics", **user)))
