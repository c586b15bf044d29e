"""The guide's check-lists, asked once by the probes that watch: pass, fail or unknown each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from stewardmon.rehearsal.checks import (
    agent,
    backups,
    database,
    deployment,
    monitoring,
    packages,
    page,
    provider,
    security,
    variables,
)
from stewardmon.rehearsal.checks.flight import Flight, Line, Question

LISTS: Final[Mapping[str, tuple[Question, ...]]] = {
    "env": (variables.right,),
    "db": (database.app_path, database.direct_path, database.depth),
    "openai": (provider.models, provider.completion, provider.vendor_status, provider.costs),
    "auth": (security.sign_in, security.access),
    "security": (
        security.posture_rest,
        security.certificates,
        security.rows,
        security.rotation,
        packages.audited,
    ),
    "performance": (page.page_time, page.weight, page.outside),
    "backup": (backups.folder, backups.vendor_backups),
    "agent": (agent.whole, agent.streamed, agent.edges, agent.figures),
    "monitoring": (monitoring.sentry, monitoring.logs),
    "post": (deployment.healthy, deployment.deployed),
    "restore": (backups.restored,),
    "burst": (security.limited,),
    "cache": (agent.cached,),
}
# What costs others something, or the user's ten questions a minute, runs only when it is named.
BY_NAME: Final = frozenset({"restore", "burst", "cache"})
PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "pre": ("env", "db", "openai", "auth", "security", "performance", "backup"),
    "post": ("post", "db", "openai", "auth", "agent", "monitoring"),
    "all": tuple(name for name in LISTS if name not in BY_NAME),
}
NAMES: Final = tuple(dict.fromkeys((*LISTS, *PARTS)))


async def preflight(names: Sequence[str], flight: Flight) -> list[Line]:
    """Return the lines of the named check-lists, in their order; a question asks only once."""
    lists = list(dict.fromkeys(part for name in names for part in PARTS.get(name, (name,))))
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: [
                group.create_task(flight.answer(question), name=f"preflight:{name}")
                for question in LISTS[name]
            ]
            for name in lists
        }
    return [
        Line(name, check, verdict, detail)
        for name in lists
        for task in tasks[name]
        for check, verdict, detail in task.result()
    ]
