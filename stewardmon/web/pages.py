"""Pages for people: the status page and the incident page."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.engine.live import Live
from stewardmon.web.incidents import find, probe
from stewardmon.web.render import page


def routes(live: Live) -> list[Route]:
    """Return the addresses that people open."""

    async def status(_request: Request) -> Response:
        seen = live.observations.latest
        return page(
            "status.html",
            now=live.clock.now(),
            probes=[probe(spec.name, spec.job, seen.get(spec.name)) for spec in live.config.probes],
            incidents=live.responder.open(),
            ready=live.ready(),
        )

    async def incident(request: Request) -> Response:
        found = await find(live, request.path_params["ident"])
        events = await live.ledger.store.events(found.id)
        return page("incident.html", now=live.clock.now(), incident=found, events=events)

    return [Route("/", status), Route("/incidents/{ident}", incident)]
