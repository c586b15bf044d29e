"""`/heartbeat/NAME`: where jobs say that they begin, end well, or fail; plain curl will do."""

from __future__ import annotations

import hmac
import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.domain.heartbeat import HeartbeatError, Push, figures_of
from stewardmon.domain.redact import excerpt
from stewardmon.engine.live import Live
from stewardmon.ports import ProbeSpec
from stewardmon.web.guard import RequestError, given_token, read_body, text_field

KIND: Final = "heartbeat"
BODY_LIMIT: Final = 64 << 10  # bytes: a job's last words and fifty figures
SHOWN: Final = 300  # characters of a job's last words that are kept
_METHODS: Final = ("GET", "POST", "PUT")


def routes(live: Live) -> list[Route]:
    """Return the addresses that jobs push to; each heartbeat has a token of its own."""

    async def take(request: Request) -> Response:
        name = request.path_params["name"]
        spec = _expected(live, name)
        _check(request, spec)
        push = _push(request.path_params.get("what", "success"))
        message, figures = _said(await read_body(request, limit=BODY_LIMIT), request)
        now = live.clock.now()
        pulse = await live.heartbeats.push(name, push, now=now, message=message, figures=figures)
        await live.ask(name)
        body: dict[str, Any] = {"status": "success", "heartbeat": name, "push": push.value}
        if push is Push.SUCCESS and pulse.success_at is not None:
            rhythm = spec.settings.rhythm  # type: ignore[attr-defined]
            body["expected_by"] = (pulse.success_at + rhythm.period + rhythm.grace).isoformat()
        return JSONResponse(body)

    return [
        Route("/heartbeat/{name}", take, methods=_METHODS),
        Route("/heartbeat/{name}/{what}", take, methods=_METHODS),
    ]


def _expected(live: Live, name: str) -> ProbeSpec:
    for spec in live.config.probes:
        if spec.name == name and spec.kind == KIND:
            known: ProbeSpec = spec
            return known
    raise RequestError(f"there is no heartbeat {name[:60]!r} in probes.yml", 404)


def _check(request: Request, spec: ProbeSpec) -> None:
    wanted = spec.settings.token.get_secret_value()  # type: ignore[attr-defined]
    given = given_token(request) or request.query_params.get("token", "")
    if not hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode()):
        raise RequestError(
            "this needs the heartbeat's token: Authorization: Bearer TOKEN, or ?token=TOKEN", 401
        )


def _push(what: str) -> Push:
    """Return what is said: by its name, or by an exit status as `$?` has it."""
    if what in set(Push):
        return Push(what)
    if what.isascii() and what.isdigit() and int(what[:4]) <= 255:
        return Push.FAIL if int(what[:4]) else Push.SUCCESS
    raise RequestError("say start, success, fail or an exit status from 0 to 255", 404)


def _said(body: bytes, request: Request) -> tuple[str, dict[str, float]]:
    """Return a job's last words and its figures: a JSON object, or whatever the job printed."""
    claimed = "json" in request.headers.get("content-type", "")
    text = body.decode("utf-8", "replace").strip()
    if not claimed and not text.startswith("{"):
        return excerpt(text[-SHOWN:], SHOWN), {}
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        if claimed:
            raise RequestError("the body is no JSON") from None
        return excerpt(text[-SHOWN:], SHOWN), {}
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object")
    odd = sorted(set(value) - {"message", "metrics"})
    if odd:
        raise RequestError(f"unknown field {odd[0][:40]!r}; known are message, metrics")
    try:
        figures = figures_of(value.get("metrics", {}))
    except HeartbeatError as error:
        raise RequestError(str(error)) from None
    return excerpt(text_field(value, "message", limit=BODY_LIMIT)[-SHOWN:], SHOWN), figures
