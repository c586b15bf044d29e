"""`/metrics` over a real socket, judged by real promtool and by the reference parsers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from types import MappingProxyType
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import STALE
from tests.support.peers import needs_peer, promtool
from tests.support.site import Site
from tests.support.waiting import until_async

OPEN = {"Accept": "application/openmetrics-text; version=1.0.0"}


async def _text(site: Site, headers: Mapping[str, str] = MappingProxyType({})) -> str:
    async with site.client(headers) as client:
        answer = await client.get("/metrics")
        assert answer.status_code == 200
        return answer.text


def _strict(text: str) -> list[Metric]:
    parse: Any = openmetrics.text_string_to_metric_families
    return list(parse(text))


async def _asked(site: Site) -> None:
    async def asked() -> bool:
        return len(site.daemon.running.live.observations.latest) == 3

    await until_async(asked, what="every probe was asked")


@needs_peer("promtool")
async def test_promtool_has_nothing_to_say(site: Site) -> None:
    await _asked(site)
    said = promtool("check", "metrics", stdin=await _text(site))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


async def test_both_forms_hold_the_same_samples(site: Site) -> None:
    await _asked(site)
    plain = {family.name for family in read_text(await _text(site))}
    strict = {family.name for family in _strict(await _text(site, OPEN))}
    assert {"probe_success", "pg_up", "probe_duration_seconds"} <= plain & strict


async def test_labels_are_escaped_and_special_values_spelled_out(site: Site) -> None:
    live = site.daemon.running.live
    at_ms = milliseconds(live.clock.now())
    odd = 'a "quoted" \\ back\nslash'
    live.series.append(Labels({NAME: "odd", "text": odd}), at_ms, float("inf"))
    live.series.append(Labels({NAME: "odd", "text": "nan"}), at_ms, float("nan"))
    samples = {
        one.labels["text"]: one.value
        for family in read_text(await _text(site))
        if family.name == "odd"
        for one in family.samples
    }
    assert samples[odd] == float("inf")
    assert samples["nan"] != samples["nan"]


async def test_what_ended_or_is_old_or_recorded_is_left_out(site: Site) -> None:
    live = site.daemon.running.live
    at_ms = milliseconds(live.clock.now())
    live.series.append(Labels({NAME: "ended"}), at_ms, STALE)
    live.series.append(Labels({NAME: "old"}), at_ms - 301_000, 1.0)
    live.series.append(Labels({NAME: "job:up:avg"}), at_ms, 1.0)
    names = {family.name for family in read_text(await _text(site))}
    assert not names & {"ended", "old", "job:up:avg"}


async def test_phases_are_a_histogram_of_each_probe(site: Site) -> None:
    from dataclasses import replace

    target = site.daemon.platform.app
    target.outcome = replace(target.outcome, phases={"connect": 0.03})

    async def counted() -> bool:
        return 'stewardmon_probe_phase_seconds_count{phase="connect",probe="app"}' in await _text(
            site
        )

    await until_async(counted, what="the phase is counted")


@pytest.mark.parametrize("packed", [True, False])
async def test_ten_thousand_series_never_hold_the_loop(site: Site, packed: bool) -> None:
    live = site.daemon.running.live
    at_ms = milliseconds(live.clock.now())
    for number in range(10_000):
        live.series.append(Labels({NAME: f"many_{number % 50}", "n": str(number)}), at_ms, 1.5)
    gaps = _Gaps()
    watching = asyncio.get_running_loop().create_task(gaps.watch())
    text = await _text(site, {"Accept-Encoding": "gzip" if packed else "identity"})
    watching.cancel()
    assert text.count("\nmany_") == 10_000
    assert max(gaps.seen) < 0.25  # generous: the machine is shared; alone it is below 0.05


class _Gaps:
    """Measures how long the loop was away."""

    def __init__(self) -> None:
        self.seen = [0.0]

    async def watch(self) -> None:
        while True:
            before = perf_counter()
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)
            self.seen.append(perf_counter() - before)


def test_no_probe_writes_a_series_under_the_name_of_a_metric_of_ours() -> None:
    """Two families of one name make a scrape unreadable: a kind's own names are its own."""
    from pathlib import Path

    from stewardmon import metrics, probes

    families = {
        family.name
        for registry in (metrics.REGISTRY, metrics.PROBE_REGISTRY)
        for family in registry.collect()
    }
    sources = "".join(one.read_text() for one in Path(probes.__file__).parent.rglob("*.py"))
    assert not [name for name in families if f'"{name}"' in sources]
