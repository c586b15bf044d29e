"""`/events`: tells open pages, by server-sent events, that something looks different now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from stewardmon.clock import SystemClock
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.web.guard import RequestError

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

        async def events(_request: Request) -> Response:
            if len(self._waiting) >= AT_ONCE:
                raise RequestError("too many pages are open at once", 503)
            return StreamingResponse(
                self._events(),
                media_type="text/event-stream",
                headers={"X-Accel-Buffering": "no"},
            )

        return [Route("/events", events)]

    async def _events(self) -> AsyncIterator[str]:
        woken = asyncio.Event()
        self._waiting.add(woken)
        clock = SystemClock()
        try:
            yield "retry: 2000\n\n"
            shown, told_at = self._mark(), clock.monotonic()
            while not self._closed:
                woken.clear()
                await clock.wait(woken, LOOK_EVERY)
                mark, at = self._mark(), clock.monotonic()
                if mark != shown or at - told_at >= TICK_EVERY:
                    yield f"data: {'changed' if mark != shown else 'tick'}\n\n"
                    shown, told_at = mark, at
        finally:
            self._waiting.discard(woken)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    def _mark(self) -> int:
        """Return a number that changes with whatever pages show at a glance."""
        live = self._live
        incidents = tuple(
            (one.id, one.state, one.reached, one.snoozed_until, one.muted_by, len(one.alerts))
            for one in live.responder.incidents.values()
        )
        latest = live.observations.latest
        states = tuple((name, seen.outcome.state) for name, seen in latest.items())
        return hash((incidents, states, live.ready(), live.config_error, id(live.config)))
