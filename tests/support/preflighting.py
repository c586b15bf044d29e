"""The guide's check-lists, asked of a simulated platform: here, or by a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
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
    environ = {**variables(platform), **more}
    shared = Context(clock=CLOCK)
    flight = Flight(environ=environ, shared=shared, version=version, timeout=timeout, idle=idle)
    return await preflight(lists, flight)


def variables(platform: Platform) -> dict[str, str]:
    """Return the platform's variables, and that its keys were changed today."""
    today = f"{CLOCK.now():%Y-%m-%d}"
    return {**platform.environment(), **{f"{name}_ROTATED_AT": today for name in ROTATED}}


async def called(*words: str, environ: Mapping[str, str]) -> tuple[int, str, str]:
    """Run `stewardmon` in a process of its own; return its exit code and what it wrote."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "stewardmon",
        *words,
        env={**kept, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


def failing(lines: list[Line]) -> list[Line]:
    """Return the lines that say no."""
    return [line for line in lines if line.verdict is FAIL]
