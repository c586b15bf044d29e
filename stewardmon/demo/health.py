"""The app's health endpoints, in the four shapes that its versions have had."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final, LiteralString

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.demo.ai_client import AiError
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import connect
from stewardmon.demo.pages import Pages
from stewardmon.demo.parts import Parts

_AI_CALLS_PER_MINUTE: Final = 20
_SHAPES: Final = {
    Fault.HEALTH_SHAPE_B: "b",
    Fault.HEALTH_SHAPE_C: "c",
    Fault.HEALTH_SHAPE_D: "d",
}
# What each check found: "" where it is well, else what the app would say.
Findings = tuple[str, str]


class Health:
    """Answers /api/health and its two siblings; the states are found out for real."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._faults = parts.faults
        self._database = parts.database
        self._ai = parts.ai
        self._deployment = parts.deployment
        self._pages = pages
        self._now = parts.now
        self._frozen: datetime | None = None
        self._cached: tuple[datetime, dict[str, Any], int] | None = None
        self._ai_calls: deque[datetime] = deque()
        self._count = 0

    def routes(self) -> list[Route]:
        """Return the three routes."""
        return [
            Route("/api/health", self._overall),
            Route("/api/health/db", self._db),
            Route("/api/health/ai", self._ai_alone),
        ]

    async def _overall(self, request: Request) -> Response:
        if Fault.HEALTH_MISSING in self._faults:
            return self._pages.not_found(request)
        if Fault.HEALTH_CACHED in self._faults:
            # The edge filled its cache before we came: the very first ask is answered from it too.
            made_at, body, status = self._cached or (self._now(), *await self._answer())
            self._cached = made_at, body, status
            age = max(45, int((self._now() - made_at).total_seconds()))
            headers = {"age": str(age), "x-vercel-cache": "HIT", "cache-control": "s-maxage=600"}
            return JSONResponse(body, status_code=status, headers=headers)
        body, status = await self._answer()
        self._cached = (self._now(), body, status)
        return JSONResponse(body, status_code=status, headers={"cache-control": "no-store"})

    async def _answer(self) -> tuple[dict[str, Any], int]:
        shape = next((_SHAPES[f] for f in self._faults.active() if f in _SHAPES), "a")
        started = asyncio.get_running_loop().time()
        lies = Fault.HEALTH_LIES in self._faults
        findings = ("", "") if lies else await self._findings(shape)
        took = round((asyncio.get_running_loop().time() - started) * 1000)
        match shape:
            case "b":
                return self._shape_b(findings, took)
            case "c":
                return self._shape_b(("", ""), took)
            case "d":
                return self._shape_d(findings)
            case _:
                return self._shape_a(findings)

    async def _findings(self, shape: str) -> Findings:
        statement = "SELECT count(*) FROM receipts" if shape == "d" else "SELECT 1"
        database = await _finding(self._ask_database(statement))
        if database and shape == "a":
            return database, ""  # the guide's handler gives up at the first thing that throws
        if shape == "d":
            return database, await self._ask_ai_within_limit()
        return database, await _finding(self._ai.list_models())

    def _shape_a(self, findings: Findings) -> tuple[dict[str, Any], int]:
        if error := findings[0] or findings[1]:
            return {"status": "unhealthy", "error": error}, 503
        services = {"database": "healthy", "openai": "healthy", "cache": "healthy"}
        return {"status": "healthy", "timestamp": self._timestamp(), "services": services}, 200

    def _shape_b(self, findings: Findings, took: int) -> tuple[dict[str, Any], int]:
        database, openai = (_state(finding) for finding in findings)
        bad = sum(map(bool, findings))
        status = ("healthy", "degraded", "unhealthy")[bad]
        body = {
            "status": status,
            "timestamp": self._timestamp(),
            "responseTime": f"{took}ms",
            "version": self._deployment.version,
            "environment": "production",
            "services": {"database": database, "openai": openai, "cache": "unknown"},
        }
        return body, 503 if bad else 200

    def _shape_d(self, findings: Findings) -> tuple[dict[str, Any], int]:
        database, ai = findings
        states = {"database": _state(database), "storage": "healthy", "ocr": "healthy"}
        services = {**states, "ai": _state(ai)}
        body = {
            "status": "degraded" if database or ai else "healthy",
            "timestamp": self._timestamp(),
            "version": self._deployment.version,
            "services": services,
            "details": {
                "database": database or f"Connected successfully. Receipt count: {self._count}",
                "storage": "Bucket reachable",
                "ocr": "Configured",
                "ai": ai or "Model answered",
            },
        }
        return body, 200

    async def _ask_database(self, statement: LiteralString) -> None:
        async with await connect(self._database.url) as connection:
            cursor = await connection.execute(statement)
            row = await cursor.fetchone()
            self._count = row[0] if row else 0

    async def _ask_ai_within_limit(self) -> str:
        """Return the finding of a completion; past 20 calls a minute the app refuses itself."""
        at = self._now()
        while self._ai_calls and self._ai_calls[0] <= at - timedelta(minutes=1):
            self._ai_calls.popleft()
        if len(self._ai_calls) >= _AI_CALLS_PER_MINUTE:
            return "AI_RATE_LIMIT"
        self._ai_calls.append(at)
        return await _finding(self._ai.complete("ping"))

    def _timestamp(self) -> str:
        if Fault.HEALTH_FROZEN_TIMESTAMP not in self._faults:
            self._frozen = None
            return _iso(self._now())
        self._frozen = self._frozen or self._now() - timedelta(minutes=10)
        return _iso(self._frozen)

    async def _db(self, request: Request) -> Response:
        return await self._alone(request, "database", lambda: self._ask_database("SELECT 1"))

    async def _ai_alone(self, request: Request) -> Response:
        return await self._alone(request, "openai", self._ai.list_models)

    async def _alone(
        self, request: Request, name: str, ask: Callable[[], Awaitable[None]]
    ) -> Response:
        """Answer for one service; shapes c and d come from versions without these routes."""
        gone = (Fault.HEALTH_MISSING, Fault.HEALTH_SHAPE_C, Fault.HEALTH_SHAPE_D)
        if any(fault in self._faults for fault in gone):
            return self._pages.not_found(request)
        finding = "" if Fault.HEALTH_LIES in self._faults else await _finding(ask())
        body = {"status": _state(finding), "timestamp": self._timestamp(), "service": name}
        return JSONResponse(
            {**body, "error": finding} if finding else body,
            status_code=503 if finding else 200,
            headers={"cache-control": "no-store"},
        )


async def _finding(question: Awaitable[None]) -> str:
    try:
        await question
    except AiError as error:
        return str(error)
    except psycopg.Error as error:
        return str(error).splitlines()[0]
    return ""


def _state(finding: str) -> str:
    return "unhealthy" if finding else "healthy"


def _iso(at: datetime) -> str:
    """Return the time as JavaScript's toISOString writes it."""
    utc = at.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"
