"""The site: every address that people and programs ask, put together."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute

from stewardmon.engine.live import Live
from stewardmon.settings import Secret
from stewardmon.web import acknowledge, exposition, health, incidents, pages
from stewardmon.web.guard import Guard, RequestError, SecurityHeaders, refused
from stewardmon.web.links import Links


def build(live: Live, *, links: Links, token: Secret | None) -> Starlette:
    """Return the application over one live daemon."""
    guard = Guard(token)
    routes: Sequence[BaseRoute] = (
        *health.routes(live, guard),
        *exposition.routes(live),
        *incidents.routes(live, guard),
        *acknowledge.routes(live, links),
        *pages.routes(live),
    )
    return Starlette(
        routes=list(routes),
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={RequestError: refused},
    )
