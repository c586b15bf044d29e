"""The simulated Supabase: sign-in, REST over the real tables with row level security, storage."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import Database, connect
from stewardmon.demo.faults import Faults
from stewardmon.demo.identity import Identity

_PAGE: Final = 100
_DOWN: Final = {
    "/auth/": Fault.SUPABASE_AUTH_DOWN,
    "/rest/": Fault.SUPABASE_REST_DOWN,
    "/storage/": Fault.SUPABASE_STORAGE_DOWN,
}


class Supabase:
    """Kong in front of GoTrue, PostgREST and storage: no API key, no answer."""

    def __init__(
        self,
        faults: Faults,
        identity: Identity,
        database: Database,
        now: Callable[[], datetime],
    ) -> None:
        self._faults = faults
        self._identity = identity
        self._database = database
        self._now = now
        self.app: ASGIApp = Starlette(
            routes=[
                Route("/auth/v1/health", self._auth_health),
                Route("/auth/v1/token", self._token, methods=["POST"]),
                Route("/auth/v1/user", self._user),
                Route("/rest/v1/", self._rest_root),
                Route("/rest/v1/{table}", self._table),
                Route("/storage/v1/status", self._storage_status),
                Route("/storage/v1/health", self._storage_status),
                Route("/storage/v1/bucket", self._buckets),
                Route("/v1/projects/{ref}/database/backups", self._backups),
            ]
        )
        self.app = _Kong(self.app, faults, identity)

    async def _auth_health(self, _: Request) -> Response:
        return JSONResponse(
            {"version": "v2.180.0", "name": "GoTrue", "description": "simulated GoTrue"}
        )

    async def _token(self, request: Request) -> Response:
        try:
            body: Any = await request.json()
        except ValueError:
            return _auth_error(400, "bad_json", "Could not parse request body as JSON")
        if not isinstance(body, dict):
            return _auth_error(400, "bad_json", "Could not parse request body as JSON")
        match request.query_params.get("grant_type"):
            case "password":
                user = self._identity.user_with("email", body.get("email"))
                if user is None or user.password != body.get("password"):
                    return _auth_error(400, "invalid_credentials", "Invalid login credentials")
            case "refresh_token":
                claims = self._identity.claims(str(body.get("refresh_token")))
                user = self._identity.user_with("id", claims.get("sub"))
                if user is None:
                    return _auth_error(400, "refresh_token_not_found", "Invalid Refresh Token")
            case _:
                return _auth_error(400, "validation_failed", "unsupported_grant_type")
        return JSONResponse(self._identity.session(user, now=self._now()))

    async def _user(self, request: Request) -> Response:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        user = self._identity.user_of_token(token, now=self._now())
        if user is None:
            return _auth_error(403, "bad_jwt", "invalid JWT")
        return JSONResponse({"id": user.id, "email": user.email, "role": "authenticated"})

    async def _rest_root(self, _: Request) -> Response:
        return JSONResponse({"swagger": "2.0", "info": {"title": "PostgREST API"}})

    async def _table(self, request: Request) -> Response:
        """Select as the key's role: what it sees is up to PostgreSQL's policies."""
        role = self._identity.claims(_key(request))["role"]
        table = sql.Identifier(request.path_params["table"])
        try:
            total, rows = await self._select(role, table)
        except psycopg.errors.UndefinedTable:
            name = request.path_params["table"]
            message = f"Could not find the table 'public.{name}' in the schema cache"
            return _rest_error(404, "PGRST205", message)
        except psycopg.errors.InsufficientPrivilege as error:
            return _rest_error(401, "42501", str(error.diag.message_primary))
        except psycopg.Error:
            return _rest_error(503, "PGRST001", "Database client error. Retrying the connection.")
        shown = f"0-{len(rows) - 1}" if rows else "*"
        counted = "count=exact" in request.headers.get("prefer", "")
        return JSONResponse(
            rows,
            status_code=206 if counted and total > len(rows) else 200,
            headers={"content-range": f"{shown}/{total if counted else '*'}"},
        )

    async def _select(self, role: str, table: sql.Identifier) -> tuple[int, list[dict[str, Any]]]:
        async with (
            await connect(self._database.supabase_url) as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
            await cursor.execute(sql.SQL("SELECT count(*) AS total FROM {}").format(table))
            counted = await cursor.fetchone() or {"total": 0}
            rows = sql.SQL("SELECT to_jsonb(t) AS body FROM {} t LIMIT {}")
            await cursor.execute(rows.format(table, _PAGE))
            return counted["total"], [row["body"] for row in await cursor.fetchall()]

    async def _storage_status(self, _: Request) -> Response:
        return JSONResponse({"healthy": True})

    async def _buckets(self, _: Request) -> Response:
        return JSONResponse([{"id": "receipt-images", "name": "receipt-images", "public": False}])

    async def _backups(self, request: Request) -> Response:
        """Answer as Supabase's management API: seven daily backups, the newest first."""
        token = f"Bearer {self._identity.supabase_access_token}"
        if request.headers.get("authorization") != token:
            return JSONResponse({"message": "Unauthorized"}, status_code=401)
        stale = Fault.BACKUP_STALE in self._faults
        age = self._faults.number(Fault.BACKUP_STALE, "hours") if stale else 5.0
        newest = self._now() - timedelta(hours=age)
        backups = [
            {
                "is_physical_backup": True,
                "status": "COMPLETED",
                "inserted_at": (newest - timedelta(days=day)).isoformat(),
            }
            for day in range(7)
        ]
        body = {"region": "eu-central-1", "walg_enabled": True, "pitr_enabled": False}
        return JSONResponse({**body, "backups": backups})


class _Kong:
    """The gateway: faults by service first, then the key."""

    def __init__(self, app: ASGIApp, faults: Faults, identity: Identity) -> None:
        self._app = app
        self._faults = faults
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        app = self._refusal(Request(scope)) or self._app
        await app(scope, receive, send)

    def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        if any(path.startswith(p) and fault in self._faults for p, fault in _DOWN.items()):
            message = "name resolution failed"
            return JSONResponse({"message": message}, status_code=503)
        if path.startswith("/v1/"):  # the management API has its own host and its own token
            return None
        if not _key(request):
            message = "No API key found in request"
            return JSONResponse({"message": message}, status_code=401)
        if "role" not in self._identity.claims(_key(request)):
            return JSONResponse({"message": "Invalid API key"}, status_code=401)
        return None


def _key(request: Request) -> str:
    return request.headers.get("apikey", "") or request.query_params.get("apikey", "")


def _auth_error(status: int, code: str, message: str) -> Response:
    return JSONResponse({"code": status, "error_code": code, "msg": message}, status_code=status)


def _rest_error(status: int, code: str, message: str) -> Response:
    body = {"code": code, "details": None, "hint": None, "message": message}
    return JSONResponse(body, status_code=status)
