"""The link on a page: GET shows (mail scanners fetch links), POST acknowledges."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain import answers
from stewardmon.domain.answers import AnswerError, By
from stewardmon.engine.live import Live
from stewardmon.web.guard import RequestError
from stewardmon.web.incidents import find
from stewardmon.web.links import Claim, LinkError, Links
from stewardmon.web.render import page


def routes(live: Live, links: Links) -> list[Route]:
    """Return the address of acknowledgement links."""

    async def show(request: Request) -> Response:
        try:
            claim = links.read(request.path_params["token"])
        except LinkError as error:
            return page("message.html", status=403, title="Not this link", text=str(error))
        return await _asked(live, claim)

    async def act(request: Request) -> Response:
        try:
            claim = links.read(request.path_params["token"])
        except LinkError as error:
            return page("message.html", status=403, title="Not this link", text=str(error))
        await find(live, claim.incident)
        now = live.clock.now()
        by = By(who=claim.person, at=now, reason="over the page's link")
        try:
            await live.responder.answer(
                claim.incident, lambda one: answers.acknowledge(one, by), now=now
            )
        except AnswerError as error:
            return page("message.html", status=409, title="Too late", text=str(error))
        return await _asked(live, claim)

    return [
        Route("/ack/{token}", show, methods=["GET", "HEAD"]),
        Route("/ack/{token}", act, methods=["POST"]),
    ]


async def _asked(live: Live, claim: Claim) -> Response:
    try:
        incident = await find(live, claim.incident)
    except RequestError as error:
        return page("message.html", status=404, title="No such incident", text=str(error))
    person = live.responder.book.roster.people.get(claim.person)
    return page(
        "acknowledge.html",
        incident=incident,
        person=person.name if person else claim.person,
        now=live.clock.now(),
    )
