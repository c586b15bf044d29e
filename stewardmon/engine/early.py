"""The first ask of each probe, made while the rest of the daemon still comes up.

Half of a start goes into what no probe needs: the state, the rules, the pages. What the first asks
tell is held back until the watch loop has begun, so nothing of it is lost, and no rule sees it
before the state is restored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from stewardmon.domain.outcome import Outcome
from stewardmon.ports import Clock, Context, Kind, Probe, ProbeSpec
from stewardmon.probes.asking import ask

AT_MOST: Final = 20  # more asks at once would take the start's own time
NEED_THE_STATE: Final = frozenset({"heartbeat", "restore"})  # they tell what it knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A probe that is being asked already: its outcome, and when it came."""

    probe: Probe
    answer: asyncio.Task[tuple[Outcome, datetime]]


Early = dict[str, Asked]
"""Probes by name; whoever watches one on takes it out."""


@asynccontextmanager
async def asking(
    specs: Iterable[ProbeSpec],
    context: Context,
    *,
    kinds: Mapping[str, Kind],
    bug: Callable[[str, Exception], None],
) -> AsyncIterator[Early]:
    """Ask the first probes once; at the end of the block, let go of those that nobody took."""
    early: Early = {}
    tasks: list[asyncio.Task[tuple[Outcome, datetime]]] = []
    loop = asyncio.get_running_loop()
    try:
        for spec in [one for one in specs if one.kind not in NEED_THE_STATE][:AT_MOST]:
            probe = kinds[spec.kind].make(spec.settings, replace(context, probe=spec.name))
            task = loop.create_task(
                _ask(spec, probe, context.clock, bug), name=f"early:{spec.name}"
            )
            tasks.append(task)
            early[spec.name] = Asked(probe=probe, answer=task)
        yield early
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for asked in early.values():
            await asked.probe.close()


async def _ask(
    spec: ProbeSpec, probe: Probe, clock: Clock, bug: Callable[[str, Exception], None]
) -> tuple[Outcome, datetime]:
    outcome = await ask(
        probe, timeout=spec.timeout.total_seconds(), bug=lambda error: bug(spec.name, error)
    )
    return outcome, clock.now()
