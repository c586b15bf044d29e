"""`/api/deploys`: pipelines tell that another version went live, or traffic was switched."""

from __future__ import annotations

import re
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.engine.deploys import Deploy
from stewardmon.engine.live import Live
from stewardmon.web.guard import Guard, RequestError, json_body, text_field

VERSION: Final = re.compile(r"[\w.+@-]{1,80}", re.ASCII)
FIELDS: Final = frozenset({"version", "by", "note"})


def routes(live: Live, guard: Guard) -> list[Route]:
    """Return the addresses of deploys."""

    async def listed(_request: Request) -> Response:
        found = [deploy_json(one) for one in reversed(live.deploys.listed())]
        return JSONResponse({"deploys": found})

    async def mark(request: Request) -> Response:
        guard.check(request)
        body = await json_body(request, known=FIELDS)
        version = text_field(body, "version", limit=1000)
        if not VERSION.fullmatch(version):
            raise RequestError("version is one word of letters, digits, dots and dashes")
        made = await live.deploys.mark(
            version,
            by=text_field(body, "by", limit=100) or "somebody",
            note=text_field(body, "note"),
            now=live.clock.now(),
        )
        return JSONResponse(deploy_json(made), status_code=201)

    return [
        Route("/api/deploys", listed, methods=["GET"]),
        Route("/api/deploys", mark, methods=["POST"]),
    ]


def deploy_json(one: Deploy) -> dict[str, Any]:
    """Return a deploy as JSON shows it."""
    return {
        "id": one.id,
        "version": one.version,
        "at": one.at.isoformat(),
        "by": one.by,
        "note": one.note,
    }
