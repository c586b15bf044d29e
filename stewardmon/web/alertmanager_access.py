"""Who may send alerts and silences over Alertmanager's API, and what their bodies may be."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from stewardmon.web.guard import Guard, RequestError, Role, read_body

BODY_LIMIT: Final = 8 << 20  # bytes: a full batch of Prometheus with long annotations
Answer = Callable[[Request], Awaitable[Response]]


def told(answer: Answer) -> Answer:
    """Answer refusals as Alertmanager does: the sentence alone, as a JSON string."""

    async def asked(request: Request) -> Response:
        try:
            return await answer(request)
        except RequestError as error:
            headers = {"WWW-Authenticate": 'Basic realm="stewardmon"'}
            return JSONResponse(
                str(error),
                status_code=error.status,
                headers=headers if error.status == 401 else None,
            )

    return asked


def check(request: Request, guard: Guard) -> None:
    """Raise RequestError unless the request may write.

    With a token: `Authorization: Bearer TOKEN`, or Basic with the token for a password (amtool's
    and Prometheus' `basic_auth`). Without one: programs of this machine, asked for by a name of
    this machine, and never a web page: those cannot send JSON to us without asking first.
    """
    if guard.changeable:
        if guard.role_of(_given(request)) is not Role.OPERATOR:
            raise RequestError(
                "this needs STEWARDMON_TOKEN: as a bearer token, or as the password of basic_auth",
                401,
            )
        return
    if not (_is_here(request) and "x-forwarded-for" not in request.headers):
        raise RequestError(
            "without STEWARDMON_TOKEN only programs of this machine may send this", 403
        )


async def json_of(request: Request) -> Any:
    """Return the request's JSON. Raises RequestError for anything else, and for too much of it."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError("the body must be sent as application/json", 415)
    body = await read_body(request, limit=BODY_LIMIT)
    try:
        return orjson.loads(body)
    except ValueError:
        raise RequestError("the body is no JSON") from None


def _given(request: Request) -> str:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    match scheme.lower():
        case "bearer":
            return given.strip()
        case "basic":
            try:
                return b64decode(given.strip(), validate=True).decode().partition(":")[2]
            except (Base64Error, ValueError):
                return ""
        case _:
            return ""


def _is_here(request: Request) -> bool:
    client = request.client
    return (
        client is not None
        and _is_loopback(client.host)
        and _is_loopback(request.url.hostname or "")
    )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
