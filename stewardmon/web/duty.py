"""The rota for programs: its calendar, overrides, swaps, drills."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.domain import calendar
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.oncall import Override
from stewardmon.domain.quantity import parse_duration
from stewardmon.engine.live import Live
from stewardmon.engine.rota import RotaError
from stewardmon.errors import ExpressionError
from stewardmon.web.guard import Guard, RequestError, json_body, text_field

WEEKS: Final = 4
WEEKS_AT_MOST: Final = 53
Answer = Callable[[Request], Awaitable[Response]]


def routes(live: Live, guard: Guard) -> list[Route]:
    """Return the addresses of the rota for programs."""
    return [*_shown(live), *_changing(live, guard)]


def _guarded(guard: Guard, act: Callable[[Request, dict[str, Any]], Awaitable[Response]]) -> Answer:
    async def answer(request: Request) -> Response:
        guard.check(request)
        try:
            return await act(request, await json_body(request))
        except (RotaError, AnswerError) as error:
            raise RequestError(str(error), 409) from None

    return answer


def _shown(live: Live) -> list[Route]:
    async def ics(request: Request) -> Response:
        now, roster = live.clock.now(), live.rota.roster
        weeks = _count(request.query_params.get("weeks", str(WEEKS)))
        rotation = request.query_params.get("rotation", "")
        if rotation and rotation not in roster.rotations:
            raise RequestError(f"there is no rotation {rotation[:60]!r}", 404)
        found = calendar.calendar(
            roster, start=now, end=now + timedelta(weeks=weeks), rotation=rotation
        )
        return Response(calendar.as_ics(found, roster, now=now), media_type="text/calendar")

    async def overrides(_request: Request) -> Response:
        return JSONResponse({"overrides": [_override(one) for one in live.rota.listed()]})

    return [
        Route("/api/oncall/calendar.ics", ics, methods=["GET"]),
        Route("/api/oncall/overrides", overrides, methods=["GET"]),
    ]


def _changing(live: Live, guard: Guard) -> list[Route]:
    async def add(_request: Request, body: dict[str, Any]) -> Response:
        now = live.clock.now()
        wanted = Override(
            rotation=text_field(body, "rotation"),
            person=text_field(body, "person"),
            start=_start(body, now),
            end=_end(body, now),
        )
        return JSONResponse(_override(await live.rota.add(wanted, now=now)), status_code=201)

    async def swap(_request: Request, body: dict[str, Any]) -> Response:
        first, second = (_time(body.get(key), key) for key in ("first", "second"))
        rotation = text_field(body, "rotation")
        pair = await live.rota.swap(rotation, first, second, now=live.clock.now())
        return JSONResponse({"overrides": [_override(one) for one in pair]}, status_code=201)

    async def remove(request: Request, _body: dict[str, Any]) -> Response:
        await live.rota.remove(request.path_params["ident"])
        return Response(status_code=204)

    async def drill(_request: Request, body: dict[str, Any]) -> Response:
        level = body.get("level", 1)
        if not isinstance(level, int) or isinstance(level, bool):
            raise RequestError("level must be a number")
        first = next(iter(live.responder.book.policies), "")
        by = By(who=text_field(body, "by", limit=100) or "somebody", at=live.clock.now())
        incident = await live.drills.begin(text_field(body, "policy") or first, level, by)
        return JSONResponse({"incident": incident.id}, status_code=201)

    return [
        Route("/api/oncall/drill", _guarded(guard, drill), methods=["POST"]),
        Route("/api/oncall/swap", _guarded(guard, swap), methods=["POST"]),
        Route("/api/oncall/overrides", _guarded(guard, add), methods=["POST"]),
        Route("/api/oncall/overrides/{ident}", _guarded(guard, remove), methods=["DELETE"]),
    ]


def _override(one: Override) -> dict[str, Any]:
    return {
        "id": one.id,
        "rotation": one.rotation,
        "person": one.person,
        "from": one.start.isoformat(),
        "to": one.end.isoformat(),
    }


def _start(body: dict[str, Any], now: datetime) -> datetime:
    """Return the beginning of a span: `from`, now where it is not given."""
    return _time(body["from"], "from") if body.get("from") else now


def _end(body: dict[str, Any], now: datetime) -> datetime:
    """Return the end of a span: `to`, or `for` counted from its beginning."""
    if body.get("to"):
        return _time(body["to"], "to")
    start = _start(body, now)
    try:
        return start + parse_duration(text_field(body, "for"))
    except (ExpressionError, OverflowError):
        raise RequestError("say until when: to (a time) or for (such as 30m)") from None


def _time(text: Any, key: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        raise RequestError(f"{key} must be a time such as 2026-12-24T09:00:00Z") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= WEEKS_AT_MOST:
        raise RequestError(f"weeks is a number from 1 to {WEEKS_AT_MOST}")
    return int(text)
