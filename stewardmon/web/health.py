"""Life, readiness and reload."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from stewardmon.engine.live import Live
from stewardmon.web.guard import Guard


def routes(live: Live, guard: Guard) -> list[Route]:
    """Return the addresses that supervisors and operators ask."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        ready, why = live.ready()
        body = {
            "ready": ready,
            "detail": why,
            "config_error": live.config_error,
            "loops": {name: at.isoformat() for name, at in live.supervisor.last.items()},
        }
        return JSONResponse(body, status_code=200 if ready else 503)

    async def reload(request: Request) -> Response:
        guard.check(request)
        wrong = await live.reload()
        if wrong:
            return PlainTextResponse(f"{wrong}\n", status_code=422)
        return PlainTextResponse("reloaded\n")

    return [
        Route("/healthz", healthz),
        Route("/-/healthy", healthz),
        Route("/readyz", readyz),
        Route("/-/ready", readyz),
        Route("/-/reload", reload, methods=["POST", "PUT"]),
    ]
