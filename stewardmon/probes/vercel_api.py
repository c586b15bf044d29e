"""Vercel's own API: does the newest production deployment answer, or is an older one pinned?

vercel.com/docs/rest-api: GET /v9/projects/{id} names what production serves under
`targets.production.id`, GET /v6/deployments lists with `uid`, `created` (milliseconds) and
`readyState`. A rollback pins the old one: later deployments are built and not served.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from stewardmon.domain.outcome import Reason, State
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.probes.rest import Client

API: Final = "https://api.vercel.com"
TIMEOUT: Final = 3.0  # seconds: it annotates, the app's own answer must not wait for it
_LISTED: Final = 20
_LATEST: Final = 253402300799000  # milliseconds: the last instant that a datetime holds


async def behind(
    client: Client, *, api: str, project: str, team: str, token: str, now: datetime
) -> timedelta:
    """Return how long a newer deployment has been ready and not served, zero where none has.

    Raises Failure where the API does not tell.
    """
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
    whose = f"teamId={quote(team, safe='')}" if team else ""
    name = quote(project, safe="")
    listing = f"{api}/v6/deployments?projectId={name}&target=production&limit={_LISTED}&{whose}"
    try:
        async with asyncio.timeout(TIMEOUT):
            about = await client.ask(
                f"{api}/v9/projects/{name}?{whose}", Progress(), headers=headers
            )
            listed = await client.ask(listing, Progress(), headers=headers)
    except TimeoutError:
        detail = f"{api} did not answer within {TIMEOUT:g} s"
        raise Failure(Reason.TIMEOUT, detail, state=State.UNKNOWN) from None
    served, ready = _served(about.document()), _ready(listed.document())
    if not served or not ready:
        detail = f"{api} names no production deployment"
        raise Failure(Reason.BODY, detail, state=State.UNKNOWN)
    since = ready.get(served, min(ready.values()) - 1)  # so old that it is not listed any more
    waiting = [at for uid, at in ready.items() if uid != served and at > since]
    if not waiting:
        return timedelta(0)
    return max(now - datetime.fromtimestamp(min(waiting) / 1000, UTC), timedelta(0))


def _served(project: Any) -> str:
    """Return the deployment that production serves, empty where none is named."""
    targets = project.get("targets") if isinstance(project, dict) else None
    production = targets.get("production") if isinstance(targets, dict) else None
    return str(production.get("id") or "") if isinstance(production, dict) else ""


def _ready(listing: Any) -> dict[str, int]:
    """Return when each deployment was made that could be served, in milliseconds."""
    entries = listing.get("deployments") if isinstance(listing, dict) else None
    return {
        str(one["uid"]): one["created"]
        for one in (entries if isinstance(entries, list) else [])
        if isinstance(one, dict)
        and one.get("uid")
        and one.get("readyState", one.get("state")) == "READY"
        and isinstance(one.get("created"), int)
        and 0 <= one["created"] <= _LATEST
    }
