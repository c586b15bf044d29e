"""How soon it works and how little it takes: start, memory at rest, CPU at rest.

    python -m bench.start --seconds 60

Two real daemons. One over an HTTP target: time from exec to the first probe at it. One over the
example files (app, database, AI vendor) and the simulated platform with all well: resident memory
and CPU from the kernel while it rests. And how long `--help` takes.
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
from stewardmon.demo.platform import Platform
from tests.config.environment import EXAMPLES

ROOT = Path(__file__).parents[1]
# BENCH_PYTHON measures an installation without the test tools.
PYTHON = os.environ.get("BENCH_PYTHON", sys.executable)

PROBES = """
defaults: {{interval: 15s, timeout: 5s}}
probes:
  - {{name: app, kind: http, job: app, url: "{url}"}}
"""
ONCALL = """
channels: {{pager: {{kind: webhook, url: "{url}"}}}}
people: {{dev: {{name: D, timezone: UTC, contacts: [{{channel: pager, to: dev}}]}}}}
policies: {{matrix: {{levels: [{{level: 1, role: developer, after: 0m, page: [dev]}}]}}}}
routes: [{{policy: matrix}}]
"""


async def measure(seconds: float, settle: float) -> list[Figure]:
    """Return the figures of one run."""
    first = await _start()
    resident, spent = await _rest(seconds, settle)
    return [
        Figure("start to first probe", first, "s", 1.0),
        Figure("memory at rest", resident / 1e6, "MB", 80.0),
        Figure("CPU at rest", 100 * spent, "% of a core", 1.0),
        Figure("stewardmon --help", await _help(), "s", 0.150),
    ]


async def _start() -> float:
    """Return the seconds from exec to the first ask."""
    async with Target() as target, Receiver() as receiver:
        with tempfile.TemporaryDirectory(prefix="stewardmon-start-") as name:
            rules = Path(name) / "rules"
            rules.mkdir()
            (rules / "probes.yml").write_text(PROBES.format(url=target.url))
            (rules / "oncall.yml").write_text(ONCALL.format(url=receiver.url))
            started = perf_counter()
            child = await _spawn(rules, Path(name), {})
            try:
                await _first_ask(target)
                return perf_counter() - started
            finally:
                child.terminate()
                await child.wait()


async def _rest(seconds: float, settle: float) -> tuple[int, float]:
    """Return the bytes in memory, and the share of a core that is taken, with nothing wrong."""
    async with Platform() as platform, Receiver() as receiver:
        environ = {
            "NEXT_PUBLIC_APP_URL": platform.app_url,
            "DATABASE_URL": platform.database_url,
            "OPENAI_BASE_URL": platform.openai_url,
            "OPENAI_API_KEY": platform.identity.openai_key,
            "PAGER_URL": receiver.url,
        }
        with tempfile.TemporaryDirectory(prefix="stewardmon-rest-") as name:
            child = await _spawn(EXAMPLES, Path(name), environ)
            try:
                await asyncio.sleep(settle)
                before = cpu_seconds(child.pid)
                await asyncio.sleep(seconds)
                spent = cpu_seconds(child.pid) - before
                resident = resident_bytes(child.pid)
            finally:
                child.terminate()
                await child.wait()
        if receiver.messages:
            raise SystemExit("it was not at rest: somebody was paged")
        return resident, spent / seconds


async def _spawn(rules: Path, folder: Path, environ: dict[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        PYTHON, "-m", "stewardmon", "run", "--rules", str(rules),
        "--state", str(folder / "state.db"), "--listen", f"127.0.0.1:{free_port()}",
        env={**os.environ, **environ, "LOG_LEVEL": "error", "PYTHONPATH": str(ROOT)},
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
    parser.add_argument("--settle", type=float, default=5, help="seconds before CPU is counted")
    parser.add_argument("--no-bounds", action="store_true", help="print them, fail on none")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args(arguments)
    # What an installation has: byte code of the modules as they stand, not made at each start.
    subprocess.run([PYTHON, "-m", "compileall", "-q", ROOT / "stewardmon"], check=True)
    found = asyncio.run(measure(chosen.seconds, chosen.settle))
    return show(found, chosen.json, bounds=not chosen.no_bounds)


if __name__ == "__main__":
    sys.exit(main())
