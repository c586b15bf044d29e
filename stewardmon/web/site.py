"""The site: what machines ask all the time, and every other address, loaded when one is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stewardmon.engine.live import Live
from stewardmon.settings import Secret
from stewardmon.web import assets, exposition, health, heartbeat
from stewardmon.web.encoding import JSONResponse
from stewardmon.web.front import Front
from stewardmon.web.guard import Access, Guard, RequestError
from stewardmon.web.links import Links
from stewardmon.web.shell import Door, Landing, Prefix, Prepared, SecurityHeaders, reads_pages
from stewardmon.web.stream import Marked, Stream
from stewardmon.web.tally import Tally


@dataclass(frozen=True, slots=True)
class Site:
    """The application, and what of it runs and ends with the server."""

    app: Starlette
    tally: Tally
    stream: Stream


def build(
    live: Live, *, links: Links, token: Secret | None = None, access: Access | None = None
) -> Site:
    """Return the site of one live daemon; `access` says more than a token alone."""
    address = urlsplit(live.external_url)
    access = access or Access(token=token)
    guard = Guard(
        access,
        secret=links.derived("sessions"),
        secure=address.scheme == "https",
        public_url=live.external_url,
    )
    tally, stream = Tally(live), Stream(live)
    live.observations.listeners += [tally.observe, stream.observe]
    front = Front(live=live, guard=guard, tally=tally, prefix=address.path.rstrip("/"))
    app = Starlette(
        routes=[
            *assets.routes(),
            *health.routes(live, guard),
            *heartbeat.routes(live),
            *exposition.routes(live),
            *stream.routes(),
        ],
        middleware=[
            Middleware(SecurityHeaders),
            Middleware(Prepared),
            Middleware(Marked, live=live),
            Middleware(Prefix, prefix=front.prefix),
            Middleware(Landing, guard=guard, prefix=front.prefix),
            Middleware(Door, guard=guard, prefix=front.prefix),
        ],
        exception_handlers=_refusals(front),
    )
    app.router.default = _rest(front, links, public=access.public_status)
    return Site(app, tally, stream)


class _Later:
    """Addresses whose module is loaded, in a thread, when the first of them is asked."""

    def __init__(
        self, module: str, routes: Callable[[ModuleType], list[BaseRoute]], front: Front
    ) -> None:
        self._module = module
        self._routes = routes
        self._front = front
        self._app: ASGIApp | None = None
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._app or await self._loaded()
        await app(scope, receive, send)

    async def _loaded(self) -> ASGIApp:
        async with self._one:
            if self._app is None:
                module = await asyncio.to_thread(import_module, self._module)
                self._app = Starlette(
                    routes=self._routes(module), exception_handlers=_refusals(self._front)
                )
            return self._app


def _rest(front: Front, links: Links, *, public: bool) -> ASGIApp:
    """Return every address that people and their programs ask, and what Prometheus sends to.

    A daemon at which nobody looks does without the memory that they take, and one to which only
    alerts are sent without that of the pages.
    """
    alertmanager = _Later(
        "stewardmon.web.alertmanager",
        lambda module: list(module.routes(front.live, front.guard)),
        front,
    )
    others = _Later(
        "stewardmon.web.addresses",
        lambda module: list(module.routes(front, links, public=public)),
        front,
    )

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        part = alertmanager if scope["path"].startswith("/api/v2/") else others
        await part(scope, receive, send)

    return asked


def _refusals(front: Front) -> Mapping[Any, Callable[[Request, Exception], Awaitable[Response]]]:
    """Return how errors are told: browsers read a page, programs one sentence as JSON."""

    def told(request: Request, text: str, status: int, headers: dict[str, str]) -> Response:
        if not reads_pages(request):
            body = {"status": "error", "error": text}
            return JSONResponse(body, status_code=status, headers=headers)
        title = "There is nothing here" if status == 404 else "That did not work"
        answer = front.message(request, title=title, text=text, status=status)
        answer.headers.update(headers)
        return answer

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)  # noqa: S101 - registered for it alone
        return told(request, str(error), error.status, {})

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
        text = {404: "There is no such address.", 405: "This address takes another method."}
        said = text.get(error.status_code, error.detail)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = allowed(request)
        return told(request, said, error.status_code, headers)

    async def bug(request: Request, _error: Exception) -> Response:
        return told(request, "stewardmon made a mistake; it has been logged.", 500, {})

    return {RequestError: refused, HTTPException: http, Exception: bug}


def allowed(request: Request) -> str:
    """Return every method that the address takes, over all of its routes."""
    found: set[str] = set()
    for route in request.app.routes:
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return ", ".join(sorted(found))
