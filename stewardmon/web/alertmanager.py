"""Alertmanager's API v2 over our own alerts: amtool, Grafana and Prometheus talk to it.

The shapes are those of Alertmanager's OpenAPI description (api/v2/openapi.yaml, version 0.25).
"""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon import __version__
from stewardmon.domain.silence import SilenceError, SilenceState
from stewardmon.engine.external import FullError
from stewardmon.engine.live import Live
from stewardmon.web.alertmanager_access import check, json_of, told
from stewardmon.web.alertmanager_config import original
from stewardmon.web.alertmanager_read import read_alerts, read_silence
from stewardmon.web.alertmanager_view import (
    NOBODY,
    alert_json,
    filters_of,
    groups,
    meets,
    order,
    rfc3339,
    shown,
    silence_json,
    wanted_of,
)
from stewardmon.web.encoding import JSONResponse
from stewardmon.web.guard import Guard, RequestError

SPOKEN: Final = "0.25.0"  # the version of Alertmanager whose API this is: amtool compares it


def routes(live: Live, guard: Guard) -> list[Route]:
    """Return the addresses under /api/v2."""
    return [*_alerts(live, guard), *_silences(live, guard), *_about(live)]


def _alerts(live: Live, guard: Guard) -> list[Route]:
    async def listed(request: Request) -> Response:
        found = [alert_json(live, *one) async for one in shown(live, wanted_of(request))]
        return _json(sorted(found, key=lambda one: str(one["fingerprint"])))

    async def grouped(request: Request) -> Response:
        by_group = groups([one async for one in shown(live, wanted_of(request))])
        found: list[dict[str, Any]] = []
        for (receiver, _, labels), members in by_group.items():
            await live.clock.sleep(0)  # others get their turn
            found.append(
                {
                    "alerts": [alert_json(live, *one) for one in members],
                    "labels": dict(labels.pairs),
                    "receiver": {"name": receiver},
                }
            )
        return _json(sorted(found, key=lambda one: sorted(one["labels"].items())))

    async def take(request: Request) -> Response:
        check(request, guard)
        now = live.clock.now()
        rest = live.responder.turns.rest
        posted, wrong = await read_alerts(await json_of(request), now=now, rest=rest)
        try:
            await live.external.take(posted, now=now)
        except FullError as error:
            raise RequestError(str(error), 503) from None
        if wrong:
            raise RequestError(wrong)
        return Response(status_code=200)

    return [
        Route("/api/v2/alerts", told(listed), methods=["GET"]),
        Route("/api/v2/alerts", told(take), methods=["POST"]),
        Route("/api/v2/alerts/groups", told(grouped), methods=["GET"]),
    ]


def _silences(live: Live, guard: Guard) -> list[Route]:
    async def listed(request: Request) -> Response:
        now = live.clock.now()
        matchers = filters_of(request)
        found = [one for one in live.silences.listed() if meets(one, matchers)]
        found.sort(key=lambda one: order(one, now=now))
        return _json([silence_json(one, now=now) for one in found])

    async def put(request: Request) -> Response:
        check(request, guard)
        wanted = read_silence(await json_of(request))
        if wanted.id and live.silences.get(wanted.id) is None:
            raise RequestError(f"there is no silence {wanted.id[:60]}", 404)
        try:
            kept = await live.silences.put(wanted, now=live.clock.now())
        except SilenceError as error:
            raise RequestError(str(error)) from None
        return JSONResponse({"silenceID": kept.id})

    async def show(request: Request) -> Response:
        known = live.silences.get(request.path_params["ident"])
        if known is None:
            raise RequestError(f"there is no silence {request.path_params['ident'][:60]}", 404)
        return JSONResponse(silence_json(known, now=live.clock.now()))

    async def expire(request: Request) -> Response:
        check(request, guard)
        ident, now = request.path_params["ident"], live.clock.now()
        known = live.silences.get(ident)
        if known is None:
            raise RequestError(f"there is no silence {ident[:60]}", 404)
        if known.state(now) is not SilenceState.EXPIRED:
            await live.silences.expire(ident, now=now)
        return Response(status_code=200)

    return [
        Route("/api/v2/silences", told(listed), methods=["GET"]),
        Route("/api/v2/silences", told(put), methods=["POST"]),
        Route("/api/v2/silence/{ident}", told(show), methods=["GET"]),
        Route("/api/v2/silence/{ident}", told(expire), methods=["DELETE"]),
    ]


def _about(live: Live) -> list[Route]:
    async def status(_request: Request) -> Response:
        return JSONResponse(
            {
                "cluster": {"name": live.location, "peers": [], "status": "disabled"},
                "config": {"original": original(live)},
                "uptime": rfc3339(live.started_at),
                "versionInfo": {
                    "branch": "",
                    "buildDate": "",
                    "buildUser": "",
                    "goVersion": "",
                    "revision": f"stewardmon {__version__}",
                    "version": SPOKEN,
                },
            }
        )

    async def receivers(_request: Request) -> Response:
        names = list(live.responder.book.policies)
        if all(route.matchers for route in live.responder.book.routes):
            names.append(NOBODY)
        return JSONResponse([{"name": name} for name in names])

    return [
        Route("/api/v2/status", status, methods=["GET"]),
        Route("/api/v2/receivers", receivers, methods=["GET"]),
    ]


def _json(value: Any) -> Response:
    try:
        return Response(orjson.dumps(value), media_type="application/json")
    except TypeError:  # a label that is no UTF-8
        return JSONResponse(value)
