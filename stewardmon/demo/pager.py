"""The demo's pager: a real webhook receiver that prints pages as a person would read them."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from hashlib import sha256
from typing import Any, Final

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon.demo.serving import Listener

SECRET: Final = "demo-pager"  # noqa: S105 - signs messages between two parts of one demo


class Pager:
    """Receives webhooks on loopback, checks their signatures, prints them, and can answer them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._listener = Listener(
            Starlette(routes=[Route("/page", self._receive, methods=["POST"])]), "127.0.0.1"
        )
        self.received: list[dict[str, Any]] = []
        self._links: dict[str, str] = {}
        self._seen: set[str] = set()

    async def open(self) -> None:
        """Start listening."""
        await self._listener.open()

    async def close(self) -> None:
        """Stop listening."""
        await self._listener.close()

    @property
    def url(self) -> str:
        """Where stewardmon sends its webhooks."""
        return f"{self._listener.url}/page"

    async def acknowledge(self, person: str) -> bool:
        """Open the link of the person's last page and press its button; False without a page."""
        link = self._links.get(person)
        if link is None:
            return False
        async with httpx.AsyncClient(trust_env=False) as browser:
            await browser.get(link)
            answer = await browser.post(link)
        return answer.is_success

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        expected = "sha256=" + hmac.new(SECRET.encode(), body, sha256).hexdigest()
        if not hmac.compare_digest(request.headers.get("X-Stewardmon-Signature", ""), expected):
            return JSONResponse({"error": "wrong signature"}, status_code=401)
        message = json.loads(body)
        key = message["stewardmon"]["dedup_key"]
        if key not in self._seen:
            self._seen.add(key)
            self.received.append(message)
            self._print(message)
        return JSONResponse({"id": f"page-{len(self.received)}"})

    def _print(self, message: dict[str, Any]) -> None:
        told = message["stewardmon"]
        if told["ack_url"]:
            self._links[told["to"]] = told["ack_url"]
        headline, *rest = str(told["text"]).splitlines()
        frame = [f"┌─ to {told['person']}: {headline}", *(f"│ {one}".rstrip() for one in rest)]
        self._say("\n".join([*frame, "└─"]))
