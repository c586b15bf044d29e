"""The AI provider: key and model, one completion, how long it will last, what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from stewardmon.domain.outcome import Outcome, State
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, line, number, within

AI_TIME: Final = 2.0  # seconds: the guide's benchmark
MODEL_DAYS: Final = 30  # PLATFORM.md section 3 warns at 90, 30 and 7
HEADROOM: Final = 0.1
MANY_TIMES: Final = 3  # the rule "OpenAI Cost Spike": today against the median of seven days
_LEFT: Final = "stewardmon_openai_rate_limit_remaining_ratio"
_TODAY: Final = "stewardmon_openai_cost_usd_today"
_USUAL: Final = "stewardmon_openai_cost_usd_median"


def _api(flight: Flight) -> dict[str, Any] | None:
    key = flight.value("OPENAI_API_KEY")
    if key is None:
        return None
    url = flight.value("OPENAI_BASE_URL") or "https://api.openai.com/v1"
    return {"url": url, "key": key}


async def models(flight: Flight) -> list[Found]:
    """Is the key valid, and is the app's model there for some time yet?"""
    api = _api(flight)
    if api is None:
        return [("key and models", Verdict.FAIL, "OPENAI_API_KEY is not set")]
    outcome = await flight.probe("openai", models=[_model(flight)], **api)
    return [line("key and models", outcome), *_running_out(outcome, flight.shared.clock.now())]


def _running_out(outcome: Outcome | str, now: datetime) -> Iterator[Found]:
    """Yield what works today and will not for long: a model that retires, a limit nearly used."""
    for one in () if isinstance(outcome, str) else outcome.measurements:
        if one.name == "stewardmon_openai_model_shutdown_timestamp_seconds":
            left = (one.value - now.timestamp()) / 86400
            if left < MODEL_DAYS:
                said = f"{one.labels.get('model', 'it')} is switched off in {left:.0f} days"
                yield "the model's future", Verdict.FAIL, said
        if one.name == _LEFT and one.value < HEADROOM:
            said = f"{one.value:.0%} of the limit of {one.labels['kind']} is left"
            yield "head-room", Verdict.FAIL, said


async def completion(flight: Flight) -> list[Found]:
    """Ask for one tiny streamed completion, time it, and see whether it tells the rate limit."""
    api = _api(flight)
    if api is None:
        return []
    outcome = await flight.probe("openai_chat", model=_model(flight), **api)
    took = number(outcome, "gen_ai_client_operation_duration_seconds")
    timed = within("its time", took, AI_TIME) if took is not None else []
    return [line("a completion", outcome), *timed, *_unwatched(flight, outcome)]


def _unwatched(flight: Flight, outcome: Outcome | str) -> Iterator[Found]:
    """Yield that a good answer is silent on the rate limit, as OpenAI's never is.

    Compatible servers may have no limits: for those OPENAI_RATE_LIMITS is set to none.
    """
    if isinstance(outcome, str) or not outcome.success:
        return  # refusals carry the headers or not: they say what is wrong themselves
    if number(outcome, _LEFT) is None and flight.value("OPENAI_RATE_LIMITS") != "none":
        said = (
            "a good answer does not tell what is left (no x-ratelimit-* headers): headroom cannot "
            "be watched; for a server without limits set OPENAI_RATE_LIMITS to none"
        )
        yield "head-room", Verdict.FAIL, said


async def costs(flight: Flight) -> list[Found]:
    """Compare today's spending with the usual day's, where a key may see it."""
    key = flight.value("OPENAI_ADMIN_KEY")
    api = _api(flight)
    if key is None or api is None:
        return []
    outcome = await flight.probe("openai_costs", url=api["url"], key=key)
    return [line("what it costs", outcome), *_unusual(outcome)]


def _unusual(outcome: Outcome | str) -> Iterator[Found]:
    today, usual = (number(outcome, name) for name in (_TODAY, _USUAL))
    if today is not None and usual and today > max(1.0, usual * MANY_TIMES):
        said = f"today has cost {today:.2f} USD so far, a usual day {usual:.2f} USD"
        yield "a usual day", Verdict.FAIL, said


def _model(flight: Flight) -> str:
    return flight.value("OPENAI_MODEL") or "gpt-4o-mini"


async def vendor_status(flight: Flight) -> list[Found]:
    """What does the vendor say of itself?"""
    url = flight.value("OPENAI_STATUS_URL")
    outcome = await flight.probe("statuspage", **({"url": url} if url else {}))
    check, verdict, detail = line("the vendor's status page", outcome)
    silent = not isinstance(outcome, str) and outcome.state is not State.DEGRADED
    # It annotates: one that cannot be read says nothing of the vendor.
    return [(check, Verdict.UNKNOWN if verdict is Verdict.FAIL and silent else verdict, detail)]
