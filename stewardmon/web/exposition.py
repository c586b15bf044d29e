"""`/metrics`: stewardmon's own metrics and the newest sample of every series that probes made.

Rendering runs in a thread and is kept for a second: a scrape never blocks the loop, and many
scrapers cost what one does.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Final

from prometheus_client import Metric, exposition
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME
from stewardmon.domain.series import is_stale
from stewardmon.engine.live import Live
from stewardmon.engine.selfwatch import JOB
from stewardmon.web.catalogue import help_of

KEPT_FOR: Final = 1.0  # seconds
OLDEST_MS: Final = 300_000  # Prometheus' lookback: what is older reads as gone there too
OPENMETRICS: Final = "application/openmetrics-text"


def routes(live: Live) -> list[Route]:
    """Return the address that Prometheus scrapes."""
    scrape = _Scrape(live)

    async def show(request: Request) -> Response:
        open_form = OPENMETRICS in request.headers.get("accept", "")
        body = await scrape.body(open_form=open_form)
        kind = openmetrics.CONTENT_TYPE_LATEST if open_form else exposition.CONTENT_TYPE_LATEST
        return Response(body, media_type=kind)

    return [Route("/metrics", show)]


class _Scrape:
    """Renders at most once a second for each form."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._own = metrics.REGISTRY
        self._lock = asyncio.Lock()
        self._kept: dict[bool, tuple[float, bytes]] = {}

    async def body(self, *, open_form: bool) -> bytes:
        async with self._lock:
            now = asyncio.get_running_loop().time()
            at, body = self._kept.get(open_form, (-KEPT_FOR, b""))
            if now - at < KEPT_FOR:
                return body
            families = _families(self._live)
            body = await asyncio.to_thread(self._render, families, open_form)
            self._kept[open_form] = (now, body)
            return body

    def _render(self, families: list[Metric], open_form: bool) -> bytes:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Both(self._own, families))
        render: Any = openmetrics.generate_latest if open_form else exposition.generate_latest
        text: bytes = render(registry)
        return text


class _Both(Collector):
    """Our own metrics, then the probes'."""

    def __init__(self, own: CollectorRegistry, families: list[Metric]) -> None:
        self._own = own
        self._families = families

    def collect(self) -> Iterator[Metric]:
        yield from self._own.collect()
        yield from self._families


def _families(live: Live) -> list[Metric]:
    """Return the newest samples by metric; those of stewardmon itself stand in its registry."""
    oldest = milliseconds(live.clock.now()) - OLDEST_MS
    by_name: dict[str, list[tuple[dict[str, str], float]]] = defaultdict(list)
    for series in live.series.select(()):
        last = series.last()
        if last is None or last.at_ms < oldest or is_stale(last.value):
            continue
        if series.labels.value("job") != JOB:
            labels = {name: value for name, value in series.labels.pairs if name != NAME}
            by_name[series.labels.value(NAME)].append((labels, last.value))
    families = []
    for name, samples in sorted(by_name.items()):
        family = Metric(name, help_of(name), "unknown")
        for labels, value in samples:
            family.add_sample(name, labels, value)
        families.append(family)
    return families
