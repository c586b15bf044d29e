"""What answers after a deployment: healthy in a row, in the version expected."""

from __future__ import annotations

import asyncio
from typing import Final

from stewardmon.rehearsal.checks import database, provider
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, each, line

IN_A_ROW: Final = 3


async def healthy(flight: Flight) -> list[Found]:
    """Ask for health several times in a row: one good answer may come from the old deployment."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("health", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    hurried = Flight(
        environ=flight.environ, shared=flight.shared, timeout=flight.timeout / IN_A_ROW
    )
    for number in range(1, IN_A_ROW + 1):
        outcome = await hurried.probe("health", url=f"{url.rstrip('/')}/api/health")
        if isinstance(outcome, str) or not outcome.success:
            return [
                (check, verdict, f"{detail} (answer {number} of {IN_A_ROW})")
                for check, verdict, detail in each("health", outcome)
            ]
    return [("health", Verdict.PASS, f"{IN_A_ROW} good answers in a row")]


async def truthful(flight: Flight) -> list[Found]:
    """Hold the app's word that it is healthy against what we see ourselves (HealthLies)."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return []
    health, *seen = await asyncio.gather(
        flight.probe("health", url=f"{url.rstrip('/')}/api/health"),
        database.app_path(flight),
        provider.models(flight),
    )
    if isinstance(health, str) or not health.success:
        return []  # it says so itself: no lie
    lies = [
        ("health's word", Verdict.FAIL, f"it says healthy, but {check} fails: {detail}")
        for found in seen
        for check, verdict, detail in found[:1]
        if verdict is Verdict.FAIL and not detail.endswith("is not set")
    ]
    return lies or [("health's word", Verdict.PASS, "database and AI provider bear it out")]


async def deployed(flight: Flight) -> list[Found]:
    """Say which deployment answers over the edge, and whether it is the expected one."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return []
    wanted = {"version": flight.version} if flight.version else {}
    outcome = await flight.probe("vercel", url=f"{url.rstrip('/')}/", **wanted)
    found = [line("the deployment", outcome)]
    if not flight.version and found[0][1] is Verdict.PASS:
        why = "name the expected one with --version"
        found.append(("its version", Verdict.UNKNOWN, why))
    return found
