"""`/metrics`: stewardmon's own metrics and the newest sample of every series that probes made.

Rendering runs in a thread and is kept for a second: a scrape never blocks the loop, and many
scrapers cost what one does.
"""

from __future__ import annotations

import asyncio
import gzip
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from prometheus_client import exposition
from prometheus_client.openmetrics import exposition as openmetrics
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import Series, is_stale
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.web.catalogue import help_of
from stewardmon.web.encoding import utf8

TEXT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPEN_TYPE: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
KEPT_FOR: Final = 1.0  # seconds
OLDEST_MS: Final = 300_000  # Prometheus' lookback: what is older reads as gone there too
_END: Final = b"# EOF\n"


def routes(live: Live) -> list[Route]:
    """Return the address that Prometheus scrapes."""
    scrape = _Scrape(live)
    phases = metrics.PROBE_PHASES
    live.observations.listeners.append(_observe)

    async def show(request: Request) -> Response:
        open_form = OPEN_TYPE.partition(";")[0] in request.headers.get("accept", "")
        packed = "gzip" in request.headers.get("accept-encoding", "")
        phases.keep(spec.name for spec in live.config.probes)
        body = await scrape.body(open_form=open_form, packed=packed)
        kind = OPEN_TYPE if open_form else TEXT_TYPE
        headers = {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    return [Route("/metrics", show)]


def _observe(seen: Seen) -> None:
    """Count the phases of one outcome."""
    metrics.PROBE_PHASES.observe(seen.spec.name, seen.outcome.phases)


class _Scrape:
    """Renders at most once a second for each form."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = asyncio.Lock()
        self._kept: dict[tuple[bool, bool], tuple[float, bytes]] = {}
        self._heads: dict[Labels, str] = {}

    async def body(self, *, open_form: bool, packed: bool) -> bytes:
        """Return the text that Prometheus reads, rendered off the loop."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            at, body = self._kept.get((open_form, packed), (-math.inf, b""))
            if now - at < KEPT_FOR:
                return body
            oldest = milliseconds(self._live.clock.now()) - OLDEST_MS
            held = self._live.series.select(())
            body = await asyncio.to_thread(self._render, held, oldest, open_form)
            if packed:
                body = await asyncio.to_thread(gzip.compress, body, 1)
            self._kept[open_form, packed] = (now, body)
            return body

    def _render(self, held: Sequence[Series], oldest: int, open_form: bool) -> bytes:
        render: Any = openmetrics.generate_latest if open_form else exposition.generate_latest
        kind = "unknown" if open_form else "untyped"
        ours: list[bytes] = [render(one) for one in (metrics.REGISTRY, metrics.PROBE_REGISTRY)]
        parts = [text.removesuffix(_END) for text in ours]
        for name, lines in sorted(self._lines(held, oldest).items()):
            head = f"# HELP {name} {help_of(name)}\n# TYPE {name} {kind}\n"
            parts.append(utf8(head + "".join(lines)))
        return b"".join(parts) + (_END if open_form else b"")

    def _lines(self, held: Sequence[Series], oldest: int) -> dict[str, list[str]]:
        """Return the newest samples as lines by metric, less what our own registries say.

        Names with a colon are results of recording rules: whoever wants them exports the rules.
        What stands before the value never changes, so it is written once for each series.
        """
        ours = frozenset(_own_names())
        heads: dict[Labels, str] = {}
        lines: dict[str, list[str]] = defaultdict(list)
        for series in held:
            name = series.labels.value(NAME)
            newest = _newest(series)
            if name in ours or ":" in name or newest is None:
                continue
            if newest[0] < oldest or is_stale(newest[1]):
                continue
            head = heads[series.labels] = self._heads.get(series.labels) or _head(series.labels)
            lines[name].append(f"{head}{_number(newest[1])}\n")
        self._heads = heads
        return lines


def _newest(series: Series) -> tuple[int, float] | None:
    """Return the last reading; the loop may be appending meanwhile, and that does no harm."""
    try:
        return series.times[-1], series.values[-1]
    except IndexError:
        return None


def _head(labels: Labels) -> str:
    inside = ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.pairs if name != NAME)
    return f"{labels.value(NAME)}{{{inside}}} " if inside else f"{labels.value(NAME)} "


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"


def _own_names() -> Iterator[str]:
    for family in metrics.REGISTRY.collect():
        yield family.name
        for sample in family.samples:
            yield sample.name
