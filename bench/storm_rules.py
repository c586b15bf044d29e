"""How long acknowledgements take while 10,000 alerts fire from rules, each decision on disk.

    python -m bench.storm_rules [--alerts N] [--names N] [--acks N]

A daemon process of its own, with SQLite, gets that many failing series within a second, as answers
of probes come; one rule a name fires them. Meanwhile another process acknowledges incidents over
HTTP, one after the other, each on disk before it is answered. Exit 1 where the 99th percentile
reaches 20 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.acks import BOUND, TOKEN, acknowledging, at_99, said
from bench.processes import wait_for
from bench.storm import Pager
from stewardmon.cli.run import UNWANTED, absent
from stewardmon.clock import milliseconds
from stewardmon.config.environment import Runtime
from stewardmon.config.loading import load
from stewardmon.domain.labels import NAME, Labels
from stewardmon.process import Running, daemon, run, spare_collector
from stewardmon.settings import Secret
from stewardmon.telemetry import configure_logs

READ_EVERY = 1.0  # seconds
AT_ONCE = 20  # readings between two looks at the loop: what an outcome of a probe leaves

PROBES = "probes: [{name: self, kind: tcp, job: self, address: '127.0.0.1:9', interval: 1h}]\n"
ONCALL = """
channels: {{hook: {{kind: webhook, url: "{url}"}}}}
people: {{dev: {{name: Dev, timezone: UTC, contacts: [{{channel: hook, to: dev}}]}}}}
policies: {{all: {{levels: [{{level: 1, role: Dev, after: 0m, page: [dev]}}]}}}}
routes: [{{policy: all}}]
"""


@dataclass(frozen=True, slots=True)
class Fired:
    """What was measured: seconds of each acknowledgement, and until every alert had fired."""

    acks: Sequence[float]
    alerts: int
    seconds: float


def write(rules: Path, pager: str, *, names: int, acks: int) -> None:
    """Write the three files: a rule for each name, all true only once their series fail."""
    rules.mkdir()
    (rules / "probes.yml").write_text(PROBES)
    storm = [
        f"      - {{alert: Storm{name}, expr: 'reading{{name=\"{name}\"}} == 1', "
        "labels: {severity: critical}}"
        for name in range(names)
    ]
    (rules / "alerts.yml").write_text(
        "evaluation_interval: 1s\ngroups:\n  - name: storm\n    rules:\n" + "\n".join(storm) + "\n"
    )
    (rules / "oncall.yml").write_text(ONCALL.format(url=pager))


async def serve(folder: Path, *, alerts: int, names: int) -> None:
    """Run the daemon; once a file `go` lies in the folder, its series fail, every second anew.

    When all of them fire, a file `fired` lies there too.
    """
    runtime = Runtime(
        rules=folder / "rules", state=str(folder / "state.db"), port=0, token=Secret(TOKEN)
    )
    async with (
        daemon(runtime, load_config=lambda: load(folder / "rules", {})) as running,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(spare_collector(running.app.live), name="collector")
        (folder / "url.part").write_text(running.url)
        (folder / "url.part").rename(folder / "url")  # whoever waits for it finds it whole
        responder = running.app.live.responder
        series = [
            Labels({NAME: "reading", "name": str(number % names), "instance": f"host-{number}"})
            for number in range(alerts)
        ]
        while True:
            failing = (folder / "go").exists()
            await _read(running, series, 1.0 if failing else 0.0)
            firing = sum(one.name.startswith("Storm") for one in responder.firing.values())
            if firing >= alerts:
                (folder / "fired").touch()


async def _read(running: Running, series: Sequence[Labels], value: float) -> None:
    live = running.app.live
    now_ms = milliseconds(live.clock.now())
    for start in range(0, len(series), AT_ONCE):
        some = series[start : start + AT_ONCE]
        for labels in some:
            live.series.append(labels, now_ms, value)
        await live.clock.sleep(READ_EVERY * len(some) / len(series))


def measure(folder: Path, *, alerts: int, names: int, acks: int) -> Fired:
    """Let the rules fire; acknowledge other incidents all the while."""
    pager = Pager()
    write(folder / "rules", pager.url, names=names, acks=acks)
    with _served(folder, alerts=alerts, names=names) as url:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=url, trust_env=False, headers=headers, timeout=60) as client:
            others = [{"labels": {"alertname": f"Ack{place}"}} for place in range(acks)]
            client.post("/api/v2/alerts", json=others).raise_for_status()
            known = client.get("/api/incidents?limit=1000").json()["incidents"]
            idents = [one["id"] for one in known if one["title"].startswith("Ack")]
            time.sleep(3)  # until their pages are out
            with acknowledging(url, idents) as person:
                (folder / "go").touch()
                began = time.monotonic()
                wait_for((folder / "fired").exists, "every alert fires")
                fired = time.monotonic() - began
                took = person.took()
            wait_for(lambda: len(pager.groups) >= names + acks, "every name is paged")
            firing = _firing(client) - acks
    pager.close()
    return Fired(acks=took, alerts=firing, seconds=fired)


def _firing(client: httpx.Client) -> int:
    return len(client.get("/api/v2/alerts").json())


@contextmanager
def _served(folder: Path, *, alerts: int, names: int) -> Iterator[str]:
    flags = [f"--alerts={alerts}", f"--names={names}", f"--serve={folder}"]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.storm_rules", *flags],
        cwd=Path(__file__).parents[1],
        stdout=(folder / "log").open("wb"),
        stderr=subprocess.STDOUT,
    )
    try:
        wait_for((folder / "url").exists, "the daemon answers")
        yield (folder / "url").read_text()
    finally:
        process.terminate()
        process.wait(timeout=20)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--names", type=int, default=50)
    parser.add_argument("--acks", type=int, default=400)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        configure_logs(level="info", environment="production")
        with absent(UNWANTED):  # as `stewardmon run` does
            run(serve(given.serve, alerts=given.alerts, names=given.names))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), alerts=given.alerts, names=given.names, acks=given.acks)
    print(
        f"{found.alerts} alerts fired from {given.names} rules in {found.seconds:.1f} s; "
        + said(found.acks)
    )
    return 0 if at_99(found.acks) < BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
