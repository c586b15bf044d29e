"""What one ask costs: CPU per probe by kind and by transport, beside plain httpx in the same run.

    python -m bench.probes [--seconds N] [--together N]

A loopback server in a process of its own gives the guide's health answer. CPU is this process'
user and system time, divided by the asks; a median of three rounds, with their range. Peers: httpx
on fresh connections as people use it, and httpx over the project's exchange.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any, Final

import httpx
import uvloop

from stewardmon.clock import SystemClock
from stewardmon.demo.postgres import PostgresServer
from stewardmon.errors import StewardmonError
from stewardmon.network.endpoint import parse_url
from stewardmon.network.exchange import exchange, request
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Probe
from stewardmon.probes import KINDS
from stewardmon.probes.asking import ask
from stewardmon.probes.transport import Transport

CONTEXT: Final = Context(clock=SystemClock())
ROUNDS: Final = 3
HEALTH: Final[dict[str, Any]] = {
    "status": [200],
    "json": {"status": {"in": ["healthy"]}, "services.*": {"in": ["healthy"]}},
    "fresh": {"path": "timestamp", "within": "10000d"},
}
SERVER: Final = """
import asyncio, uvloop
BODY = (b'{"status":"healthy","timestamp":"2026-11-23T12:00:00Z",'
        b'"services":{"database":"healthy","openai":"healthy","cache":"healthy"}}')
ANSWER = (b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n"
          b"Cache-Control: no-store\\r\\nX-Request-Id: 1\\r\\n\\r\\n" % len(BODY)) + BODY
class Health(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(ANSWER)
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Health, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
uvloop.run(main())
"""

Once = Callable[[], Awaitable[object]]
Case = tuple[str, Callable[[], Once]]


@dataclass(frozen=True, slots=True)
class Figure:
    """CPU microseconds of one ask: the median of the rounds, and their range."""

    name: str
    loop: str
    rounds: tuple[float, ...]

    @property
    def median(self) -> float:
        """Return the middle round."""
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        low, high = min(self.rounds), max(self.rounds)
        return f"{self.name:<44}{self.loop:<9}{self.median:>8.0f} µs  ({low:.0f} to {high:.0f})"


@contextmanager
def health_server() -> Iterator[str]:
    """Serve the health answer from another process; its CPU is not ours."""
    process = subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/api/health"
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def probe(kind: str, **settings: object) -> Callable[[], Once]:
    """Return how to make an ask of a probe that must answer up."""

    def made() -> Once:
        found = KINDS[kind]
        target: Probe = found.make(found.settings.model_validate(settings), CONTEXT)

        async def once() -> None:
            outcome = await ask(target, timeout=10)
            assert outcome.success, outcome.detail

        return once

    return made


def bare(url: str) -> Callable[[], Once]:
    """Return how to make an exchange with nothing around it."""

    def made() -> Once:
        asked = request(parse_url(url))

        async def once() -> None:
            assert (await exchange(asked, Progress())).status == 200

        return once

    return made


def plain_httpx(url: str, transport: Callable[[], httpx.AsyncBaseTransport] | None) -> Any:
    """Return how to make a request of httpx on a fresh connection, over `transport`."""

    def made() -> Once:
        limits = httpx.Limits(max_keepalive_connections=0)
        client = httpx.AsyncClient(
            trust_env=False, limits=limits, transport=transport() if transport else None
        )

        async def once() -> None:
            assert (await client.get(url)).status_code == 200

        return once

    return made


async def cost(make: Callable[[], Once], seconds: float, together: int) -> float:
    """Return the CPU microseconds of one ask, `together` of them under way at a time."""
    once = make()
    asks = 0
    for _ in range(20):
        await once()
    until = perf_counter() + seconds

    async def go_on() -> None:
        nonlocal asks
        while perf_counter() < until:
            await once()
            asks += 1

    before = process_time()
    async with asyncio.TaskGroup() as group:
        for number in range(together):
            group.create_task(go_on(), name=f"asker-{number}")
    return (process_time() - before) / asks * 1e6


def measure(name: str, make: Callable[[], Once], seconds: float, together: int) -> Iterator[Figure]:
    """Yield the case's figures on both event loops."""
    for loop, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
        rounds = tuple(run(cost(make, seconds, together)) for _ in range(ROUNDS))
        figure = Figure(name, loop, rounds)
        print(figure, flush=True)
        yield figure


def http_cases(url: str) -> list[Case]:
    """Return the ways to ask one URL, cheapest first."""
    return [
        ("exchange (connect, send, parse)", bare(url)),
        ("http probe, status only", probe("http", url=url)),
        ("http probe, the example's health checks", probe("http", url=url, expect=HEALTH)),
        ("httpx over our exchange", plain_httpx(url, lambda: Transport(Progress(), limit=10**6))),
        ("httpx, fresh connection", plain_httpx(url, None)),
    ]


def main(arguments: list[str] | None = None) -> int:
    """Measure and print; the last line is the ratio to plain httpx."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=2.0, help="per round")
    parser.add_argument("--together", type=int, default=16, help="asks under way at a time")
    chosen = parser.parse_args(arguments)
    figures: dict[tuple[str, str], Figure] = {}
    with health_server() as url:
        for name, make in http_cases(url):
            for figure in measure(name, make, chosen.seconds, chosen.together):
                figures[name, figure.loop] = figure
    try:
        with PostgresServer() as server:
            list(measure("postgres probe", probe("postgres", url=server.url), chosen.seconds, 2))
    except StewardmonError as error:
        print(f"postgres probe: skipped, {error}")
    for loop in ("asyncio", "uvloop"):
        ours = figures["http probe, the example's health checks", loop].median
        theirs = figures["httpx, fresh connection", loop].median
        print(f"{loop}: a whole http probe costs {ours / theirs:.2f} of one plain httpx request")
    return 0


if __name__ == "__main__":
    sys.exit(main())
