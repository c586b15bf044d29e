"""Every address that people and their programs ask.

What machines ask all the time is in `site`, Alertmanager's interface in `alertmanager`.
"""

from __future__ import annotations

from starlette.routing import BaseRoute

from stewardmon.web import (
    acknowledge,
    api,
    deploys,
    duty,
    incidents,
    openapi,
    pages,
    prometheus,
    why,
)
from stewardmon.web import (
    public as public_status,
)
from stewardmon.web.front import Front
from stewardmon.web.links import Links


def routes(front: Front, links: Links, *, public: bool) -> list[BaseRoute]:
    """Return the addresses; `public` says whether there is a status page for everybody."""
    live, guard = front.live, front.guard
    return [
        *why.routes(live),
        *incidents.routes(live, guard),
        *api.routes(live, guard),
        *deploys.routes(live, guard),
        *prometheus.routes(live),
        *duty.routes(live, guard),
        *acknowledge.routes(front, links),
        *public_status.routes(front, shown=public),
        *openapi.routes(),
        *pages.routes(front),
    ]
