"""The HTTP listener: uvicorn on a socket that is bound already, inside our own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import uvicorn

from stewardmon.engine.live import Live
from stewardmon.ports import Clock
from stewardmon.settings import Secret
from stewardmon.web.guard import Access
from stewardmon.web.links import Links
from stewardmon.web.site import build

TICK: Final = 1.0  # seconds: what HTTP's Date header is exact to


class _Quiet(uvicorn.Server):
    """uvicorn that leaves signals to the process that owns them, and rests while nobody asks."""

    def __init__(self, config: uvicorn.Config, clock: Clock) -> None:
        super().__init__(config)
        self._clock = clock

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        """Look once a second: uvicorn's ten times are half of all that a resting daemon wakes for.

        It looks for an end that comes by cancelling here, and sets the time that answers show.
        """
        every_time = 0  # the counter at which that time is set
        while not await self.on_tick(every_time):
            await self._clock.sleep(TICK)


class Server:
    """Serves the site of one live daemon until cancelled."""

    def __init__(
        self,
        live: Live,
        *,
        links: Links,
        token: Secret | None = None,
        access: Access | None = None,
        listening: socket.socket,
    ) -> None:
        self._live = live
        # asyncio does this only for sockets that name their protocol; without it, each answer of
        # two packets waits 40 ms for the client's delayed acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._listening = listening
        self._site = build(live, links=links, token=token, access=access)
        self._server = _Quiet(
            uvicorn.Config(
                self._site.app,
                http="httptools",
                ws="none",
                lifespan="off",
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=2,
                h11_max_incomplete_event_size=64 * 1024,
            ),
            live.clock,
        )

    async def run(self) -> None:
        """Run until cancelled; open connections get two seconds to end."""
        supervisor = self._live.supervisor
        async with asyncio.TaskGroup() as group:
            tally = supervisor.keep("availability", self._site.tally.run)
            group.create_task(tally, name="availability")
            group.create_task(self._serve(), name="http")

    async def _serve(self) -> None:
        try:
            await self._server.serve(sockets=[self._listening])
        finally:
            self._site.stream.close()
            if self._server.started:
                await self._server.shutdown(sockets=[self._listening])
