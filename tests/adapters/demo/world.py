"""What a stranger sees of the simulated platform: a client for each of its servers."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import psycopg

from stewardmon.clock import SystemClock
from stewardmon.demo.database import connect
from stewardmon.demo.identity import User, cookies_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from stewardmon.demo.platform import Platform

LAST_MONTH = "How much did I spend last month?"


class Hand:
    """A wall clock that only a test moves; it starts at the machine's time, as certificates do."""

    def __init__(self) -> None:
        self._at = SystemClock().now()

    def now(self) -> datetime:
        """Return the time that the hand points to."""
        return self._at

    def advance(self, **units: float) -> None:
        """Turn the hand forwards."""
        self._at += timedelta(**units)


@dataclass(slots=True)
class World:
    """A platform, its clock, and a client without keep-alive."""

    platform: Platform
    clock: Hand
    client: httpx.AsyncClient
    cookies: dict[str, dict[str, str]] = field(default_factory=dict)

    async def get(self, path: str, **options: Any) -> httpx.Response:
        """GET a path of the app."""
        return await self.client.get(self.platform.app_url + path, **options)

    async def health(self) -> dict[str, Any]:
        """Return the body of /api/health."""
        body: dict[str, Any] = (await self.get("/api/health")).json()
        return body

    async def signed_in(self, user: User | None = None) -> dict[str, str]:
        """Return the cookie header of a user's session."""
        user = user or self.platform.user
        answer = await self.supabase(
            "POST",
            "/auth/v1/token?grant_type=password",
            json={"email": user.email, "password": user.password},
        )
        answer.raise_for_status()
        pairs = cookies_of(answer.json()).items()
        return {"cookie": "; ".join(f"{name}={value}" for name, value in pairs)}

    async def ask(
        self, query: object = LAST_MONTH, *, user: User | None = None, **more: object
    ) -> httpx.Response:
        """Ask the agent as the synthetic user."""
        return await self.client.post(
            self.platform.app_url + "/api/agent/query",
            json={"query": query, **more},
            headers=await self.signed_in(user),
        )

    async def lines(self, query: str = LAST_MONTH) -> list[tuple[float, str]]:
        """Return the lines of the agent's stream with their arrival; a cut ends with "CUT"."""
        seen: list[tuple[float, str]] = []
        headers = await self.signed_in()
        address = self.platform.app_url + "/api/agent/query"
        body = {"query": query, "streaming": True}
        clock = asyncio.get_running_loop().time
        try:
            async with self.client.stream("POST", address, json=body, headers=headers) as answer:
                async for text in answer.aiter_text():
                    seen += [(clock(), line) for line in text.splitlines()]
        except httpx.RemoteProtocolError:
            seen.append((clock(), "CUT"))
        return seen

    async def supabase(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call Supabase with the anonymous key."""
        headers = {"apikey": self.platform.identity.anon_key, **options.pop("headers", {})}
        address = self.platform.supabase_url + path
        return await self.client.request(method, address, headers=headers, **options)

    async def openai(
        self, method: str = "GET", path: str = "/models", **options: Any
    ) -> httpx.Response:
        """Call the AI vendor with the app's key."""
        headers = {"authorization": f"Bearer {self.platform.identity.openai_key}"}
        address = self.platform.openai_url + path
        return await self.client.request(method, address, headers=headers, **options)

    async def chat(self) -> AsyncIterator[tuple[float, str]]:
        """Yield the lines of a streamed completion with the seconds since it was asked."""
        clock = asyncio.get_running_loop().time
        started = clock()
        async with self.client.stream(
            "POST",
            self.platform.openai_url + "/chat/completions",
            json={
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": "ping"}],
                "stream": True,
                "stream_options": {"include_usage": True},
            },
            headers={"authorization": f"Bearer {self.platform.identity.openai_key}"},
        ) as answer:
            async for line in answer.aiter_lines():
                if line:
                    yield clock() - started, line

    async def sql(self, statement: Any, *parameters: object, url: str = "") -> Any:
        """Return the first column of the first row, as the superuser or by an address."""
        async with await connect(url or self.platform.database.admin_url) as connection:
            cursor = await connection.execute(statement, parameters or None)
            row = await cursor.fetchone()
        return row[0] if row else None

    async def connecting(self, url: str = "") -> str:
        """Try SELECT 1 as the app; return "" or what PostgreSQL or the network said."""
        try:
            async with asyncio.timeout(1):
                await self.sql("SELECT 1", url=url or self.platform.database_url)
        except TimeoutError:
            return "timeout"
        except psycopg.Error as error:
            return str(error)
        return ""

    async def handshake(self) -> dict[str, Any]:
        """Return the TLS listener's certificate; raise ssl.SSLError where it is not trusted."""
        context = ssl.create_default_context(cafile=str(self.platform.ca_file))
        url = httpx.URL(self.platform.app_tls_url)
        _, writer = await asyncio.open_connection(url.host, url.port, ssl=context)
        try:
            return dict(writer.get_extra_info("peercert"))
        finally:
            writer.close()
            await writer.wait_closed()

    async def tls_failure(self) -> str:
        """Return why the certificate is refused, or ""."""
        try:
            await self.handshake()
        except ssl.SSLCertVerificationError as error:
            return error.verify_message
        return ""

    async def certificate_days(self) -> float:
        """Return how long the certificate still lives."""
        ends = ssl.cert_time_to_seconds((await self.handshake())["notAfter"])
        left = datetime.fromtimestamp(ends, UTC) - self.clock.now()
        return left / timedelta(days=1)


def events(lines: list[tuple[float, str]]) -> list[dict[str, Any]]:
    """Return the JSON lines among a stream's lines."""
    return [json.loads(line) for _, line in lines if line.endswith("}")]
