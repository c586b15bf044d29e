"""What surrounds every request: headers, the path under which we are reached, who may look."""

from __future__ import annotations

import asyncio
from html import escape
from typing import Final
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stewardmon.web.guard import COOKIE, Guard
from stewardmon.web.render import prepare

HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "script-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not `no-referrer`: browsers then send `Origin: null` with forms, which tells us nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), camera=(), microphone=()",
    "Cache-Control": "no-store",
}
# What must be reachable without signing in: life, our own files, signed links, what is public.
OPEN: Final = ("/static/", "/ack/", "/badge/", "/heartbeat/")
OPEN_EXACTLY: Final = frozenset(
    {"/healthz", "/readyz", "/-/healthy", "/-/ready", "/sign-in", "/sign-out", "/status"}
)


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


class Prepared:
    """Makes the pages ready when the first one is asked for, in a thread beside the event loop.

    It takes a fifth of a second, for which probes would wait, and memory that a daemon at which
    nobody looks does without.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._done = False
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._done and scope["type"] == "http" and reads_pages(Request(scope)):
            async with self._one:
                if not self._done:
                    await asyncio.to_thread(prepare)
                    self._done = True
        await self._app(scope, receive, send)


class Prefix:
    """Takes the public address's path off: a proxy may hand it on or strip it, both work."""

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if self._prefix and (path == self._prefix or path.startswith(f"{self._prefix}/")):
            scope = {**scope, "path": path.removeprefix(self._prefix) or "/"}
        await self._app(scope, receive, send)


class Door:
    """Lets only those look who may: browsers are sent to sign in, programs get a 401."""

    def __init__(self, app: ASGIApp, guard: Guard, prefix: str) -> None:
        self._app = app
        self._guard = guard
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._admits(scope):
            answer = refusal(Request(scope), self._prefix)
            await answer(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _admits(self, scope: Scope) -> bool:
        path = str(scope["path"])
        if self._guard.open_to_look or path in OPEN_EXACTLY or path.startswith(OPEN):
            return True
        return self._guard.caller(HTTPConnection(scope)).may_look


class Landing:
    """Lets those be known who come from another site's link.

    Browsers keep back a `SameSite=Strict` cookie on such a visit, so whoever follows a link in a
    mail or a chat would seem signed out. The first answer therefore only asks for the page again:
    that request comes from us, and brings the cookie.
    """

    def __init__(self, app: ASGIApp, guard: Guard, prefix: str) -> None:
        self._app = app
        self._guard = guard
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._guard.changeable:
            request = Request(scope)
            if _comes_from_elsewhere(request):
                await again(request, self._prefix)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def again(request: Request, prefix: str) -> Response:
    """Return a page that asks for the same address once more."""
    query = f"?{request.url.query}" if request.url.query else ""
    address = escape(f"{prefix}{quote(request.url.path)}{query}", quote=True)
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>stewardmon</title>'
        f'<meta http-equiv="refresh" content="0;url={address}"></head>'
        f'<body><main><h1>stewardmon</h1><a href="{address}">Go on</a></main></body></html>'
    )


def _comes_from_elsewhere(request: Request) -> bool:
    headers = request.headers
    return (
        request.method == "GET"
        and headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        and headers.get("sec-fetch-mode") == "navigate"
        and COOKIE not in request.cookies
        and not request.url.path.startswith(OPEN)
        and request.url.path not in OPEN_EXACTLY
        and not request.url.path.startswith("/api/")
    )


def refusal(request: Request, prefix: str) -> Response:
    """Return what somebody gets who must sign in first."""
    if reads_pages(request):
        wanted = quote(request.url.path, safe="/")
        return RedirectResponse(f"{prefix}/sign-in?next={wanted}", status_code=303)
    return JSONResponse(
        {"status": "error", "error": "this needs the header Authorization: Bearer TOKEN"},
        status_code=401,
        headers={"WWW-Authenticate": "Bearer"},
    )


def reads_pages(request: Request) -> bool:
    """Say whether a browser asks, and for a page: its errors are pages too."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(
        ("/api/", "/-/")
    )
