"""What forms on the incident page do."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from stewardmon.domain.alert import ALERT_NAME
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.incident import Incident
from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.notices import common
from stewardmon.domain.quantity import parse_duration
from stewardmon.domain.silence import Silence, SilenceError
from stewardmon.errors import ExpressionError
from stewardmon.web.front import Front, local_path
from stewardmon.web.guard import RequestError, text_field
from stewardmon.web.incidents import acts_of, find

_SILENCE: Final = "silence"


def routes(front: Front) -> list[Route]:
    """Return the address that the incident page's forms are sent to."""
    live = front.live
    acts = acts_of(live)

    async def act(request: Request) -> Response:
        ident, name = request.path_params["ident"], request.path_params["act"]
        if name not in acts and name != _SILENCE:
            raise RequestError("an incident has no such form", 404)
        fields = await front.form(request)
        incident = await find(live, ident)
        now = live.clock.now()
        by = By(who=fields["by"], at=now, reason=text_field(dict(fields), "reason"))
        try:
            if name == _SILENCE:
                wanted = silence_of(incident, by=by, until=_until(fields, now))
                await live.silences.put(wanted, now=now)
            else:
                await live.responder.answer(ident, acts[name](by, dict(fields)), now=now)
        except (AnswerError, SilenceError) as error:
            return front.message(
                request,
                title="That did not work",
                text=f"{error}.",
                status=409,
                back=(f"/incidents/{ident}", "Back to the incident"),
            )
        back = local_path(fields.get("back", ""), default=f"/incidents/{ident}")
        return RedirectResponse(front.prefix + back, status_code=303)

    return [Route("/incidents/{ident}/{act}", act, methods=["POST"])]


def silence_of(incident: Incident, *, by: By, until: datetime) -> Silence:
    """Return the silence for what this incident is about: the labels that all its alerts share."""
    shared = incident.group or common(alert.labels for alert in incident.alerts.values())
    labels = shared or Labels({ALERT_NAME: incident.title})
    return Silence(
        id="",
        matchers=tuple(Matcher(name, Op.EQUAL, value) for name, value in labels.pairs),
        starts_at=by.at,
        ends_at=until,
        updated_at=by.at,
        created_by=by.who,
        comment=by.reason,
    )


def _until(fields: dict[str, str], now: datetime) -> datetime:
    try:
        return now + parse_duration(fields.get("for", "1h"))
    except (ExpressionError, OverflowError) as error:
        raise RequestError(str(error)) from None
