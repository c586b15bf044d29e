"""The simulated error tracker: takes envelopes, and tells how fresh the project's events are."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.faults import Faults

PROJECT: Final = 1
_KEPT: Final = 100


class Sentry:
    """Ingest at /api/1/envelope/, and the project's events as Sentry's API lists them."""

    def __init__(self, faults: Faults, now: Callable[[], datetime]) -> None:
        self._faults = faults
        self._now = now
        self.envelopes: deque[bytes] = deque(maxlen=_KEPT)
        self.app = Starlette(
            routes=[
                Route(f"/api/{PROJECT}/envelope/", self._envelope, methods=["POST"]),
                Route("/api/0/projects/steward/app/events/", self._events),
            ]
        )

    async def _envelope(self, request: Request) -> Response:
        if Fault.SENTRY_DOWN in self._faults:
            return JSONResponse({"detail": "Sentry is unavailable"}, status_code=503)
        self.envelopes.append(await request.body())
        return JSONResponse({"id": uuid4().hex})

    async def _events(self, _: Request) -> Response:
        """Return the newest event: minutes old, or days where the stream has dried up."""
        if Fault.SENTRY_DOWN in self._faults:
            return JSONResponse({"detail": "Sentry is unavailable"}, status_code=503)
        stale = Fault.SENTRY_STALE in self._faults
        hours = self._faults.number(Fault.SENTRY_STALE, "hours") if stale else 0.1
        at = self._now() - timedelta(hours=hours)
        event = {"eventID": uuid4().hex, "title": "TypeError", "dateCreated": at.isoformat()}
        return JSONResponse([event])
