"""A process beside the platform that leaks memory: real, and heard by a daemon on virtual time."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from stewardmon.clock import SystemClock
from stewardmon.process import bind
from stewardmon.web.links import Links
from stewardmon.web.server import Server
from tests.matrix import growing_child
from tests.support.daemon import Daemon

_NAME: Final = "app-figures"
_TOKEN: Final = "a-token-for-one-job-only"
_FIRST: Final = 23.0  # seconds
_EVERY: Final = 60.0
HEARTBEAT: Final = (
    f"  - {{name: {_NAME}, kind: heartbeat, token: {_TOKEN}, period: 1m, metrics_job: app}}\n"
)
"""The probe that hears the process, as the README has it: to be added to others."""


@dataclass(slots=True)
class Growing:
    """A child that pushes its memory once a minute; once it `leaks`, it grows before each push."""

    child: subprocess.Popen[str]
    leaks: bool = False
    held: int = 0

    def begin(self) -> None:
        """Let it leak from now on."""
        self.leaks = True

    async def live(self, daemon: Daemon) -> None:
        """Push for ever. Virtual time stands still while a thread waits for the child."""
        # At no instant at which anything else happens: who came first would be chance.
        await daemon.clock.sleep(_FIRST)
        while True:
            self.held = await asyncio.to_thread(self._push)
            await daemon.clock.sleep(_EVERY)

    def _push(self) -> int:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write("grow\n" if self.leaks else "push\n")
        self.child.stdin.flush()
        said = self.child.stdout.readline()
        assert said, "the child has ended: what it pushed was not taken"
        return int(said)


def possible() -> bool:
    """Say whether a process can look up its own memory here, as the child does."""
    return Path("/proc/self/statm").exists()


@contextmanager
def _running(words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A child that ends with the block, because its standard input does."""
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True) as child:
        yield child


@asynccontextmanager
async def growing(daemon: Daemon) -> AsyncIterator[Growing]:
    """Serve the daemon's own addresses on a real port, and let a child push to them."""
    with bind("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        links = Links("a-secret-for-tests", url, SystemClock())
        server = Server(daemon.running.live, links=links, listening=listening)
        script = str(Path(growing_child.__file__))
        words = [sys.executable, script, f"{url}/heartbeat/{_NAME}", _TOKEN]
        with _running(words) as child:
            leak = Growing(child)
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(server.run(), name="web"),
                    group.create_task(leak.live(daemon), name="leak"),
                ]
                yield leak
                for task in tasks:
                    task.cancel()
