"""The two ends of every benchmark on loopback: a target to watch, a receiver of pages."""

from __future__ import annotations

import asyncio
import json
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from time import monotonic
from typing import Any, Self


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


class _End(ABC):
    """What both ends do: they listen within their block and no longer, however it ends."""

    @abstractmethod
    async def open(self) -> None:
        """Listen."""

    @abstractmethod
    async def close(self) -> None:
        """Listen no more."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Target(_End):
    """Answers every request at once: 200, or 503 while `down`; counts them."""

    def __init__(self) -> None:
        self.down = False
        self.asked = 0
        self.fell_at = self.refused_at = 0.0
        self.first = asyncio.Event()
        self._server: asyncio.Server | None = None
        self.url = ""

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0, backlog=4096)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()

    def fall(self) -> None:
        """Be down from now on; `refused_at` becomes when somebody first saw it."""
        self.down, self.fell_at, self.refused_at = True, monotonic(), 0.0

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            self.asked += 1
            self.first.set()
            if self.down and not self.refused_at:
                self.refused_at = monotonic()
            status = b"503 Service Unavailable" if self.down else b"200 OK"
            writer.write(
                b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()


class Receiver(_End):
    """Takes webhooks: every message with the instant it came."""

    def __init__(self) -> None:
        self.messages: list[tuple[float, dict[str, Any]]] = []
        self.url = ""
        self._news = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/page"

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()

    async def wait_for(
        self, wanted: Callable[[dict[str, Any]], bool], *, after: int, within: float = 60.0
    ) -> dict[str, Any]:
        """Return the first message past `after` that is wanted. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while True:
                self._news.clear()
                for _, message in self.messages[after:]:
                    if wanted(message):
                        return message
                await self._news.wait()

    async def more(self, than: int) -> None:
        """Return once more than so many messages are there."""
        while len(self.messages) <= than:
            self._news.clear()
            await self._news.wait()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            body = json.loads(await reader.readexactly(length))
            self.messages.append((monotonic(), body))
            self._news.set()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
            await writer.drain()
        except (OSError, ValueError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
