"""Replaying a month: `rules replay` beside vmalert's replay, the same rules over the same samples.

    python -m bench.replay [--days 30] [--probes 20]

A month of probes asked every 15 seconds, each down for ten minutes every third day, is written to a
history on disk, then the shipped rules are evaluated over it every 15 seconds. The same samples go
into Debian's VictoriaMetrics and its vmalert replays the same rules, exported; its database's CPU
counts, because it does the evaluating. Times are wall clock and CPU of a process of its own.

vmalert refuses the template function `query` in replay mode: annotations that call it are left out
of the rules that it is given. Ours expands them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import httpx
import yaml

from bench.figures import Figure, show
from bench.kernel import cpu_seconds, machine, peak_bytes
from bench.processes import PYTHON, QUIET, ROOT, MissingError, answers, peer, running, wait_for
from bench.servers import free_port
from stewardmon.domain.labels import NAME, Labels
from stewardmon.stores import open_store
from stewardmon.stores.track import Track

EVERY_MS: Final = 15_000
DAY_MS: Final = 24 * 3600 * 1000
START: Final = datetime(2026, 3, 1, tzinfo=UTC)
OUTAGE: Final = 40  # asks: ten minutes
BETWEEN: Final = 3 * DAY_MS // EVERY_MS  # asks from one outage to the next
BOUND: Final = 60.0  # seconds for 30 days of 20 probes
_ASKS: Final = re.compile(r"{{[^}]*\bquery\b")
# What the shipped rules need to load; nobody is asked and nobody is paged.
ENVIRONMENT: Final = {
    "NEXT_PUBLIC_APP_URL": "http://127.0.0.1:9",
    "DATABASE_URL": "postgresql://u:p@127.0.0.1:9/x",
    "OPENAI_API_KEY": "sk-proj-" + "a1b2c3d4" * 5,
    "PAGER_URL": "http://127.0.0.1:9",
}


def series_of(probe: int) -> list[tuple[Labels, str]]:
    """Return what one probe leaves behind, and how each goes up and down."""
    job = ("app", "database", "openai", "app", "site")[probe % 5]
    whose = {"job": job, "instance": f"host-{probe}", "probe": f"{job}-{probe}"}
    names = [("probe_success", "yes"), ("probe_duration_seconds", "slow")]
    if job == "database":
        names += [("pg_up", "yes"), ("pg_stat_activity_count", "many"),
                  ("pg_settings_max_connections", "hundred")]  # fmt: skip
    elif job == "openai":
        names += [("stewardmon_openai_rate_limit_remaining_ratio", "yes")]
    else:
        names += [("probe_http_status_code", "status")]
    return [(Labels({NAME: name, **whose}), kind) for name, kind in names]


def month(days: float, probes: int) -> Iterator[tuple[Labels, list[int], list[float]]]:
    """Return every series with its times (milliseconds) and values: the same each time."""
    chance = random.Random(7)
    first = round(START.timestamp() * 1000)
    count = round(days * DAY_MS / EVERY_MS)
    for probe in range(probes):
        offset = chance.randrange(EVERY_MS)
        times = [first + offset + step * EVERY_MS for step in range(count)]
        down = [(step + probe * 700) % BETWEEN < OUTAGE for step in range(count)]
        for labels, kind in series_of(probe):
            yield labels, times, _values(kind, down, chance)


def _values(kind: str, down: Sequence[bool], chance: random.Random) -> list[float]:
    if kind == "yes":
        return [0.0 if out else 1.0 for out in down]
    if kind == "status":
        return [503.0 if out else 200.0 for out in down]
    if kind == "hundred":
        return [100.0] * len(down)
    if kind == "many":
        return [95.0 if out else float(chance.randrange(5, 30)) for out in down]
    return [6.0 if out else chance.uniform(0.05, 0.4) for out in down]


async def write(state: Path, days: float, probes: int) -> int:
    """Write the month to a history; return how many samples it has."""
    store, history = open_store(str(state))
    await store.open()
    await history.open()
    written = 0
    for labels, times, values in month(days, probes):
        await history.write([(labels, Track(array("q", times), array("d", values)))])
        written += len(times)
    await history.close()
    await store.close()
    return written


def ours(folder: Path, days: float) -> tuple[float, float, int, dict[str, object]]:
    """Return seconds, CPU seconds, the most memory and what `rules replay` found."""
    end = START + timedelta(days=days)
    command = [
        PYTHON, "-m", "stewardmon", "rules", "replay", "--rules", str(ROOT / "rules"),
        "--state", str(folder / "state.db"), "--from", START.isoformat(),
        "--to", end.isoformat(), "--every", "15s", "--json",
    ]  # fmt: skip
    began = time.monotonic()
    with (folder / "found").open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, env={**os.environ, **QUIET, **ENVIRONMENT}, cwd=folder
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"rules replay ended with {process.returncode}")
    found = json.loads((folder / "found").read_text())[0]
    took = time.monotonic() - began
    return took, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, found


def theirs(folder: Path, days: float, probes: int) -> tuple[float, float, int]:
    """Return seconds, CPU seconds and the most memory of vmalert with its database.

    Raises MissingError.
    """
    database, vmalert = (peer(name, "victoria-metrics") for name in ("victoria-metrics", "vmalert"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [database, f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
               "-storageDataPath=data", "-search.maxStalenessInterval=5m"]  # fmt: skip
    with running(command, folder) as process:
        wait_for(lambda: answers(f"{url}/health"), "VictoriaMetrics answers")
        _fill(url, days, probes)
        (folder / "rules.yml").write_text(_exported())
        end = START + timedelta(days=days)
        before, began = cpu_seconds(process.pid), time.monotonic()
        arguments = [
            vmalert, "-rule=rules.yml", f"-datasource.url={url}", f"-remoteWrite.url={url}",
            f"-replay.timeFrom={START:%Y-%m-%dT%H:%M:%SZ}",
            f"-replay.timeTo={end:%Y-%m-%dT%H:%M:%SZ}",
            "-replay.rulesDelay=0s", "-replay.disableProgressBar",
            f"-httpListenAddr=127.0.0.1:{free_port()}",
        ]  # fmt: skip
        with (folder / "log-vmalert").open("wb") as out:
            child = subprocess.Popen(arguments, cwd=folder, stdout=out, stderr=out)
            _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        took = time.monotonic() - began
        if child.returncode:
            sys.exit("vmalert: " + (folder / "log-vmalert").read_text()[-500:])
        spent = cpu_seconds(process.pid) - before + used.ru_utime + used.ru_stime
        return took, spent, peak_bytes(process.pid) + used.ru_maxrss * 1024


def _fill(url: str, days: float, probes: int) -> None:
    with httpx.Client(trust_env=False, timeout=120) as client:
        for labels, times, values in month(days, probes):
            body = {"metric": dict(labels), "timestamps": times, "values": values}
            client.post(f"{url}/api/v1/import", content=json.dumps(body)).raise_for_status()
        client.get(f"{url}/internal/force_flush").raise_for_status()


def _exported() -> str:
    """Return the shipped rules as vmalert takes them in replay mode, every 15 seconds."""
    done = subprocess.run(
        [PYTHON, "-m", "stewardmon", "rules", "export", "--rules", str(ROOT / "rules")],
        env={**os.environ, **QUIET, **ENVIRONMENT}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    body = yaml.safe_load(done.stdout.replace("interval: 1s", "interval: 15s"))
    for group in body["groups"]:
        for rule in group["rules"]:
            notes = rule.get("annotations", {}).items()
            rule["annotations"] = {name: text for name, text in notes if not _ASKS.search(text)}
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--probes", type=int, default=20)
    parser.add_argument("--no-bounds", action="store_true", help="print them, fail on none")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args(arguments)
    print(machine())
    share = chosen.days / 30 * chosen.probes / 20
    with tempfile.TemporaryDirectory(prefix="bench-replay-") as name:
        folder = Path(name)
        samples = asyncio.run(write(folder / "state.db", chosen.days, chosen.probes))
        print(f"{samples:,} samples of {chosen.probes} probes over {chosen.days:g} days")
        took, spent, held, found = ours(folder, chosen.days)
        paged = found["paged"]
        assert isinstance(paged, list)
        print(f"{found['evaluations']:,} evaluations of every rule, {len(paged)} pages", flush=True)
        figures = [
            Figure("rules replay: time", took, "s", BOUND * share),
            Figure("rules replay: CPU", spent, "s"),
            Figure("rules replay: memory", held / 1e6, "MB"),
        ]
        try:
            peer_took, peer_spent, peer_held = theirs(folder, chosen.days, chosen.probes)
        except MissingError as error:
            print(f"vmalert: skipped, {error}")
        else:
            figures += [
                Figure("vmalert and its database: time", peer_took, "s"),
                Figure("vmalert and its database: CPU", peer_spent, "s"),
                Figure("vmalert and its database: memory", peer_held / 1e6, "MB"),
            ]
    return show(figures, chosen.json, bounds=not chosen.no_bounds)


if __name__ == "__main__":
    sys.exit(main())
