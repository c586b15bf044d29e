"""What an alert storm costs: stewardmon beside Debian's alertmanager, the same posts to both.

    python -m bench.storm [--alerts N] [--names N] [--batch N] [--acks N]

10,000 alerts in batches of 256, grouped by 50 names, delivered to a webhook. Reported for each: CPU
per alert from the first post to the last group delivered, memory at its highest; for stewardmon
also how long acknowledgements took meanwhile, each on disk before it is answered.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from bench.acks import BOUND, TOKEN, acknowledging, at_99, said
from bench.kernel import cpu_seconds, peak_bytes
from bench.processes import PYTHON, answers, running, wait_for
from stewardmon.demo.postgres import free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class Storm:
    """How much weather."""

    alerts: int
    names: int
    batch: int
    acks: int
    word: str = "Storm"

    def batches(self) -> Iterator[bytes]:
        """Return the bodies to post: the same bytes for both."""
        made = [
            {
                "labels": {
                    "alertname": f"{self.word}{number % self.names}",
                    "severity": "critical",
                    "instance": f"host-{number}:9100",
                    "job": "node",
                },
                "annotations": {"summary": f"host {number} does not answer"},
                "generatorURL": "http://prometheus.example/graph",
            }
            for number in range(self.alerts)
        ]
        for start in range(0, len(made), self.batch):
            yield json.dumps(made[start : start + self.batch]).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one server spent."""

    name: str
    cpu: float
    memory: int
    seconds: float
    acks: Sequence[float] = ()


class Pager:
    """A webhook receiver that notes which groups it was told of."""

    def __init__(self) -> None:
        self.groups: set[str] = set()
        pager = self

        class Answer(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"  # connections are kept, as receivers do

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                labels = json.loads(body)["groupLabels"]
                pager.groups.add(labels.get("alertname", ""))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def post(url: str, storm: Storm) -> None:
    """Post every batch, one after the other."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(trust_env=False, headers=headers, timeout=60) as client:
        for body in storm.batches():
            client.post(f"{url}/api/v2/alerts", content=body).raise_for_status()


def measure(name: str, pid: int, url: str, pager: Pager, storm: Storm) -> Measured:
    """Let the storm loose on one server."""
    names = {f"Storm{number}" for number in range(storm.names)}
    # One alert first: what is loaded on first use is no cost of a storm.
    post(url, Storm(alerts=1, names=1, batch=1, acks=0, word="First"))
    wait_for(lambda: bool(pager.groups), f"{name} delivers a first group")
    pager.groups.clear()
    began, before = time.monotonic(), cpu_seconds(pid)
    post(url, storm)
    wait_for(lambda: names <= pager.groups, f"{name} delivers {storm.names} groups")
    time.sleep(2)  # what it still does with them counts too
    spent = cpu_seconds(pid) - before
    return Measured(
        name=name,
        cpu=spent / storm.alerts,
        memory=peak_bytes(pid) // 1024**2,
        seconds=time.monotonic() - began,
    )


def alertmanager(storm: Storm, folder: Path) -> Measured | None:
    """Measure Debian's alertmanager; None where it is not installed."""
    binary = shutil.which("prometheus-alertmanager")
    if binary is None:
        return None
    pager, port = Pager(), free_port()
    config: dict[str, Any] = {
        "route": {"receiver": "hook", "group_by": ["alertname"], "group_wait": "1s"},
        "receivers": [{"name": "hook", "webhook_configs": [{"url": pager.url}]}],
    }
    (folder / "config.yml").write_text(json.dumps(config))
    command = [
        binary,
        "--config.file=config.yml",
        "--storage.path=data",
        "--cluster.listen-address=",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder, {}) as process:
        wait_for(lambda: answers(f"{url}/-/ready"), "alertmanager answers")
        found = measure("alertmanager", process.pid, url, pager, storm)
    pager.close()
    return found


def stewardmon(storm: Storm, folder: Path) -> Measured:
    """Measure stewardmon on SQLite, and acknowledgements while the storm rages."""
    pager, port = Pager(), free_port()
    _write_rules(folder, pager.url)
    url = f"http://127.0.0.1:{port}"
    command = [PYTHON, "-m", "stewardmon", "run", "--rules", "rules", "--state", "s.db"]
    env = {
        "STEWARDMON_LISTEN": f"127.0.0.1:{port}",
        "STEWARDMON_TOKEN": TOKEN,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    with running(command, folder, env) as process:
        wait_for(lambda: answers(f"{url}/healthz"), "stewardmon answers")
        time.sleep(2)
        found = measure("stewardmon", process.pid, url, pager, storm)
    pager.close()
    return found


def acknowledgements(storm: Storm, folder: Path) -> Sequence[float]:
    """Return how long each acknowledgement took while another client posts the storm."""
    pager, port = Pager(), free_port()
    _write_rules(folder, pager.url)
    url = f"http://127.0.0.1:{port}"
    command = [PYTHON, "-m", "stewardmon", "run", "--rules", "rules", "--state", "s.db"]
    env = {
        "STEWARDMON_LISTEN": f"127.0.0.1:{port}",
        "STEWARDMON_TOKEN": TOKEN,
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with running(command, folder, env):
        wait_for(lambda: answers(f"{url}/healthz"), "stewardmon answers")
        with httpx.Client(trust_env=False, headers=headers, timeout=60) as client:
            alerts = [{"labels": {"alertname": f"Ack{place}"}} for place in range(storm.acks)]
            client.post(f"{url}/api/v2/alerts", json=alerts).raise_for_status()
            found = client.get(f"{url}/api/incidents?limit=1000").json()["incidents"]
        time.sleep(3)  # until their pages are out
        idents = [one["id"] for one in found if one["title"].startswith("Ack")]
        with acknowledging(url, idents, pause=0.005) as person:
            raging = subprocess.Popen(
                [sys.executable, "-m", "bench.storm", "--only-post", url, *_flags(storm)],
                cwd=Path(__file__).parents[1],
            )
            raging.wait(timeout=120)
            took = person.took()
    pager.close()
    return took


def _flags(storm: Storm) -> list[str]:
    return [f"--alerts={storm.alerts}", f"--names={storm.names}", f"--batch={storm.batch}"]


def _write_rules(folder: Path, pager: str) -> None:
    rules = folder / "rules"
    rules.mkdir(exist_ok=True)
    (rules / "probes.yml").write_text(
        "probes: [{name: self, kind: tcp, job: self, address: '127.0.0.1:9', interval: 1h}]\n"
    )
    (rules / "alerts.yml").write_text("groups: []\n")
    (rules / "oncall.yml").write_text(
        f"""
channels: {{hook: {{kind: webhook, url: "{pager}"}}}}
people: {{dev: {{name: Dev, timezone: UTC, contacts: [{{channel: hook, to: dev}}]}}}}
policies: {{all: {{levels: [{{level: 1, role: Dev, after: 0m, page: [dev]}}]}}}}
routes: [{{policy: all}}]
"""
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--names", type=int, default=50)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--acks", type=int, default=200)
    parser.add_argument("--only-post", help=argparse.SUPPRESS)
    given = parser.parse_args()
    storm = Storm(alerts=given.alerts, names=given.names, batch=given.batch, acks=given.acks)
    if given.only_post:
        post(given.only_post, storm)
        return 0
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        peer = alertmanager(storm, Path(one))
        ours = stewardmon(storm, Path(two))
    with tempfile.TemporaryDirectory() as folder:
        took = acknowledgements(storm, Path(folder))
    for found in (peer, ours):
        if found is not None:
            print(
                f"{found.name:<14}{found.cpu * 1e6:>8.1f} µs CPU an alert"
                f"{found.memory:>8} MB at most{found.seconds:>8.1f} s to the last page"
            )
    print(said(took))
    good = at_99(took) < BOUND and (
        peer is None or (ours.cpu <= 2 * peer.cpu and ours.memory <= peer.memory)
    )
    print("within bounds" if good else "out of bounds")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
