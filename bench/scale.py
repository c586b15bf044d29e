"""How far one process goes: thousands of HTTP probes every 15 seconds, 1,000 rules every second.

    python -m bench.scale [--probes 1000 3000 10000] [--seconds 60] [--svg FILE]

A real daemon over a loopback server in a process of its own. For each size: cores used (the
kernel's figure), the memory that it held at most, how late probes started (99th percentile, from
its own histogram: the upper edge of the bucket), and ticks that were missed. Counting begins once
every probe has been asked and a whole interval has passed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

import httpx

from bench.figures import Figure, show
from bench.kernel import cpu_seconds, machine, peak_bytes
from bench.probes import health_server
from bench.processes import QUIET, answers, running, stewardmon, wait_for
from bench.servers import free_port

INTERVAL: Final = 15.0
SIZE_OF_BOUNDS: Final = 10_000
CORES, LAG, MEMORY = 0.60, 0.250, 400.0  # at that size
_ASKED: Final = {
    "lag": "stewardmon_schedule_lag_seconds_bucket",
    "missed": "sum(stewardmon_missed_ticks_total)",
    "asked": "sum(stewardmon_probes_total)",
    "at": "timestamp(stewardmon_schedule_lag_seconds_count)",  # it looks every five seconds
}

Counts = Mapping[tuple[str, str], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one size took."""

    probes: int
    cores: float
    megabytes: float
    lag: float
    missed: float
    asked: float


def write_rules(folder: Path, url: str, probes: int, rules: int) -> None:
    """Write the three files."""
    where = folder / "rules"
    where.mkdir()
    asked = [
        {"name": f"p{i}", "job": f"j{i % 50}", "kind": "http", "url": f"{url}p{i}"}
        for i in range(probes)
    ]
    defaults = {"interval": f"{INTERVAL:g}s", "timeout": "5s"}
    (where / "probes.yml").write_text(json.dumps({"defaults": defaults, "probes": asked}))
    alerts = [
        {
            "alert": f"Rule{i}",
            "expr": f'1 - avg_over_time(probe_success{{probe="p{i % probes}"}}[5m]) > 0.05'
            if i % 2
            else f'quantile_over_time(0.95, probe_duration_seconds{{probe="p{i % probes}"}}[2m])'
            " > 5",
            "for": "1m",
        }
        for i in range(rules)
    ]
    groups = [{"name": "load", "interval": "1s", "rules": alerts}]
    (where / "alerts.yml").write_text(json.dumps({"groups": groups}))
    (where / "oncall.yml").write_text(
        json.dumps(
            {
                "channels": {"hook": {"kind": "webhook", "url": "http://127.0.0.1:9/"}},
                "people": {"dev": {"name": "D", "timezone": "UTC",
                                   "contacts": [{"channel": "hook", "to": "dev"}]}},
                "policies": {"all": {"levels": [{"level": 1, "role": "D", "after": "0s",
                                                 "page": ["dev"]}]}},
                "routes": [{"policy": "all"}],
            }
        )
    )  # fmt: skip


async def measure(probes: int, rules: int, seconds: float, settle: float) -> Step:
    """Run one size."""
    with health_server() as url, tempfile.TemporaryDirectory(prefix="bench-scale-") as name:
        folder, port = Path(name), free_port()
        write_rules(folder, url.removesuffix("api/health"), probes, rules)
        base = f"http://127.0.0.1:{port}"
        with running(stewardmon(folder, port), folder, QUIET) as process:
            await asyncio.to_thread(wait_for, partial(answers, f"{base}/healthz"), "it answers")
            await asyncio.sleep(settle)
            before, spent = await _own(base), cpu_seconds(process.pid)
            began = monotonic()
            await asyncio.sleep(seconds)
            took = monotonic() - began
            cores = (cpu_seconds(process.pid) - spent) / took
            after = await _own(base)
            held = peak_bytes(process.pid) / 1e6
    grown = {key: value - before.get(key, 0.0) for key, value in after.items()}
    return Step(
        probes=probes,
        cores=cores,
        megabytes=held,
        lag=_p99(grown),
        missed=grown.get(("missed", ""), 0.0),
        asked=grown.get(("asked", ""), 0.0) / max(grown.get(("at", ""), 0.0), 1.0),
    )


async def _own(base: str) -> Counts:
    """Return the daemon's counts of itself, by what it last told its own rules.

    Not by a scrape: half a million lines of text would be most of what is measured.
    """
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        found = {}
        for name, question in _ASKED.items():
            answer = await client.get(f"{base}/api/v1/query", params={"query": question})
            for one in answer.json()["data"]["result"]:
                found[name, one["metric"].get("le", "")] = float(one["value"][1])
    return found


def _p99(grown: Counts) -> float:
    """Return the upper edge of the bucket that holds the 99th percentile of start lags."""
    buckets = sorted((float(edge), count) for (name, edge), count in grown.items() if name == "lag")
    whole = buckets[-1][1] if buckets else 0.0
    return next((edge for edge, count in buckets if count >= 0.99 * whole), float("inf"))


def curve(steps: Sequence[Step]) -> str:
    """Return cores and memory over the number of probes, as SVG."""
    width, height, left, bottom = 560, 260, 50, 40
    most = max(step.probes for step in steps)
    top = max(0.7, *(step.cores for step in steps))
    across = (width - left - 60) / most
    up = (height - bottom - 20) / top

    def place(probes: float, cores: float) -> tuple[float, float]:
        return left + probes * across, height - bottom - cores * up

    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(s.probes, s.cores) for s in steps))
    marks = []
    for step in steps:
        x, y = place(step.probes, step.cores)
        marks += [
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#0b6"/>',
            f'<text x="{x:.1f}" y="{y - 8:.1f}" text-anchor="middle">{step.cores:.2f} cores, '
            f"{step.megabytes:.0f} MB</text>",
            f'<text x="{x:.1f}" y="{height - bottom + 16}" text-anchor="middle">'
            f"{step.probes:,}</text>",
        ]
    limit = place(0, CORES)[1]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            'font-family="sans-serif" font-size="11" fill="#222">',
            "<title>Cores and memory by number of HTTP probes every 15 s, "
            "with 1,000 rules every second</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<path d="M{left} 20V{height - bottom}H{width - 20}" fill="none" stroke="#888"/>',
            f'<path d="M{left} {limit:.1f}H{width - 20}" stroke="#c33" stroke-dasharray="4 3"/>',
            f'<text x="{width - 20}" y="{limit - 4:.1f}" text-anchor="end">bound {CORES:g}</text>',
            f'<polyline points="{points}" fill="none" stroke="#0b6" stroke-width="2"/>',
            *marks,
            f'<text x="{width / 2}" y="{height - 6}" text-anchor="middle">HTTP probes</text>',
            "</svg>",
            "",
        ]
    )


def figures(step: Step) -> list[Figure]:
    """Return one size's figures; the bounds hold for 10,000 probes."""
    bound = step.probes == SIZE_OF_BOUNDS
    said = f"{step.probes:,} probes"
    return [
        Figure(f"{said}: CPU", step.cores, "cores", CORES if bound else None),
        Figure(f"{said}: memory at most", step.megabytes, "MB", MEMORY if bound else None),
        Figure(f"{said}: start lag, p99", step.lag, "s", LAG if bound else None),
        Figure(f"{said}: missed ticks", step.missed, "", 0.0 if bound else None),
        Figure(f"{said}: asked a second", step.asked, ""),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--probes", type=int, nargs="+", default=[1_000, 3_000, 10_000])
    parser.add_argument("--rules", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--settle", type=float, default=40, help="seconds before counting")
    parser.add_argument("--svg", type=Path, help="draw the curve there")
    parser.add_argument("--no-bounds", action="store_true", help="print them, fail on none")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args(arguments)
    print(machine(), flush=True)
    steps = [
        asyncio.run(measure(probes, chosen.rules, chosen.seconds, chosen.settle))
        for probes in chosen.probes
    ]
    if chosen.svg is not None:
        chosen.svg.write_text(curve(steps))
    found = [figure for step in steps for figure in figures(step)]
    return show(found, chosen.json, bounds=not chosen.no_bounds)


if __name__ == "__main__":
    sys.exit(main())
