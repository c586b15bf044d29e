"""Somebody who acknowledges one incident after the other, and how long each took them.

A process of its own: one that also receives pages would wait for itself. Light, because what is
measured is the daemon: `python -m bench.acks URL INCIDENT...` prints seconds, a line each.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

TOKEN = "storm"  # noqa: S105 - a loopback daemon's, for a minute
BOUND = 0.020  # seconds


class Person:
    """The process; `took` ends it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        process.stdout.readline()  # the first one: what is loaded on first use is no storm

    def took(self) -> list[float]:
        """Return the seconds of each acknowledgement so far, shortest first."""
        self._process.terminate()
        return sorted(float(line) for line in self._process.communicate()[0].split())


@contextmanager
def acknowledging(url: str, idents: Sequence[str], *, pause: float = 0.02) -> Iterator[Person]:
    """Let somebody acknowledge the incidents, with a pause in seconds between any two."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.acks", url, str(pause), *idents],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Person(process)
    finally:
        process.kill()
        process.wait()


def at_99(took: Sequence[float]) -> float:
    """Return the 99th percentile of sorted seconds."""
    return took[int(len(took) * 0.99)] if took else float("nan")


def said(took: Sequence[float]) -> str:
    """Return a line about sorted seconds."""
    middle = took[len(took) // 2] if took else float("nan")
    return (
        f"acknowledgements meanwhile: {len(took)}, p50 {middle * 1e3:.1f} ms, "
        f"p99 {at_99(took) * 1e3:.1f} ms (bound: {BOUND * 1e3:.0f} ms)"
    )


def main(url: str, pause: str, *idents: str) -> None:
    """Acknowledge over one connection; print what each took."""
    server = HTTPConnection(url.removeprefix("http://"))
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    for ident in idents:
        started = time.perf_counter()
        server.request("POST", f"/api/incidents/{ident}/ack", b'{"by": "bench"}', headers)
        answer = server.getresponse()
        answer.read()
        took = time.perf_counter() - started
        if answer.status != HTTPStatus.OK:
            sys.exit(f"an acknowledgement was answered {answer.status}")
        print(took, flush=True)
        time.sleep(float(pause))


if __name__ == "__main__":
    main(*sys.argv[1:])
