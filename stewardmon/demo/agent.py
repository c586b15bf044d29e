"""POST /api/agent/query: the question a user asks, answered whole or as a stream of lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.types.json import Jsonb
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from stewardmon.demo.ai_client import AiError
from stewardmon.demo.answers import Answer, Cache, ask, understand
from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import connect
from stewardmon.demo.identity import User
from stewardmon.demo.limits import PER_USER_WINDOW, Window
from stewardmon.demo.pages import PRIVATE, Pages
from stewardmon.demo.parts import Parts
from stewardmon.demo.streams import CUT, Stream

_LONGEST_QUERY: Final = 1000
_BETWEEN_LINES: Final = 0.03
_SORRY: Final = "I encountered an error while processing your request. Please try again."
_LOG: Final = (
    'INSERT INTO agent_logs ("userId", query, "responseTime", success, error, "functionsUsed",'
    " cached, metadata, timestamp) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


class AgentError(Exception):
    """The agent failed; the text is what its 200 answer holds as `error`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What a valid request asks."""

    text: str
    streaming: bool


class Agent:
    """Refuses with 401, then 429, then 400; fails inside a 200; answers with real sums."""

    def __init__(self, parts: Parts, pages: Pages) -> None:
        self._faults = parts.faults
        self._identity = parts.identity
        self._database = parts.database
        self._ai = parts.ai
        self._pages = pages
        self._limits = parts.limits
        self._now = parts.now
        self._window = Window(PER_USER_WINDOW, parts.now, parts.faults)
        self._cache = Cache(parts.faults, parts.now, parts.cache_ttl)

    def routes(self) -> list[Route]:
        """Return the one route."""
        return [Route("/api/agent/query", self._query, methods=["GET", "POST"])]

    async def _query(self, request: Request) -> Response:
        user = self._user(request)
        if request.method != "POST":
            return self._pages.error(400, "Use POST with a query")
        if user is None:
            return self._pages.error(401, "Unauthorized")
        headers: dict[str, str] = dict(PRIVATE)
        if self._limits.per_user is not None:
            allowance = self._window.take(user.id, self._limits.per_user)
            wrong = Fault.RATE_LIMIT_MISMATCH in self._faults
            headers.update(allowance.headers(wrong=wrong))
            if not allowance.allowed:
                refusal = self._pages.error(429, "Too many AI queries, please wait", retryAfter=60)
                refusal.headers.update(headers)
                return refusal
        query = await self._validated(request)
        if isinstance(query, Response):
            return query
        if Fault.AGENT_GATEWAY_TIMEOUT in self._faults:
            return _gateway_timeout()
        response = self._stream(user, query) if query.streaming else await self._whole(user, query)
        response.headers.update(headers)
        return response

    def _user(self, request: Request) -> User | None:
        user = self._identity.user_of_cookies(request.cookies, now=self._now())
        if user is None and Fault.SECURITY_AUTH_BYPASS in self._faults:
            return self._identity.users[0]
        return user

    async def _validated(self, request: Request) -> Query | Response:
        loose = Fault.AGENT_UNVALIDATED_INPUT in self._faults
        try:
            body: Any = await request.json()
        except ValueError:
            status, word = (500, "Internal server error") if loose else (400, "Malformed JSON")
            return self._pages.error(status, word)
        text = body.get("query") if isinstance(body, dict) else None
        if not loose and not (isinstance(text, str) and 0 < len(text) <= _LONGEST_QUERY):
            return self._pages.error(400, "query must be a string of 1 to 1000 characters")
        wants_stream = isinstance(body, dict) and body.get("streaming", body.get("stream")) is True
        return Query(text=str(text), streaming=wants_stream)

    async def _whole(self, user: User, query: Query) -> Response:
        started = self._elapsed()
        try:
            answer = await self._answer(user, query)
        except AgentError as error:
            took = self._elapsed() - started
            await self._log(user, query, took, error=str(error))
            return JSONResponse({"message": _SORRY, "error": str(error), **self._times(took)})
        took = self._elapsed() - started
        await self._log(user, query, took, answer=answer)
        return JSONResponse({**_described(answer), **self._times(took)})

    def _stream(self, user: User, query: Query) -> Response:
        return Stream(
            self._lines(user, query),
            media_type="text/plain; charset=utf-8",
            headers={"x-streaming": "true"},
        )

    async def _lines(self, user: User, query: Query) -> AsyncIterator[str | bytes]:
        faults = self._faults
        if Fault.AGENT_BARE_COMPLETE in faults:
            yield _line("complete")
            return
        lines = self._steps(user, query)
        if Fault.AGENT_BUFFERED_STREAM in faults:
            yield "".join([line async for line in lines])
            return
        async for line in lines:
            if '"summary"' in line and Fault.AGENT_TRUNCATED_STREAM in faults:
                yield line[: len(line) // 2]
                yield CUT
            yield line

    async def _steps(self, user: User, query: Query) -> AsyncIterator[str]:
        started = self._elapsed()
        yield _line("start", message="Thinking")
        await self._faults.pause(_BETWEEN_LINES)
        try:
            yield _line("function_call", name="getSpending")
            answer = await self._answer(user, query)
        except AgentError as error:
            took = self._elapsed() - started
            await self._log(user, query, took, error=str(error))
            yield _line("error", error=str(error), message=_SORRY)
            return
        yield _line("data_processing", receipts=answer.count)
        await self._faults.pause(_BETWEEN_LINES)
        yield _line("summary", message=answer.message)
        took = self._elapsed() - started
        await self._log(user, query, took, answer=answer)
        yield _line("complete", **_described(answer), **self._times(took))

    async def _answer(self, user: User, query: Query) -> Answer:
        """Ask the cache, then the vendor and the database; raise AgentError."""
        if self._faults.strikes(Fault.AGENT_200_WITH_ERROR):
            raise AgentError("500 server error")
        if cached := self._cache.get(user, query.text):
            return cached
        try:
            await self._ai.complete(query.text)
            answer = await ask(self._database, user, understand(query.text, now=self._now()))
        except (AiError, psycopg.Error) as error:
            raise AgentError(str(error).splitlines()[0]) from error
        if Fault.AGENT_WRONG_AMOUNT in self._faults:
            answer = replace(answer, amount=answer.amount * Decimal("1.1") + 1)
        self._cache.put(user, query.text, answer)
        return answer

    async def _log(
        self,
        user: User,
        query: Query,
        took: float,
        *,
        answer: Answer | None = None,
        error: str | None = None,
    ) -> None:
        """Write the agent's log; as in the app, a log that cannot be written stops nothing."""
        cached = answer is not None and answer.cached
        functions = [] if answer is None or cached else ["getSpending"]
        at = self._now().replace(tzinfo=None)
        metadata = Jsonb({"streaming": query.streaming})
        row = (user.id, query.text, round(took * 1000), error is None, error, functions)
        with suppress(psycopg.Error):
            async with await connect(self._database.url) as connection:
                await connection.execute(_LOG, (*row, cached, metadata, at))

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time()

    def _times(self, took: float) -> dict[str, object]:
        return {"executionTime": round(took * 1000), "timestamp": self._now().isoformat()}


def _described(answer: Answer) -> dict[str, object]:
    return {
        "message": answer.message,
        "data": answer.body(),
        "insights": [],
        "cached": answer.cached,
        "functionsUsed": [] if answer.cached else ["getSpending"],
    }


def _line(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields}) + "\n"


def _gateway_timeout() -> Response:
    return PlainTextResponse(
        "An error occurred with your deployment\n\nFUNCTION_INVOCATION_TIMEOUT\n",
        status_code=504,
        headers={"x-vercel-error": "FUNCTION_INVOCATION_TIMEOUT"},
    )
