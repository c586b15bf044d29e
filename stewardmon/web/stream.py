"""`/events`: tells open pages, by server-sent events, that something looks different now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stewardmon.clock import SystemClock
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.web.guard import RequestError
from stewardmon.web.shell import reads_pages

LOOK_EVERY: Final = 1.0  # seconds, of the world's clock: people watch in real time
TICK_EVERY: Final = 15.0  # seconds after which charts have moved on though no state changed
AT_ONCE: Final = 100  # open pages


class Stream:
    """Watches the daemon for whoever has a page open; ends every stream at `close`."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._waiting: set[asyncio.Event] = set()
        self._states: dict[str, str] = {}
        self._closed = False

    def observe(self, seen: Seen) -> None:
        """Wake open pages where a probe's state is a new one."""
        state = seen.outcome.state.value
        if self._states.get(seen.spec.name) != state:
            self._states[seen.spec.name] = state
            self._wake()

    def close(self) -> None:
        """End all streams: the server goes down."""
        self._closed = True
        self._wake()

    def routes(self) -> list[Route]:
        """Return the address of the stream."""

        async def events(request: Request) -> Response:
            if len(self._waiting) >= AT_ONCE:
                raise RequestError("too many pages are open at once", 503)
            return StreamingResponse(
                self._events(request.query_params.get("shown") or mark(self._live)),
                media_type="text/event-stream",
                headers={"X-Accel-Buffering": "no"},
            )

        return [Route("/events", events)]

    async def _events(self, shown: str) -> AsyncIterator[str]:
        woken = asyncio.Event()
        self._waiting.add(woken)
        clock = SystemClock()
        try:
            yield "retry: 2000\n\n"
            told_at = clock.monotonic()
            while not self._closed:
                woken.clear()
                current, at = mark(self._live), clock.monotonic()
                if current != shown or at - told_at >= TICK_EVERY:
                    yield f"data: {'changed' if current != shown else 'tick'}\n\n"
                    shown, told_at = current, at
                await clock.wait(woken, LOOK_EVERY)
        finally:
            self._waiting.discard(woken)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()


class Marked:
    """Notes, before a page is drawn, what it will show: its stream goes on from there.

    Else what changes between the drawing of a page and the opening of its stream is told to nobody.
    """

    def __init__(self, app: ASGIApp, live: Live) -> None:
        self._app = app
        self._live = live

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and reads_pages(Request(scope)):
            scope.setdefault("state", {})["mark"] = mark(self._live)
        await self._app(scope, receive, send)


def mark(live: Live) -> str:
    """Return a word that changes with whatever pages show at a glance."""
    incidents = tuple(
        (one.id, one.state, one.reached, one.snoozed_until, one.muted_by, len(one.alerts))
        for one in live.responder.incidents.values()
    )
    latest = live.observations.latest
    states = tuple((name, seen.outcome.state) for name, seen in latest.items())
    return f"{hash((incidents, states, live.ready(), live.config_error, id(live.config))):x}"
