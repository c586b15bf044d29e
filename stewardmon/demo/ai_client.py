"""The app's client of the AI vendor: what the vendor's SDK does, retries included."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import httpx

from stewardmon.demo.openai import MODEL

_RETRIED: Final = frozenset({408, 409, 429})


class AiError(Exception):
    """The vendor did not answer as it should; the text is what the SDK would say."""


class AiClient:
    """Calls with two retries (the SDK's default) and no timeout worth the name.

    The app waits for as long as the vendor takes; that is what was observed of it.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        *,
        pause: Callable[[float], Awaitable[None]],
        backoff: float = 0.25,
        retries: int = 2,
    ) -> None:
        self._base_url = base_url
        self._pause = pause
        self._backoff = backoff
        self._retries = retries
        # No keep-alive: a vendor that went down is noticed by the very next call.
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"},
            limits=httpx.Limits(max_keepalive_connections=0),
            timeout=600,
            trust_env=False,
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # unused: the vendor speaks http
        )

    async def list_models(self) -> None:
        """Ask for the models, as the guide's health check does; raise AiError."""
        await self._call("GET", "/models", None)

    async def complete(self, prompt: str) -> None:
        """Ask for a completion, as the agent and the other health checks do; raise AiError."""
        messages = [{"role": "user", "content": prompt}]
        await self._call("POST", "/chat/completions", {"model": MODEL, "messages": messages})

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def _call(self, method: str, path: str, body: dict[str, Any] | None) -> None:
        for attempt in range(self._retries + 1):
            if attempt:
                await self._pause(self._backoff * 2 ** (attempt - 1))
            error = await self._once(method, path, body)
            if error is None:
                return
            failure, retry = error
            if not retry:
                break
        raise AiError(failure)

    async def _once(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[str, bool] | None:
        """Return what went wrong and whether the SDK would try again; None for success."""
        try:
            response = await self._client.request(method, self._base_url + path, json=body)
        except httpx.HTTPError:
            return "Connection error.", True
        if response.is_success:
            return None
        server_side = response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        retry = server_side or response.status_code in _RETRIED
        return f"{response.status_code} {_message(response)}", retry


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "server error"
