"""One platform on a server of its own for all faults of a process."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer
from tests.matrix.looking import CLOCK, watched
from tests.matrix.world import World


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(postgres: PostgresServer) -> AsyncIterator[World]:
    """The platform all well: `postgres` says whether it can be."""
    async with Platform(limits=Limits(per_user=1000), now=CLOCK.now) as platform:
        probes = watched(platform)
        await probes.look()  # the first ask of each pays for imports and contexts
        healthy = await probes.look()
        assert not {name: one for name, one in healthy.items() if not one.success}
        yield World(platform, probes, healthy)
