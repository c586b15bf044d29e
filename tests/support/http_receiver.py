"""A raw HTTP/1.1 server on loopback that answers, or misbehaves, as it is told."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Received:
    """One request; header names are lower case."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Behaviour = Callable[
    ["HttpReceiver", Received, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]
]


def answers(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Answer every request so; underscores in header names become hyphens."""

    async def behave(
        receiver: HttpReceiver, _: Received, __: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()

    return behave


def says(status: int, words: Callable[[Received], bytes]) -> Behaviour:
    """Answer with words that are made from the request."""

    async def behave(
        receiver: HttpReceiver,
        received: Received,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        await answers(status, words(received))(receiver, received, reader, writer)

    return behave


async def hangs(
    receiver: HttpReceiver,
    received: Received,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Never answer; end when the client goes away."""
    await reader.read()


async def closes(
    receiver: HttpReceiver,
    received: Received,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Close in the middle of the headers."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Le")
    await writer.drain()


async def babbles(
    receiver: HttpReceiver,
    received: Received,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer what is not HTTP."""
    writer.write(b"\x00\xff garbage\r\n\r\n" * 100)
    await writer.drain()


async def floods(
    receiver: HttpReceiver,
    received: Received,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Answer 200 with a body of 100 MB, counted as far as the client takes it."""
    size = 100_000_000
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
    chunk = b"x" * 100_000
    while receiver.flooded < size:
        writer.write(chunk)
        await writer.drain()
        receiver.flooded += len(chunk)


class HttpReceiver:
    """`async with HttpReceiver() as receiver`: its address is `url`, its post is `received`."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self.behaviour: Behaviour = answers(200)
        self.flooded = 0
        self._serving: set[asyncio.Task[None]] = set()
        self._tls = tls
        self._host = host
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self._host}:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            received = await _read(reader, writer)
            self.received.append(received)
            await self.behaviour(self, received, reader, writer)
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Received:
    begun = await reader.readexactly(1)
    if begun == b"\x16":  # TLS, which a server for plain HTTP does not understand
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        raise ConnectionAbortedError
    head = (begun + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *rest = head.strip().split("\r\n")
    headers = {
        name.strip().lower(): value.strip()
        for name, _, value in (one.partition(":") for one in rest)
    }
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(first, headers, body)
