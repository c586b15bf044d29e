"""The pages for people, all but forms: status and incident here, the others in files of theirs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.web import actions, messages, oncall, past, probes, quieting, reports, rules, signin
from stewardmon.web.board import board
from stewardmon.web.dossier import dossier
from stewardmon.web.front import Front
from stewardmon.web.incidents import find
from stewardmon.web.rota import name_of


def routes(front: Front) -> list[Route]:
    """Return the addresses that people open."""
    live = front.live

    async def status(request: Request) -> Response:
        now = live.clock.now()
        return front.page(
            request,
            "status.html",
            board=board(live, front.tally, now=now),
            now=now,
            roster=live.responder.book.roster,
            name_of=name_of,
        )

    async def incident(request: Request) -> Response:
        now = live.clock.now()
        found = await find(live, request.path_params["ident"])
        view = await dossier(live, found, now=now)
        return front.page(request, "incident.html", it=view, now=now)

    return [
        Route("/", status),
        Route("/incidents/{ident}", incident),
        *actions.routes(front),
        *probes.routes(front),
        *rules.routes(front),
        *oncall.routes(front),
        *messages.routes(front),
        *quieting.routes(front),
        *past.routes(front),
        *reports.routes(front),
        *signin.routes(front),
    ]
