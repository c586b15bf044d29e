"""A daemon with its pages on a real port, on real time: scripted targets, memory for a store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import httpx

from stewardmon.clock import SystemClock
from stewardmon.process import bind
from stewardmon.settings import Secret
from stewardmon.web.guard import Access
from stewardmon.web.links import Links
from stewardmon.web.server import Server
from tests.support.daemon import Daemon, running
from tests.support.plain import NO_TLS
from tests.support.waiting import until_async

TOKEN: Final = "a-token-for-tests"


@dataclass(frozen=True, slots=True)
class Site:
    """A daemon whose pages are served at `url`."""

    daemon: Daemon
    url: str
    links: Links

    def client(
        self, headers: Mapping[str, str] = MappingProxyType({}), *, signed: bool = False
    ) -> httpx.AsyncClient:
        """Return a client of the pages; `signed` bears the operator's token."""
        bearer = {"Authorization": f"Bearer {TOKEN}"} if signed else {}
        return httpx.AsyncClient(
            base_url=self.url,
            headers={**bearer, **headers},
            verify=NO_TLS,
            trust_env=False,
            timeout=30,
        )

    async def incident(self) -> str:
        """Wait for an open incident and return its id."""
        responder = self.daemon.running.live.responder

        async def first() -> str:
            return next((one.id for one in responder.open()), "")

        return await until_async(first, what="an open incident", within=30)


@asynccontextmanager
async def serving(
    *, access: Access | None = None, public_url: str = "", **options: Any
) -> AsyncIterator[Site]:
    """Serve a started daemon until the block ends."""
    with bind("127.0.0.1", 0) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        links = Links("a-secret-for-tests", public_url or url, SystemClock())
        async with running(**options) as daemon:
            live = daemon.running.live
            live.external_url = public_url or url
            known = access or Access(token=Secret(TOKEN))
            server = Server(live, links=links, access=known, listening=listening)
            async with asyncio.TaskGroup() as group:
                task = group.create_task(server.run(), name="web")
                yield Site(daemon, url, links)
                task.cancel()
