"""Raw servers on loopback that answer, or fail to, in every way that a target can."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import trustme

from stewardmon.clock import SystemClock

Behaviour = Callable[[Reader, Writer], Awaitable[None]]

LOOPBACK: Final = "127.0.0.1"


@dataclass(slots=True)
class Server:
    """A listening server: where it is, and the heads of the requests that it read."""

    port: int
    secure: bool
    requests: list[str]

    @property
    def url(self) -> str:
        """Its address, without a path."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{'localhost' if self.secure else LOOPBACK}:{self.port}"


@asynccontextmanager
async def serving(
    behaviour: Behaviour, *, tls: ssl.SSLContext | None = None, host: str = LOOPBACK
) -> AsyncIterator[Server]:
    """Serve every connection so, until the context ends; nothing outlives it."""
    live: set[asyncio.Task[None]] = set()

    async def accept(reader: Reader, writer: Writer) -> None:
        task = asyncio.current_task()
        assert task is not None
        live.add(task)
        try:
            with suppress(ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
                await behaviour(reader, writer)
        except asyncio.CancelledError:
            pass  # the test is over: asyncio's server would report it as an error
        finally:
            live.discard(task)
            writer.transport.abort()

    requests: list[str] = []
    listening = await asyncio.get_running_loop().create_server(
        lambda: asyncio.StreamReaderProtocol(_Recorder(requests), accept), host, 0, ssl=tls
    )
    server = Server(listening.sockets[0].getsockname()[1], tls is not None, requests)
    try:
        yield server
    finally:
        listening.close()
        waiting = list(live)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


class _Recorder(Reader):
    """A reader that notes the head of each request."""

    def __init__(self, requests: list[str]) -> None:
        super().__init__()
        self._requests = requests

    async def readuntil(self, separator: Any = b"\n") -> bytes:
        head = await super().readuntil(separator)
        self._requests.append(head.decode("latin-1"))
        return head


def closed_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def answer(
    status: int = 200,
    body: bytes = b"",
    *,
    headers: Mapping[str, str] | None = None,
    length: bool = True,
) -> bytes:
    """Return the bytes of an HTTP/1.1 answer; without `length` it ends with the connection."""
    lines = [f"HTTP/1.1 {status} Some Words"]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def sends(*pieces: bytes) -> Behaviour:
    """Read a request, send each piece in a packet of its own, hang up."""

    async def behave(reader: Reader, writer: Writer) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await _pause(0.001)
        if writer.can_write_eof():
            writer.write_eof()
            await reader.read()

    return behave


def sends_in_turn(*answers: bytes) -> Behaviour:
    """Give each connection the next answer, the last one again and again."""
    left = list(answers)

    async def behave(reader: Reader, writer: Writer) -> None:
        await sends(left.pop(0) if len(left) > 1 else left[0])(reader, writer)

    return behave


async def hangs(reader: Reader, _: Writer) -> None:
    """Read whatever comes and never say a word."""
    while await reader.read(65536):
        pass


async def hangs_up(reader: Reader, writer: Writer) -> None:
    """Read a little and close without an answer."""
    await reader.read(1)
    writer.close()


async def resets(reader: Reader, writer: Writer) -> None:
    """Read a little and cut the connection with a reset."""
    await reader.read(1)
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def garbage(reader: Reader, writer: Writer) -> None:
    """Answer with bytes that are no protocol."""
    await reader.read(1)
    writer.write(bytes(range(255, 0, -1)) * 8)
    await writer.drain()
    await reader.read()


async def drips(reader: Reader, writer: Writer) -> None:
    """Send a proper answer of 1 MB, one byte at a time."""
    await reader.read(1)
    for byte in answer(body=b"x" * 1_000_000):
        writer.write(bytes([byte]))
        await writer.drain()
        await _pause(0.02)


async def floods(reader: Reader, writer: Writer) -> None:
    """Send a body of 1 GB as fast as it is taken."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
    piece = b"x" * 65536
    for _ in range(1_000_000_000 // len(piece)):
        writer.write(piece)
        await writer.drain()


async def floods_headers(reader: Reader, writer: Writer) -> None:
    """Send headers without an end."""
    await reader.read(1)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(1_000_000):
        writer.write(b"X-Filler-%d: %s\r\n" % (number, b"y" * 1000))
        await writer.drain()


async def redirects_to_itself(reader: Reader, writer: Writer) -> None:
    """Redirect every request to another path of the same server."""
    head = await reader.readuntil(b"\r\n\r\n")
    path = head.split(b" ")[1].decode()
    writer.write(answer(302, headers={"Location": f"{path}x"}))
    await writer.drain()


async def _pause(seconds: float) -> None:
    """Let others run, so that what is sent arrives in pieces; a pace, nothing to rely on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.get_running_loop().create_future()


class Authority:
    """A certificate authority of the test's own, and contexts with all that can be wrong."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self._other = trustme.CA()

    def write_roots(self, path: str) -> str:
        """Write the root that clients should trust to a file; return its path."""
        self._ca.cert_pem.write_to_path(path)
        return path

    def good(self, *, days: float = 90) -> ssl.SSLContext:
        """A certificate for localhost and 127.0.0.1."""
        return self._context(self._ca, "localhost", LOOPBACK, days=days)

    def expired(self) -> ssl.SSLContext:
        """A certificate that expired yesterday."""
        return self._context(self._ca, "localhost", days=-1)

    def wrong_name(self) -> ssl.SSLContext:
        """A certificate for another host."""
        return self._context(self._ca, "elsewhere.example")

    def untrusted(self) -> ssl.SSLContext:
        """A certificate of an authority that nobody trusts."""
        return self._context(self._other, "localhost")

    def _context(self, ca: trustme.CA, *names: str, days: float = 90) -> ssl.SSLContext:
        now = SystemClock().now().replace(microsecond=0)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate = ca.issue_cert(
            *names, not_before=now - timedelta(days=400), not_after=now + timedelta(days=days)
        )
        certificate.configure_cert(context)
        return context
