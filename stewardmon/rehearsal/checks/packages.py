"""The packages that the app is built from: known holes, by npm's own audit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from stewardmon.domain.audit import worst
from stewardmon.errors import UsageError
from stewardmon.rehearsal.checks.flight import TOLD, Flight, Found, Verdict, unset
from stewardmon.rehearsal.npm import holes_of

_CHECK: Final = "npm audit"
_LEVEL: Final = "high"  # what `stewardmon gate audit` forbids too


async def audited(flight: Flight) -> list[Found]:
    """Run npm's audit in the app's source; where npm or its registry is not there, say so."""
    project = flight.value("PROJECT_DIR")
    if project is None:
        return unset(_CHECK, "PROJECT_DIR")
    try:
        holes, unasked = await asyncio.to_thread(
            holes_of, Path(project), timeout=flight.timeout - 1
        )
    except UsageError as error:
        return [(_CHECK, Verdict.UNKNOWN, str(error))]
    bad = worst(holes, level=_LEVEL)
    if bad:
        return [(_CHECK, Verdict.FAIL, f"{one.level}: {one.text}") for one in bad[:TOLD]]
    if unasked:
        return [(_CHECK, Verdict.UNKNOWN, unasked)]
    said = f"{len(holes)} known holes, none of them {_LEVEL} or above"
    return [(_CHECK, Verdict.PASS, said)]
