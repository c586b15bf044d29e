"""What each page costs with 200 probes and a year of history, and `/metrics` with 10,000 series.

    python -m bench.web --rounds 10

A daemon in this process, its history in memory: a year of each probe (one point in four hours, of
the first probe every five minutes of the last quarter) and 300 incidents. Time is CPU of the
process, less what an empty answer (`/healthz`) costs, so that the client is not counted; the first
look at a page is shown apart, as it fills what is kept. Bounds: 100 KB and 50 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import statistics
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter, process_time
from typing import Final

import httpx

from bench.figures import Figure, show
from stewardmon.clock import milliseconds
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Incident, IncidentState
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.policy import Policy
from stewardmon.stores.memory import MemoryHistory, MemoryStore
from tests.support.site import Site, serving
from tests.support.virtual import VirtualClock

PROBES: Final = 200
SERIES: Final = 10_000
INCIDENTS: Final = 300
TICK: Final = 0.001  # seconds between looks at the loop
PAGES: Final = (
    "/",
    "/rules",
    "/oncall",
    "/silences",
    "/history",
    "/history?days=365",
    "/reports",
    "/messages",
    "/probes/p000?span=day",
    "/probes/p000?span=quarter",
    "/incidents/i000",
)


async def measure(rounds: int) -> list[Figure]:
    """Return the figures of one run."""
    async with _served() as site, site.client() as client:
        await _cost(client, "/healthz")
        await _rest()
        empty = min([(await _cost(client, "/healthz"))[0] for _ in range(rounds)])
        found: list[Figure] = []
        for page in PAGES:
            first, size = await _cost(client, page)
            again = [(await _cost(client, page))[0] for _ in range(rounds)]
            found += [
                Figure(f"{page}: size", size / 1000, "KB", most=100),
                Figure(f"{page}: first look", max(0.0, first - empty) * 1000, "ms CPU"),
                Figure(
                    f"{page}: server time",
                    max(0.0, statistics.median(again) - empty) * 1000,
                    "ms CPU",
                    most=50,
                ),
            ]
        return [*found, *await _scrape(site, client)]


async def _rest() -> None:
    """Wait until the start's own work is done: it must not be counted."""
    for _ in range(60):
        before = process_time()
        await asyncio.sleep(1)
        if process_time() - before < 0.03:
            return
    raise SystemExit("the daemon does not come to rest")


async def _cost(client: httpx.AsyncClient, path: str) -> tuple[float, int]:
    """Return the CPU seconds and the bytes, before packing, of one answer."""
    before = process_time()
    answer = await client.get(path)
    cost = process_time() - before
    answer.raise_for_status()
    return cost, len(answer.content)


async def _scrape(site: Site, client: httpx.AsyncClient) -> list[Figure]:
    live = site.daemon.running.live
    at_ms = milliseconds(live.clock.now())
    for number in range(SERIES):
        labels = Labels({NAME: f"many_{number % 50}", "n": str(number)})
        live.series.append(labels, at_ms, 1.5)
    away = [0.0]

    async def watch() -> None:
        while True:
            before = perf_counter()
            await asyncio.sleep(TICK)
            away.append(perf_counter() - before - TICK)

    watching = asyncio.get_running_loop().create_task(watch())
    cost, size = await _cost(client, "/metrics")
    watching.cancel()
    return [
        Figure(f"/metrics of {SERIES:,} series: size", size / 1000, "KB"),
        Figure(f"/metrics of {SERIES:,} series: time, client included", cost * 1000, "ms CPU"),
        Figure("/metrics: the event loop was away for at most", max(away) * 1000, "ms"),
    ]


@asynccontextmanager
async def _served() -> AsyncIterator[Site]:
    clock = VirtualClock()
    history, store = MemoryHistory(keep=timedelta(days=400)), MemoryStore()
    now = milliseconds(clock.now())
    for number in range(PROBES):
        await _year(history, f"p{number:03}", now, fine=number == 0)
    await store.commit(Change(incidents=tuple(_incident(clock, n) for n in range(INCIDENTS))))
    names = [f"p{number:03}" for number in range(PROBES)]
    probes = "defaults: {interval: 1h, timeout: 500ms}\nprobes:\n" + "".join(
        f"  - {{name: {name}, kind: scripted, job: job{place % 20}, target: {name}}}\n"
        for place, name in enumerate(names)
    )
    async with serving(probes=probes, history=history, store=store, clock=clock) as site:
        yield site


async def _year(history: MemoryHistory, name: str, now: int, *, fine: bool) -> None:
    own = {"job": f"job{int(name[1:]) % 20}", "instance": name, "probe": name}
    hours = range(now - 365 * 86_400_000, now - 90 * 86_400_000 * fine, 4 * 3_600_000)
    recent = range(now - 90 * 86_400_000, now, 300_000) if fine else ()
    times = [*hours, *recent]
    for labels, value in (
        (Labels({NAME: "probe_success", **own}), 1.0),
        (Labels({NAME: "probe_duration_seconds", **own}), 0.2),
        (Labels({NAME: "stewardmon_probe_reason", **own, "reason": "ok"}), 1.0),
    ):
        await history.write([(labels, [(at, value) for at in times])])


def _incident(clock: VirtualClock, number: int) -> Incident:
    opened = clock.now() - timedelta(days=365 * (number + 1) / INCIDENTS)
    ident = f"i{number:03}"
    return Incident(
        id=ident,
        group_key=ident,
        group=Labels({"alertname": "Database Issues"}),
        title="Database Issues (database)",
        severity="critical",
        state=IncidentState.RESOLVED,
        opened_at=opened,
        base_at=opened,
        policy=Policy(name="matrix", levels=()),
        acknowledged_at=opened + timedelta(minutes=5),
        acknowledged_by="dev-a",
        resolved_at=opened + timedelta(minutes=30),
        resolved_by="stewardmon",
    )


def main() -> int:
    """Measure and show; 1 where something is out of bounds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", type=Path)
    wanted = parser.parse_args()
    with contextlib.redirect_stdout(io.StringIO()):  # the daemon's log
        found = asyncio.run(measure(wanted.rounds))
    return show(found, wanted.json)


if __name__ == "__main__":
    sys.exit(main())
