"""Faults over HTTP while the platform runs: for people, scripts and other processes."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stewardmon.demo.catalogue import list_faults
from stewardmon.demo.faults import Faults
from stewardmon.errors import UsageError


class Control:
    """GET /faults; POST and DELETE /faults/{name}; DELETE /faults; POST /deploy."""

    def __init__(
        self, faults: Faults, *, deploy: Callable[[str], None], about: Callable[[], dict[str, Any]]
    ) -> None:
        self._faults = faults
        self._deploy = deploy
        self._about = about
        self.app: ASGIApp = _LoopbackOnly(
            Starlette(
                routes=[
                    Route("/", self._home),
                    Route("/faults", self._list, methods=["GET"]),
                    Route("/faults", self._clear, methods=["DELETE"]),
                    Route("/faults/{name}", self._on, methods=["POST"]),
                    Route("/faults/{name}", self._off, methods=["DELETE"]),
                    Route("/deploy", self._deployed, methods=["POST"]),
                ]
            )
        )

    async def _home(self, _: Request) -> Response:
        return JSONResponse(self._about())

    async def _list(self, _: Request) -> Response:
        active = self._faults.active()
        return JSONResponse(
            [
                {
                    "name": spec.name,
                    "area": spec.area,
                    "about": spec.about,
                    "numbers": dict(active.get(spec.name, spec.defaults)),
                    "active": spec.name in active,
                }
                for spec in list_faults()
            ]
        )

    async def _on(self, request: Request) -> Response:
        try:
            numbers = await _json_object(request)
            await self._faults.on(request.path_params["name"], **numbers)
        except UsageError as error:
            return _refusal(error)
        return await self._list(request)

    async def _off(self, request: Request) -> Response:
        try:
            await self._faults.off(request.path_params["name"])
        except UsageError as error:
            return _refusal(error)
        return await self._list(request)

    async def _clear(self, request: Request) -> Response:
        await self._faults.clear()
        return await self._list(request)

    async def _deployed(self, request: Request) -> Response:
        try:
            version = (await _json_object(request)).get("version")
        except UsageError as error:
            return _refusal(error)
        if not isinstance(version, str) or not version:
            return _refusal(UsageError('the body must be {"version": "…"}'))
        self._deploy(version)
        return JSONResponse({"version": version})


class _LoopbackOnly:
    """Refuse whoever is not on this machine, and pages that were lured here by a DNS name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        app = self._app
        if not (_loopback(request.client.host if request.client else "") and _local_name(request)):
            app = JSONResponse({"error": "this address answers loopback only"}, status_code=403)
        await app(scope, receive, send)


def _local_name(request: Request) -> bool:
    name = request.url.hostname or ""
    return name == "localhost" or _loopback(name)


def _loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


async def _json_object(request: Request) -> dict[str, Any]:
    if not await request.body():
        return {}
    try:
        body = await request.json()
    except ValueError:
        raise UsageError("the body is not JSON") from None
    if not isinstance(body, dict):
        raise UsageError("the body must be a JSON object")
    return body


def _refusal(error: UsageError) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)
