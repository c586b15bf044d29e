"""Fixtures: a served daemon, on real sockets and real time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.support.site import Site, serving

QUICK = """
groups:
  - name: g
    rules:
    - alert: "Database Issues"
      expr: "pg_up == 0"
      annotations: {summary: "no database <b>at all</b>", runbook: database}
    - {alert: "Slow", expr: "quantile_over_time(0.95, probe_duration_seconds[1m]) > 5", for: 2m}
    - {record: "job:up:avg", expr: "avg by (job) (probe_success)"}
"""


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    """A daemon whose database can go down, with an alert that fires at once."""
    async with serving(alerts=QUICK) as served:
        yield served
