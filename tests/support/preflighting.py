"""The guide's check-lists, asked of a simulated platform."""

from __future__ import annotations

from datetime import timedelta

from stewardmon.demo.platform import Platform
from stewardmon.ports import Context
from stewardmon.rehearsal.checks.flight import Flight, Line, Verdict
from stewardmon.rehearsal.checks.security import ROTATED
from stewardmon.rehearsal.preflight import preflight
from tests.support.probing import CLOCK

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN


async def fly(
    platform: Platform,
    *lists: str,
    version: str = "",
    timeout: float = 6,
    idle: timedelta = timedelta(seconds=2),
    **more: str,
) -> list[Line]:
    """Return the lines of some lists; `more` are variables that differ from the platform's."""
    today = f"{CLOCK.now():%Y-%m-%d}"
    keys = {f"{name}_ROTATED_AT": today for name in ROTATED}
    environ = {**platform.environment(), **keys, **more}
    shared = Context(clock=CLOCK)
    flight = Flight(environ=environ, shared=shared, version=version, timeout=timeout, idle=idle)
    return await preflight(lists, flight)


def failing(lines: list[Line]) -> list[Line]:
    """Return the lines that say no."""
    return [line for line in lines if line.verdict is FAIL]
