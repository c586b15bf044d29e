"""The simulated app: Steward's Next.js routes behind Vercel's edge."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from stewardmon.demo.agent import Agent
from stewardmon.demo.edge import Edge
from stewardmon.demo.health import Health
from stewardmon.demo.metrics_api import Monitoring
from stewardmon.demo.pages import Pages
from stewardmon.demo.parts import Parts


def build_app(parts: Parts) -> Edge:
    """Return the app as ASGI."""
    pages = Pages(parts)
    parties = (Health(parts, pages), Agent(parts, pages), Monitoring(parts, pages), pages)
    app = Starlette(
        routes=[route for party in parties for route in party.routes()],
        exception_handlers={HTTPException: pages.http_error, Exception: pages.crash},
    )
    return Edge(app, parts, pages)
