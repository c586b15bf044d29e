"""May a deployment go on? Questions that are asked until the answer is certain, or time is over."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from stewardmon.domain.canary import Group
from stewardmon.domain.outcome import Outcome
from stewardmon.errors import UsageError
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context
from stewardmon.probes import KINDS
from stewardmon.probes.asking import ask
from stewardmon.probes.rest import Client
from stewardmon.probes.vercel import version_of

Look = Callable[[], Awaitable[tuple[str, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What must hold: so many good answers in a row, a version, another version than before.

    `every`, `within` and `timeout` are seconds: between asks, for all of them, for each.
    """

    times: int = 3
    every: float = 2.0
    within: float = 120.0
    timeout: float = 10.0
    version: str = ""
    former: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """How it went: whether it held, how many good answers in a row there were, and why not more."""

    held: bool
    good: int
    asked: int
    detail: str
    version: str = ""


async def wait_for(look: Look, wanted: Wanted, clock: Clock) -> Streak:
    """Look until so many looks in a row were good, or time is over.

    `look` returns what is wrong (empty where all is well) and the version that answered. One bad
    look begins the count anew: the old deployment may still answer in between.
    """
    started = clock.monotonic()
    good = asked = 0
    while True:
        wrong, version = await look()
        asked += 1
        wrong = wrong or _of_version(version, wanted)
        good = 0 if wrong else good + 1
        if good >= wanted.times:
            detail = f"{good} good answers in a row{f', version {version}' if version else ''}"
            return Streak(held=True, good=good, asked=asked, detail=detail, version=version)
        if clock.monotonic() - started + wanted.every > wanted.within:
            detail = wrong or f"{good} good answers in a row, {wanted.times} wanted"
            said = f"{detail} (after {asked} answers in {wanted.within:g} s)"
            return Streak(held=False, good=good, asked=asked, detail=said, version=version)
        await clock.sleep(wanted.every)


def _of_version(version: str, wanted: Wanted) -> str:
    if wanted.version and version != wanted.version:
        return f"version {version or 'unknown'} answers, expected {wanted.version}"
    if wanted.former and version == wanted.former:
        return f"version {version} still answers"
    if wanted.former and not version:
        return "the answer names no version: whether it changed is not known"
    return ""


def healthy(url: str, shared: Context, *, timeout: float, path: str, versioned: bool) -> Look:
    """Return a look at an app's health, and at the version that answers. Raises UsageError."""
    base = url.rstrip("/")
    probe = _probe("health", {"url": base + path}, shared)

    async def look() -> tuple[str, str]:
        outcome: Outcome = await ask(probe, timeout=timeout)
        if not outcome.success:
            return f"{outcome.reason.value}: {outcome.detail}", ""
        return "", await _version(base, shared) if versioned else ""

    return look


async def _version(url: str, shared: Context) -> str:
    client = Client(user_agent=shared.user_agent)
    try:
        answer = await client.ask(f"{url}/", Progress())
    except Failure:
        return ""
    return version_of(answer.headers)


def _probe(kind: str, settings: Mapping[str, Any], shared: Context) -> Any:
    found = KINDS[kind]
    try:
        return found.make(found.settings.model_validate(settings), shared)
    except ValidationError as error:
        text = str(error.errors(include_input=False)[0]["msg"])
        raise UsageError(text.removeprefix("Value error, ")) from None


async def weigh(url: str, budget: int, shared: Context, *, timeout: float) -> Outcome:
    """Return what the page probe says of a page and its budget in bytes. Raises UsageError."""
    probe = _probe("page", {"url": url, "budget": budget}, shared)
    outcome: Outcome = await ask(probe, timeout=timeout)
    return outcome


def counted(query: Callable[[str], Any], probe: str, window: str) -> Group:
    """Return what a probe of a running daemon met in a window; `query` returns one number."""
    mark = f'{{probe="{probe}"}}[{window}]'
    requests = query(f"sum(count_over_time(probe_success{mark}))") or 0.0
    good = query(f"sum(sum_over_time(probe_success{mark}))") or 0.0
    p95 = query(f"max(quantile_over_time(0.95, probe_duration_seconds{mark}))")
    return Group(requests=round(requests), errors=round(requests - good), p95=p95)
