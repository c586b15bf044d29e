"""What evaluating the same rules over the same series costs Debian's Prometheus.

It reads every series from one page once a second. Its CPU is counted first without rules, then with
them: what reading costs is not held against its rules. Its windows hold no more than it has read
since it started, which favours it: ours are full.
"""

from __future__ import annotations

import json
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import httpx

from bench.kernel import cpu_seconds
from bench.processes import answers, peer, running, wait_for
from bench.servers import free_port
from stewardmon.domain.labels import NAME, Labels

SETTLE: Final = 5.0  # seconds at most after its start, and after the rules came
Readings = Iterator[tuple[Labels, float]]


def evaluation_us(
    readings: Iterator[Readings], groups: Sequence[Mapping[str, object]], seconds: float
) -> float:
    """Return Prometheus' CPU microseconds for one evaluation of one rule, over so many seconds.

    `readings` gives each scrape's. Raises MissingError where there is no Prometheus.
    """
    program = peer("prometheus", "prometheus")
    with tempfile.TemporaryDirectory(prefix="bench-rules-") as name, _page(readings) as target:
        folder = Path(name)
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        _write(folder, target, [])
        listen = f"--web.listen-address=127.0.0.1:{port}"
        command = [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data", listen]
        with running(command, folder) as process:
            wait_for(lambda: answers(f"{url}/-/ready"), "Prometheus answers")
            idle, _ = _spent(url, process.pid, seconds)
            _write(folder, target, groups)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: _evaluations(url) > 0, "Prometheus evaluates the rules")
            busy, evaluated = _spent(url, process.pid, seconds)
    return (busy - idle) * seconds / evaluated * 1e6


def _spent(url: str, pid: int, seconds: float) -> tuple[float, float]:
    """Return the cores that it took, and how many rules it evaluated in the seconds."""
    time.sleep(min(SETTLE, seconds))
    before, evaluated, began = cpu_seconds(pid), _evaluations(url), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    return (cpu_seconds(pid) - before) / took, (_evaluations(url) - evaluated) * seconds / took


def _evaluations(url: str) -> float:
    """Return how many rules it has evaluated so far, failed ones left out."""
    counts = {"prometheus_rule_evaluations_total": 1.0, "prometheus_rule_evaluation_failures": -1.0}
    total = 0.0
    for line in httpx.get(f"{url}/metrics", trust_env=False, timeout=5).text.splitlines():
        for prefix, sign in counts.items():
            if line.startswith(prefix):
                total += sign * float(line.rpartition(" ")[2])
    return total


def _write(folder: Path, target: str, groups: Sequence[Mapping[str, object]]) -> None:
    written = {
        "rules.yml": {"groups": groups},
        "prometheus.yml": {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [
                {
                    "job_name": "bench",
                    "honor_labels": True,
                    "static_configs": [{"targets": [target]}],
                }
            ],
        },
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content))


@contextmanager
def _page(readings: Iterator[Readings]) -> Iterator[str]:
    """Serve /metrics, each time with the next readings; yield host and port."""

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = "".join(map(_line, next(readings))).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def _line(reading: tuple[Labels, float]) -> str:
    labels, value = reading
    pairs = ",".join(f'{name}="{text}"' for name, text in labels.without(NAME).pairs)
    return f"{labels.value(NAME)}{{{pairs}}} {value!r}\n"
