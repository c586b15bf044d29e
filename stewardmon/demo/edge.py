"""What stands before the app: Vercel's edge, its headers, the per-address limit, and trouble."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import MutableMapping
from email.utils import format_datetime
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.limits import PER_ADDRESS_WINDOW, Window
from stewardmon.demo.pages import Pages
from stewardmon.demo.parts import Parts

_STRICT: Final = {
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "content-security-policy": "default-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'self'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "strict-origin-when-cross-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
# What the public version of the app was seen to send.
_LAX: Final = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-eval' "
    "'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "origin-when-cross-origin",
    "x-powered-by": "Next.js",
}
_STREAMING_PATH: Final = "/api/agent/query"


class Edge:
    """An ASGI application around the app."""

    def __init__(self, app: ASGIApp, parts: Parts, pages: Pages) -> None:
        self._app = app
        self._zipped = GZipMiddleware(app, minimum_size=1024, compresslevel=6)
        self._faults = parts.faults
        self._deployment = parts.deployment
        self._pages = pages
        self._limits = parts.limits
        self._window = Window(PER_ADDRESS_WINDOW, parts.now, parts.faults)
        self._origin = parts.origin
        self._noise = parts.noise
        self._logs = parts.logs
        self._now = parts.now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        more = self._headers(Headers(scope=scope))
        intercepted = await self._trouble(scope) or self._preflight(scope)
        if intercepted is None:
            intercepted = self._limited(scope, more)

        status = 0

        async def send_more(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await self._send(message, send, more)

        started = asyncio.get_running_loop().time()
        await (intercepted or self._inner(scope))(scope, receive, send_more)
        took = asyncio.get_running_loop().time() - started
        self._logs.request(scope["path"], status, took)

    def _inner(self, scope: Scope) -> ASGIApp:
        # Zipping a stream would hold its lines back until they are worth a block.
        off = Fault.COMPRESSION_OFF in self._faults or scope["path"] == _STREAMING_PATH
        declined = Headers(scope=scope).get("x-no-compression")
        return self._app if off or declined else self._zipped

    async def _trouble(self, scope: Scope) -> Response | None:
        """Wait, or answer in the app's place, as faults and noise have it."""
        faults, noise = self._faults, self._noise
        if Fault.APP_HANGING in faults:
            await faults.hold(Fault.APP_HANGING)
        if faults.strikes(Fault.APP_SLOW):
            await faults.linger(Fault.APP_SLOW)
        if noise and noise.slow():
            await faults.pause(noise.slow_seconds)
        if faults.strikes(Fault.APP_ERROR_SHARE) or (noise and noise.failed()):
            return self._pages.error(500, "Internal server error")
        if Fault.APP_REDIRECT_LOOP in faults:
            return RedirectResponse(scope["path"], status_code=307)
        return None

    def _limited(self, scope: Scope, more: MutableMapping[str, str]) -> Response | None:
        limit = self._limits.per_address
        if limit is None or not scope["path"].startswith("/api/"):
            return None
        allowance = self._window.take(str(scope["client"][0]), limit)
        more.update(allowance.headers(wrong=Fault.RATE_LIMIT_MISMATCH in self._faults))
        if allowance.allowed:
            return None
        return PlainTextResponse("Too many requests from this IP", status_code=429)

    def _preflight(self, scope: Scope) -> Response | None:
        if scope["method"] != "OPTIONS":
            return None
        return Response(
            status_code=204,
            headers={
                "access-control-allow-methods": "GET,POST,OPTIONS",
                "access-control-allow-headers": "content-type,authorization",
            },
        )

    def _headers(self, asked: Headers) -> dict[str, str]:
        lax = Fault.SECURITY_MISSING_HEADERS in self._faults
        return {
            **(_LAX if lax else _STRICT),
            **self._cors(asked.get("origin")),
            "date": format_datetime(self._now(), usegmt=True),
            "server": "Vercel",
            "x-vercel-id": f"fra1::iad1::{secrets.token_hex(8)}",
            "x-deployment-id": self._deployment.id,
            "x-app-version": self._deployment.version,
        }

    def _cors(self, origin: str | None) -> dict[str, str]:
        reflect = Fault.SECURITY_CORS_REFLECTION in self._faults
        if origin and (reflect or origin == self._origin()):
            return {
                "access-control-allow-origin": origin,
                "access-control-allow-credentials": "true",
                "vary": "Origin",
            }
        return {"vary": "Origin"}

    async def _send(self, message: Message, send: Send, more: MutableMapping[str, str]) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in more.items():
                if name == "vary":
                    headers.add_vary_header(value)
                else:
                    headers.setdefault(name, value)
        elif message["type"] == "http.response.body" and Fault.APP_DRIP in self._faults:
            await self._drip(message, send)
            return
        await send(message)

    async def _drip(self, message: Message, send: Send) -> None:
        body = message.get("body", b"")
        while body and Fault.APP_DRIP in self._faults:
            await self._faults.linger(Fault.APP_DRIP)
            await send({"type": "http.response.body", "body": body[:1], "more_body": True})
            body = body[1:]
        await send({**message, "body": body})
