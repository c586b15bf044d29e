"""The link on a page: GET shows (mail scanners fetch links), POST acknowledges."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain import answers
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.incident import Incident
from stewardmon.domain.notices import Facts
from stewardmon.engine.live import Live
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError, form_body
from stewardmon.web.incidents import find
from stewardmon.web.links import Claim, LinkError, Links


def routes(front: Front, links: Links) -> list[Route]:
    """Return the address of acknowledgement links."""

    def claimed(request: Request) -> Claim:
        try:
            return links.read(request.path_params["token"])
        except LinkError as error:
            raise RequestError(str(error), 403) from None

    async def show(request: Request) -> Response:
        return await _asked(front, request, claimed(request))

    async def act(request: Request) -> Response:
        claim = claimed(request)
        if request.query_params.get("via") == "voice":
            return await _pressed(front.live, request, claim)
        try:
            await _take(front.live, claim, "over the page's link")
        except AnswerError as error:
            raise RequestError(str(error), 409) from None
        return await _asked(front, request, claim)

    return [
        Route("/ack/{token}", show, methods=["GET"]),
        Route("/ack/{token}", act, methods=["POST"]),
    ]


async def _take(live: Live, claim: Claim, reason: str) -> Incident:
    await find(live, claim.incident)
    now = live.clock.now()
    by = By(who=claim.person, at=now, reason=reason)
    return await live.responder.answer(
        claim.incident, lambda one: answers.acknowledge(one, by), now=now
    )


async def _pressed(live: Live, request: Request, claim: Claim) -> Response:
    """Return what a telephone call says to the key that was pressed in it."""
    from stewardmon.channels.twilio import KEY, heard  # noqa: PLC0415 - where somebody calls

    if (await form_body(request)).get("Digits") == KEY:
        words = await _by_telephone(live, claim)
    else:
        words = f"That was not the key {KEY}. The escalation goes on."
    return Response(heard(words), media_type="application/xml")


async def _by_telephone(live: Live, claim: Claim) -> str:
    try:
        incident = await _take(live, claim, "by the telephone's key")
    except AnswerError as error:
        return str(error)
    if incident.acknowledged_by != claim.person:
        return f"{incident.acknowledged_by} has it already."
    return "Acknowledged. It is yours now."


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
