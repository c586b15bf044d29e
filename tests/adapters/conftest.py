"""One platform for all tests of the check-lists in a process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from stewardmon.demo.limits import Limits
from stewardmon.demo.platform import Platform
from stewardmon.demo.postgres import PostgresServer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(
    postgres: PostgresServer, request: pytest.FixtureRequest
) -> AsyncIterator[Platform]:
    """A running platform without its request limits: every test asks some sixty times.

    It keeps answers for so short that their end can be waited for, and longer than the 3.6 s of a
    fault, which a module that has no use for that fault may shorten.
    """
    ttl: timedelta = getattr(request.module, "CACHE_TTL", timedelta(seconds=6))
    limits = Limits(per_address=None, per_user=None)
    async with Platform(limits=limits, cache_ttl=ttl) as platform:
        yield platform


@pytest_asyncio.fixture(loop_scope="module")
async def platform(running: Platform) -> AsyncIterator[Platform]:
    """The module's platform, all well."""
    yield running
    await running.faults.clear()
    running.limits.per_user = None
    for file in running.log_dir.iterdir():  # it tells of what other tests broke
        file.unlink()
    running.logs.make()
    async with await running.database.admin() as admin:  # as its database does
        await admin.execute("SELECT pg_stat_statements_reset()")
