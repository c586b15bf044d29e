"""The simulated AI vendor: models, completions, responses, embeddings, costs, and its faults."""

from __future__ import annotations

import math
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.faults import Faults
from stewardmon.demo.identity import Identity
from stewardmon.demo.noise import Noise
from stewardmon.demo.openai_shapes import (
    WORDS,
    chat_chunks,
    chat_head,
    response,
    response_events,
    usage,
    vector,
)
from stewardmon.demo.streams import CUT, Stream

MODEL: Final = "gpt-4o-mini"
EMBEDDING_MODEL: Final = "text-embedding-3-small"
MODELS: Final = (MODEL, "gpt-4o", "gpt-4.1-mini", EMBEDDING_MODEL)
_REQUESTS_PER_MINUTE: Final = 5000
_TOKENS_PER_MINUTE: Final = 200_000

Answer = Callable[[Request], Awaitable[Response]]


class OpenAI:
    """The vendor's API under /v1, for one platform's keys."""

    def __init__(
        self,
        faults: Faults,
        identity: Identity,
        now: Callable[[], datetime],
        noise: Noise | None = None,
    ) -> None:
        self._faults = faults
        self._identity = identity
        self._now = now
        self._noise = noise
        self.calls = 0
        self.app = Starlette(
            routes=[
                Route("/v1/models", self._guarded(self._models)),
                Route("/v1/models/{model}", self._guarded(self._model)),
                Route("/v1/chat/completions", self._guarded(self._chat), methods=["POST"]),
                Route("/v1/responses", self._guarded(self._responses), methods=["POST"]),
                Route("/v1/embeddings", self._guarded(self._embeddings), methods=["POST"]),
                Route("/v1/organization/costs", self._costs),
                Route("/{path:path}", _unknown, methods=["GET", "POST"]),
            ]
        )

    def _guarded(self, answer: Answer) -> Answer:
        """Check the key and the faults that strike every endpoint, then answer."""

        async def guarded(request: Request) -> Response:
            self.calls += 1
            if Fault.OPENAI_TIMEOUT in self._faults:
                await self._faults.hold(Fault.OPENAI_TIMEOUT)
            if self._noise and self._noise.slow():
                await self._faults.pause(self._noise.slow_seconds)
            response = self._refusal(request) or await answer(request)
            if Fault.OPENAI_MISSING_HEADERS not in self._faults:
                response.headers.update(self._headers())
            return response

        return guarded

    def _refusal(self, request: Request) -> Response | None:
        faults = self._faults
        if not _bearer(request):
            return _error(401, "You didn't provide an API key.", "invalid_request_error", None)
        if Fault.OPENAI_KEY in faults or _bearer(request) != self._identity.openai_key:
            shown = f"{_bearer(request)[:7]}***"
            message = f"Incorrect API key provided: {shown}."
            return _error(401, message, "invalid_request_error", "invalid_api_key")
        if Fault.OPENAI_QUOTA in faults:
            message = "You exceeded your current quota, please check your plan and billing details."
            return _error(429, message, "insufficient_quota", "insufficient_quota")
        if Fault.OPENAI_RATE in faults:
            wait = math.ceil(faults.number(Fault.OPENAI_RATE, "seconds"))
            message = f"Rate limit reached for requests. Please try again in {wait}s."
            headers = {"retry-after": str(wait), "retry-after-ms": str(wait * 1000)}
            return _error(429, message, "requests", "rate_limit_exceeded", headers=headers)
        return self._failure()

    def _failure(self) -> Response | None:
        """Return the vendor's own trouble, if there is any."""
        faults = self._faults
        noise = self._noise is not None and self._noise.failed()
        if faults.strikes(Fault.OPENAI_PROVIDER) or noise:
            message = "The server had an error while processing your request. Sorry about that!"
            return _error(500, message, "server_error", None)
        if faults.strikes(Fault.OPENAI_UNAVAILABLE):
            message = "The engine is currently overloaded, please try again later."
            return _error(503, message, "server_error", None)
        return None

    async def _models(self, _: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._entry(m) for m in self._offered()]})

    async def _model(self, request: Request) -> Response:
        model = request.path_params["model"]
        if model not in self._offered():
            return _no_model(model)
        return JSONResponse(self._entry(model))

    def _offered(self) -> tuple[str, ...]:
        missing = Fault.OPENAI_MODEL_MISSING in self._faults
        retired = (
            Fault.OPENAI_RETIRED_MODEL in self._faults
            and self._faults.number(Fault.OPENAI_RETIRED_MODEL, "days") == 0
        )
        return tuple(m for m in MODELS if m != MODEL or not (missing or retired))

    def _entry(self, model: str) -> dict[str, Any]:
        entry = {"id": model, "object": "model", "created": 1721172741, "owned_by": "system"}
        if model == MODEL and Fault.OPENAI_RETIRED_MODEL in self._faults:
            days = self._faults.number(Fault.OPENAI_RETIRED_MODEL, "days")
            return {**entry, "shutdown_date": f"{self._now() + timedelta(days=days):%Y-%m-%d}"}
        return entry

    async def _chat(self, request: Request) -> Response:
        body, refusal = await self._asked(request, "messages")
        if refusal:
            return refusal
        spent = usage(body["messages"])
        if body.get("stream"):
            options = body.get("stream_options") or {}
            chunks = chat_chunks(body["model"], spent if options.get("include_usage") else None)
            return Stream(self._streamed(chunks), media_type="text/event-stream")
        await self._faults.linger(Fault.OPENAI_SLOW_FIRST_TOKEN)
        message = {"role": "assistant", "content": "".join(WORDS)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return JSONResponse(
            {**chat_head("chat.completion", body["model"]), "choices": [choice], "usage": spent}
        )

    async def _responses(self, request: Request) -> Response:
        body, refusal = await self._asked(request, "input")
        if refusal:
            return refusal
        done = response(body["model"], usage(body["input"]))
        if body.get("stream"):
            return Stream(self._streamed(response_events(done)), media_type="text/event-stream")
        await self._faults.linger(Fault.OPENAI_SLOW_FIRST_TOKEN)
        return JSONResponse(done)

    async def _embeddings(self, request: Request) -> Response:
        body, refusal = await self._asked(request, "input")
        if refusal:
            return refusal
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vectors = [
            {"object": "embedding", "index": n, "embedding": vector(str(text))}
            for n, text in enumerate(inputs)
        ]
        tokens = usage(body["input"])["prompt_tokens"]
        spent = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse(
            {"object": "list", "data": vectors, "model": body["model"], "usage": spent}
        )

    async def _asked(self, request: Request, needed: str) -> tuple[dict[str, Any], Response | None]:
        """Return the body, and the vendor's refusal where there is something wrong with it."""
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict) or needed not in body or "model" not in body:
            message = f"Missing required parameter: '{needed}'."
            return {}, _error(400, message, "invalid_request_error", "missing_required_parameter")
        if Fault.OPENAI_BAD_REQUEST in self._faults:
            message = "Unsupported parameter: 'max_tokens' is not supported with this model."
            return {}, _error(400, message, "invalid_request_error", "unsupported_parameter")
        if body["model"] not in self._offered():
            return {}, _no_model(str(body["model"]))
        return body, None

    async def _streamed(self, chunks: list[str]) -> AsyncIterator[str | bytes]:
        faults = self._faults
        await faults.linger(Fault.OPENAI_SLOW_FIRST_TOKEN)
        for number, chunk in enumerate(chunks):
            # Chunk 0 is the role: a stream that stalls or breaks has said two words by then.
            if number == 3 and Fault.OPENAI_STALLED_STREAM in faults:
                await faults.hold(Fault.OPENAI_STALLED_STREAM)
            if number == 3 and Fault.OPENAI_BROKEN_STREAM in faults:
                yield CUT
            yield chunk

    def _headers(self) -> dict[str, str]:
        low = Fault.OPENAI_LOW_HEADROOM in self._faults
        left = self._faults.number(Fault.OPENAI_LOW_HEADROOM, "share") if low else 0.999
        return {
            "openai-organization": "steward-simulated",
            "openai-processing-ms": "12",
            "openai-version": "2020-10-01",
            "x-request-id": f"req_{secrets.token_hex(16)}",
            "x-ratelimit-limit-requests": str(_REQUESTS_PER_MINUTE),
            "x-ratelimit-limit-tokens": str(_TOKENS_PER_MINUTE),
            "x-ratelimit-remaining-requests": str(int(_REQUESTS_PER_MINUTE * left)),
            "x-ratelimit-remaining-tokens": str(int(_TOKENS_PER_MINUTE * left)),
            "x-ratelimit-reset-requests": "12ms",
            "x-ratelimit-reset-tokens": "6m0s" if low else "1s",
        }

    async def _costs(self, request: Request) -> Response:
        """Daily buckets of US dollars; only the admin key may see them."""
        if _bearer(request) != self._identity.openai_admin_key:
            message = "You have insufficient permissions for this operation."
            return _error(403, message, "invalid_request_error", "missing_scope")
        try:
            start = int(request.query_params.get("start_time", "0"))
        except ValueError:
            return _error(400, "start_time must be Unix seconds.", "invalid_request_error", None)
        today = int(self._now().timestamp()) // 86400 * 86400
        first = max(start // 86400 * 86400, today - 30 * 86400)
        buckets = [self._cost(day, today) for day in range(first, today + 1, 86400)]
        return JSONResponse(
            {"object": "page", "data": buckets, "has_more": False, "next_page": None}
        )

    def _cost(self, day: int, today: int) -> dict[str, Any]:
        spike = day == today and Fault.OPENAI_COST_SPIKE in self._faults
        factor = self._faults.number(Fault.OPENAI_COST_SPIKE, "factor") if spike else 1.0
        value = round((2.0 + day // 86400 % 7 * 0.1) * factor, 4)
        result = {
            "object": "organization.costs.result",
            "amount": {"value": value, "currency": "usd"},
            "line_item": None,
            "project_id": None,
        }
        return {
            "object": "bucket",
            "start_time": day,
            "end_time": day + 86400,
            "results": [result],
        }


def _bearer(request: Request) -> str:
    return request.headers.get("authorization", "").removeprefix("Bearer").strip()


def _error(
    status: int,
    message: str,
    kind: str,
    code: str | None,
    *,
    headers: Mapping[str, str] | None = None,
) -> Response:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return JSONResponse({"error": error}, status_code=status, headers=headers)


def _no_model(model: str) -> Response:
    message = f"The model `{model}` does not exist or you do not have access to it."
    return _error(404, message, "invalid_request_error", "model_not_found")


async def _unknown(request: Request) -> Response:
    message = f"Invalid URL ({request.method} {request.url.path})"
    return _error(404, message, "invalid_request_error", None)
