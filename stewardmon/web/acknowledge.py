"""The link on a page: GET shows (mail scanners fetch links), POST acknowledges."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain import answers
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.notices import Facts
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError
from stewardmon.web.incidents import find
from stewardmon.web.links import Claim, LinkError, Links


def routes(front: Front, links: Links) -> list[Route]:
    """Return the address of acknowledgement links."""
    live = front.live

    def claimed(request: Request) -> Claim:
        try:
            return links.read(request.path_params["token"])
        except LinkError as error:
            raise RequestError(str(error), 403) from None

    async def show(request: Request) -> Response:
        return await _asked(front, request, claimed(request))

    async def act(request: Request) -> Response:
        claim = claimed(request)
        await find(live, claim.incident)
        now = live.clock.now()
        by = By(who=claim.person, at=now, reason="over the page's link")
        try:
            await live.responder.answer(
                claim.incident, lambda one: answers.acknowledge(one, by), now=now
            )
        except AnswerError as error:
            raise RequestError(str(error), 409) from None
        return await _asked(front, request, claim)

    return [
        Route("/ack/{token}", show, methods=["GET"]),
        Route("/ack/{token}", act, methods=["POST"]),
    ]


async def _asked(front: Front, request: Request, claim: Claim) -> Response:
    incident = await find(front.live, claim.incident)
    person = front.live.responder.book.roster.people.get(claim.person)
    first = next(iter(incident.alerts.values()), None)
    return front.page(
        request,
        "acknowledge.html",
        incident=incident,
        person=person.name if person else claim.person,
        facts=Facts() if first is None else front.live.responder.facts(first),
    )
