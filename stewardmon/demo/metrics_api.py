"""GET /api/monitoring/agent-metrics, and a user's receipts by id."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import connect
from stewardmon.demo.pages import PRIVATE, Pages
from stewardmon.demo.parts import Parts

_RANGES: Final = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}
_TOTALS: Final = """
    SELECT count(*) AS total, count(*) FILTER (WHERE success) AS successful,
           coalesce(avg("responseTime"), 0)::float8 AS average,
           coalesce(100.0 * count(*) FILTER (WHERE cached) / nullif(count(*), 0), 0)::float8 AS hits
    FROM agent_logs WHERE timestamp > %(since)s"""
_COUNTS: Final = {
    "topQueries": "SELECT query AS name, count(*) AS count FROM agent_logs"
    " WHERE timestamp > %(since)s GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 5",
    "functionUsage": 'SELECT unnest("functionsUsed") AS name, count(*) AS count FROM agent_logs'
    " WHERE timestamp > %(since)s GROUP BY 1",
    "errorBreakdown": "SELECT error AS name, count(*) AS count FROM agent_logs"
    " WHERE timestamp > %(since)s AND error IS NOT NULL GROUP BY 1",
}


class Monitoring:
    """The app's own view of its agent, by SQL over agent_logs; sessions only."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._faults = parts.faults
        self._identity = parts.identity
        self._database = parts.database
        self._pages = pages
        self._now = parts.now

    def routes(self) -> list[Route]:
        """Return the metrics route and the one for a receipt."""
        return [
            Route("/api/monitoring/agent-metrics", self._metrics),
            Route("/api/receipts/{ident}", self._receipt),
        ]

    async def _metrics(self, request: Request) -> Response:
        if refusal := self._refused(request):
            return refusal
        time_range = request.query_params.get("timeRange", "24h")
        if time_range not in _RANGES:
            return self._pages.error(400, "timeRange must be one of " + ", ".join(_RANGES))
        try:
            metrics = await self._measured(self._now() - _RANGES[time_range])
        except psycopg.Error:
            return self._pages.error(500, "Failed to fetch metrics")
        health = {"status": "healthy", "database": "healthy", "cache": "healthy"}
        body = {"metrics": metrics, "health": health, "timeRange": time_range}
        return JSONResponse({**body, "timestamp": self._now().isoformat()}, headers=PRIVATE)

    def _refused(self, request: Request) -> Response | None:
        faults = self._faults
        if Fault.METRICS_404 in faults:
            return self._pages.not_found(request)
        anonymous = self._identity.user_of_cookies(request.cookies, now=self._now()) is None
        open_to_all = Fault.SECURITY_AUTH_BYPASS in faults
        if Fault.METRICS_401 in faults or (anonymous and not open_to_all):
            return self._pages.error(401, "Unauthorized")
        if Fault.METRICS_429 in faults:
            refusal = self._pages.error(429, "Too many requests", retryAfter=60)
            refusal.headers["retry-after"] = "60"
            return refusal
        if Fault.METRICS_500 in faults:
            return self._pages.error(500, "Failed to fetch metrics")
        return None

    async def _measured(self, since: datetime) -> dict[str, Any]:
        parameters = {"since": since.replace(tzinfo=None)}
        async with await connect(self._database.url) as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(_TOTALS, parameters)
            totals = await cursor.fetchone() or {}
            counts: dict[str, dict[str, int]] = {}
            for name, statement in _COUNTS.items():
                await cursor.execute(statement, parameters)
                counts[name] = {row["name"]: row["count"] async for row in cursor}
        top = [{"query": name, "count": count} for name, count in counts["topQueries"].items()]
        return {
            "totalQueries": totals["total"],
            "successfulQueries": totals["successful"],
            "failedQueries": totals["total"] - totals["successful"],
            "averageResponseTime": round(totals["average"], 1),
            "cacheHitRate": round(totals["hits"], 1),
            "topQueries": top,
            "functionUsage": counts["functionUsage"],
            "errorBreakdown": counts["errorBreakdown"],
            "userEngagement": {"activeUsers": len(self._identity.users)},
        }

    async def _receipt(self, request: Request) -> Response:
        """Return one receipt to its owner; to others it does not exist."""
        user = self._identity.user_of_cookies(request.cookies, now=self._now())
        if user is None:
            return self._pages.error(401, "Unauthorized")
        try:
            ident = uuid.UUID(request.path_params["ident"])
            async with await connect(self._database.url) as connection:
                cursor = await connection.execute(
                    'SELECT id, "userId", merchant, total FROM receipts WHERE id = %s', (ident,)
                )
                row = await cursor.fetchone()
        except ValueError:
            return self._pages.error(400, "Not an id")
        except psycopg.Error:
            return self._pages.error(500, "Internal server error")
        everyone = Fault.SECURITY_OBJECT_ACCESS in self._faults
        if row is None or (str(row[1]) != user.id and not everyone):
            return self._pages.error(404, "Receipt not found")
        body = {"id": str(row[0]), "merchant": row[2], "total": float(row[3])}
        return JSONResponse(body, headers=PRIVATE)
