"""Who may change things, and the headers that every answer carries."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from typing import Any, Final

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stewardmon.errors import StewardmonError
from stewardmon.settings import Secret

BODY_LIMIT: Final = 1 << 20  # bytes
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Cache-Control": "no-store",
}


class RequestError(StewardmonError):
    """A request that is refused, with the status to answer."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class Guard:
    """Checks the daemon's token; without one, nothing that changes anything is allowed.

    Only a hash of the token is kept.
    """

    def __init__(self, token: Secret | None) -> None:
        self._hash = None if token is None else _hash(token.get_secret_value())

    def check(self, request: Request) -> None:
        """Raise RequestError unless the request bears the token."""
        if self._hash is None:
            raise RequestError(
                "changes are off: start stewardmon with STEWARDMON_TOKEN to allow them", 403
            )
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(_hash(given), self._hash):
            raise RequestError("this needs the header Authorization: Bearer STEWARDMON_TOKEN", 401)


async def json_body(request: Request) -> dict[str, Any]:
    """Return the request's JSON object; an empty body is an empty object.

    Raises RequestError for anything else, and for more than BODY_LIMIT bytes.
    """
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise RequestError(f"the body is larger than {BODY_LIMIT} bytes", 413)
    if not body:
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise RequestError("the body is no JSON") from None
    if not isinstance(value, dict):
        raise RequestError("the body must be a JSON object")
    return value


def text_field(body: dict[str, Any], name: str, *, default: str = "", limit: int = 1000) -> str:
    """Return a text of the body. Raises RequestError when it is no text or too long."""
    value = body.get(name, default)
    if not isinstance(value, str):
        raise RequestError(f"{name} must be a text")
    if len(value) > limit:
        raise RequestError(f"{name} is longer than {limit} characters")
    return value.strip()


def refused(_request: Request, error: Exception) -> JSONResponse:
    """Answer a refused request with one sentence."""
    status = error.status if isinstance(error, RequestError) else 400
    return JSONResponse({"status": "error", "error": str(error)}, status_code=status)


class SecurityHeaders:
    """Adds the security headers to every answer that does not bring its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers)


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
