"""How soon it works and how little it takes: start, memory at rest, CPU at rest.

    python -m bench.start --seconds 60

A real daemon over the examples' three probes (an HTTP target, a PostgreSQL port that refuses, an
AI address): time from exec to the first probe at the target, resident memory and CPU from the
kernel while it rests, and how long `--help` takes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from bench.servers import Receiver, Target, free_port

ROOT = Path(__file__).parents[1]
# BENCH_PYTHON measures an installation without the test tools.
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)
TICKS = os.sysconf("SC_CLK_TCK")

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


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process so far, from the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process, from the kernel."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(seconds: float) -> dict[str, float]:
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
            await asyncio.sleep(3)
            before = cpu_seconds(child.pid)
            await asyncio.sleep(seconds)
            spent = cpu_seconds(child.pid) - before
            resident = resident_bytes(child.pid)
        finally:
            child.terminate()
            await child.wait()
    await target.close()
    await receiver.close()
    return {
        "first_probe_seconds": first,
        "resident_megabytes": resident / 1e6,
        "cpu_percent_of_a_core": 100 * spent / seconds,
        "help_seconds": await _help(),
    }


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


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    figures = asyncio.run(measure(wanted.seconds))
    if wanted.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<24} {value:8.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
