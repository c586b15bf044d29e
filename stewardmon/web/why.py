"""Why was nobody paged: for an incident, or for a rule at an instant."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.engine.live import Live
from stewardmon.engine.why import why_incident, why_rule
from stewardmon.errors import StewardmonError
from stewardmon.web.encoding import JSONResponse
from stewardmon.web.guard import RequestError
from stewardmon.web.incidents import find, read_time


def routes(live: Live) -> list[Route]:
    """Return the addresses that explain."""

    async def incident(request: Request) -> Response:
        found = await find(live, request.path_params["ident"])
        return JSONResponse({"lines": await why_incident(live, found)})

    async def rule(request: Request) -> Response:
        name = request.query_params.get("rule", "")
        if not name:
            raise RequestError("name a rule: /api/why?rule=NAME&at=TIME")
        text = request.query_params.get("at", "")
        try:
            at = read_time(text) if text else live.clock.now()
        except ValueError:
            raise RequestError(f"{text[:60]!r} is no time: write RFC 3339") from None
        try:
            return JSONResponse({"lines": await why_rule(live, name, at=at)})
        except StewardmonError as error:
            raise RequestError(str(error), 404) from None

    return [
        Route("/api/incidents/{ident}/why", incident),
        Route("/api/why", rule),
    ]
