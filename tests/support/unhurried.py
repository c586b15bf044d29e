"""A daemon whose own loops take their time: what looks every second looks every few.

For journeys of hours in which no second counts. Rules, probes and policies keep their times; steps
come up to a pulse late.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from stewardmon import app
from stewardmon.engine import (
    audit,
    deliver,
    escalate,
    evidence,
    external,
    housekeeping,
    jobs,
    record,
    selfwatch,
)
from stewardmon.stores.memory import MemoryHistory
from tests.support.daemon import ALERTS, PROBES, Daemon, running

PULSE: Final = 30.0  # seconds
CALM: Final = 10.0  # seconds
_LOOKS: Final = (
    (audit, "LOOK_EVERY"),
    (deliver, "LONGEST_WAIT"),
    (escalate, "LONGEST_WAIT"),
    (evidence, "LONGEST_WAIT"),
    (external, "LOOK_EVERY"),
    (housekeeping, "EVERY"),
    (jobs, "LONGEST_WAIT"),
    (record, "FLUSH_EVERY"),
    (selfwatch, "LOOK_EVERY"),
)


@contextmanager
def unhurried(pulse: float = PULSE) -> Iterator[None]:
    """Let every loop that waits for nothing but time wait so many seconds."""
    own = replace(selfwatch.own_rules(), interval=timedelta(seconds=pulse))
    with pytest.MonkeyPatch.context() as patch:
        for module, name in _LOOKS:
            patch.setattr(module, name, pulse)
        patch.setattr(app, "own_rules", lambda: own)
        yield


@asynccontextmanager
async def calm(**options: Any) -> AsyncIterator[Daemon]:
    """The usual daemon, but that probes, rules and loops look every ten seconds, not each."""
    given = {"probes": calmed(PROBES), "alerts": calmed(ALERTS), **options}
    with unhurried(CALM):
        async with running(**given) as daemon:
            yield daemon


def calmed(text: str) -> str:
    """Return probes or rules that are asked every ten seconds."""
    if "probes:" in text:
        return text.replace("interval: 1s", f"interval: {CALM:g}s")
    return f"evaluation_interval: {CALM:g}s\n{text}"


class Forgetful(MemoryHistory):
    """A history for journeys that never look back: nothing is written."""

    async def write(self, batch: object) -> None:
        """Let it go."""
