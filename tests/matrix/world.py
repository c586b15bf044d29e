"""The simulated platform as the matrix' tests share it: healthy, and ill for a while."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.platform import Platform
from tests.matrix.looking import Looked, Watched
from tests.matrix.table import Row


@dataclass(frozen=True, slots=True)
class World:
    """The platform, its probes, and what they say while all is well."""

    platform: Platform
    watched: Watched
    healthy: Looked

    @asynccontextmanager
    async def suffering(self, fault: Fault, row: Row) -> AsyncIterator[None]:
        """Switch a fault on, and leave the platform as it was."""
        platform = self.platform
        try:
            await platform.faults.on(fault.value, **row.numbers)
            for other in row.along:
                await platform.faults.on(other.value)
            for _ in range(row.requests):
                platform.logs.request("/api/health", 200, 0.01)
            yield
        finally:
            await platform.faults.clear()
            for file in platform.log_dir.iterdir():
                file.unlink()
            platform.logs.make()
            async with await platform.database.admin() as admin:
                await admin.execute("SELECT pg_stat_statements_reset()")
                await admin.execute(
                    "DELETE FROM agent_logs WHERE timestamp > now() - interval '4m'"
                )
                # Else a hundred rows' leavings are a finding.
                await admin.execute("VACUUM agent_logs")
