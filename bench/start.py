"""How soon it works and how little it takes: start, memory at rest, CPU at rest.

    python -m bench.start --seconds 60

A real daemon over the examples' three probes (an HTTP target, a PostgreSQL port that refuses, an
AI address): time from exec to the first probe at the target, resident memory and CPU from the
kernel while it rests, and how long `--help` takes.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from bench.figures import Figure, show
from bench.kernel import cpu_seconds, resident_bytes
from bench.servers import Receiver, Target, free_port

ROOT = Path(__file__).parents[1]
# BENCH_PYTHON measures an installation without the test tools.
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)

PROBES = """
defaults: {{interval: 15s, timeout: 5s}}
probes:
  - {{name: app, kind: http, job: app, url: "{url}"}}
  - {{name: database, kind: postgres, job: database, url: "postgresql://u:p@127.0.0.1:{port}/x"}}
  - {{name: openai, kind: openai, job: openai, url: "{url}v1", key: sk-bench, interval: 60s}}
"""
ONCALL = """
channels: {{pager: {{kind: webhook, url: "{url}"}}}}
people: {{dev: {{name: D, timezone: UTC, contacts: [{{channel: pager, to: dev}}]}}}}
policies: {{matrix: {{levels: [{{level: 1, role: developer, after: 0m, page: [dev]}}]}}}}
routes: [{{policy: matrix}}]
"""


async def measure(seconds: float, settle: float) -> list[Figure]:
    """Return the figures of one run."""
    target, receiver = Target(), Receiver()
    await target.open()
    await receiver.open()
    with tempfile.TemporaryDirectory(prefix="stewardmon-start-") as name:
        rules = Path(name) / "rules"
        rules.mkdir()
        (rules / "probes.yml").write_text(PROBES.format(url=target.url, port=free_port()))
        (rules / "oncall.yml").write_text(ONCALL.format(url=receiver.url))
        started = perf_counter()
        child = await _spawn(rules, Path(name))
        try:
            await _first_ask(target)
            first = perf_counter() - started
            await asyncio.sleep(settle)
            before = cpu_seconds(child.pid)
            await asyncio.sleep(seconds)
            spent = cpu_seconds(child.pid) - before
            resident = resident_bytes(child.pid)
        finally:
            child.terminate()
            await child.wait()
    await target.close()
    await receiver.close()
    return [
        Figure("start to first probe", first, "s", 1.0),
        Figure("memory at rest", resident / 1e6, "MB", 80.0),
        Figure("CPU at rest", 100 * spent / seconds, "% of a core", 1.0),
        Figure("stewardmon --help", await _help(), "s", 0.150),
    ]


async def _spawn(rules: Path, folder: Path) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        PYTHON, "-m", "stewardmon", "run", "--rules", str(rules),
        "--state", str(folder / "state.db"), "--listen", f"127.0.0.1:{free_port()}",
        env={**os.environ, "LOG_LEVEL": "error", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip


async def _first_ask(target: Target) -> None:
    async with asyncio.timeout(60):
        await target.first.wait()


async def _help(runs: int = 5) -> float:
    times = []
    for _ in range(runs):
        started = perf_counter()
        child = await asyncio.create_subprocess_exec(
            PYTHON, "-m", "stewardmon", "--help",
            stdout=asyncio.subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        await child.wait()
        times.append(perf_counter() - started)
    return statistics.median(times)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--settle", type=float, default=3, help="seconds before CPU is counted")
    parser.add_argument("--no-bounds", action="store_true", help="print them, fail on none")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args(arguments)
    # What an installation has: byte code of the modules as they stand, not made at each start.
    subprocess.run([PYTHON, "-m", "compileall", "-q", ROOT / "stewardmon"], check=True)
    found = asyncio.run(measure(chosen.seconds, chosen.settle))
    return show(found, chosen.json, bounds=not chosen.no_bounds)


if __name__ == "__main__":
    sys.exit(main())
