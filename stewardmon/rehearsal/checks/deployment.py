"""What answers after a deployment: healthy in a row, in the version expected."""

from __future__ import annotations

import asyncio
from typing import Final

from stewardmon.rehearsal.checks import database, provider
from stewardmon.rehearsal.checks.flight import Flight, Found, Verdict, each, line

IN_A_ROW: Final = 3


async def healthy(flight: Flight) -> list[Found]:
    """Ask for health several times in a row, and hold its word against what we see (HealthLies)."""
    url = flight.value("NEXT_PUBLIC_APP_URL")
    if url is None:
        return [("health", Verdict.FAIL, "NEXT_PUBLIC_APP_URL is not set")]
    found, *seen = await asyncio.gather(
        _in_a_row(f"{url.rstrip('/')}/api/health", flight),
        flight.answer(database.app_path),
        flight.answer(provider.models),
    )
    if any(verdict is not Verdict.PASS for _, verdict, _ in found):
        return found  # it says so itself: no lie
    lies = [
        ("health's word", Verdict.FAIL, f"it says healthy, but {check} fails: {detail}")
        for (check, verdict, detail), *_ in seen
        if verdict is Verdict.FAIL and not detail.endswith("is not set")
    ]
    borne_out = ("health's word", Verdict.PASS, "nothing that we see contradicts it")
    return [*found, *(lies or [borne_out])]


async def _in_a_row(url: str, flight: Flight) -> list[Found]:
    """Ask several times: one good answer may come from the old deployment."""
    hurried = Flight(
        environ=flight.environ, shared=flight.shared, timeout=flight.timeout / IN_A_ROW
    )
    for number in range(1, IN_A_ROW + 1):
        outcome = await hurried.probe("health", url=url)
        if isinstance(outcome, str) or not outcome.success:
            return [
                (check, verdict, f"{detail} (answer {number} of {IN_A_ROW})")
                for check, verdict, detail in each("health", outcome)
            ]
    return [("health", Verdict.PASS, f"{IN_A_ROW} good answers in a row")]


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
