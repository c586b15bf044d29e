"""Pages for people."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.web.board import board
from stewardmon.web.front import Front
from stewardmon.web.incidents import find


def routes(front: Front) -> list[Route]:
    """Return the addresses that people open."""
    live = front.live

    async def status(request: Request) -> Response:
        now = live.clock.now()
        return front.page(request, "status.html", board=board(live, front.tally, now=now), now=now)

    async def incident(request: Request) -> Response:
        found = await find(live, request.path_params["ident"])
        events = await live.ledger.store.events(found.id)
        return front.page(request, "incident.html", incident=found, events=events)

    return [Route("/", status), Route("/incidents/{ident}", incident)]
