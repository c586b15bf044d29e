"""One platform for a module's tests, on a clock that they move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest
import pytest_asyncio

from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import find_programs
from stewardmon.errors import StewardmonError
from tests.adapters.demo.world import Hand, World
from tests.support.peers import missing
from tests.support.plain import NO_TLS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture(scope="module")
def postgres_programs() -> None:
    """Skip where no PostgreSQL is installed."""
    try:
        find_programs()
    except StewardmonError as error:
        missing(str(error))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(postgres_programs: None) -> AsyncIterator[World]:
    """A running platform."""
    clock = Hand()
    limits = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=10, limits=limits) as client,
        Platform(now=clock.now) as platform,
    ):
        yield World(platform, clock, client)


@pytest_asyncio.fixture(loop_scope="module")
async def world(running: World) -> AsyncIterator[World]:
    """The module's platform, all well, its rate limits' windows over."""
    running.clock.advance(minutes=2)
    yield running
    await running.platform.faults.clear()
