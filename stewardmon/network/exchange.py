"""One request and its answer on a connection of its own, every phase measured."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from stewardmon.network.certificates import Certificates
from stewardmon.network.dial import Resolver, connect, resolve, secure
from stewardmon.network.endpoint import Endpoint
from stewardmon.network.progress import Progress
from stewardmon.network.wire import BODY_LIMIT, Wire

_BREAKS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request made ready once and sent many times; `raw` is what goes over the wire.

    `tls` is the context to use where the endpoint is secure.
    """

    endpoint: Endpoint
    method: str
    raw: bytes
    tls: ssl.SSLContext | None = None


def by_name(raw: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Return headers by lower-case name; those that came twice are joined by commas."""
    found: dict[str, str] = {}
    for name, value in raw:
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1")
        found[key] = f"{found[key]}, {text}" if key in found else text
    return found


@dataclass(frozen=True, kw_only=True)
class Reply:
    """An answer: the body as it came over the wire, cut at the limit where `too_large`."""

    status: int
    version: str
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    too_large: bool
    address: str
    certificates: Certificates | None

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """Return the headers by lower-case name; those that came twice are joined by commas."""
        return by_name(self.raw_headers)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A connection that is ready for its one request."""

    wire: Wire
    transport: asyncio.Transport
    address: str
    certificates: Certificates | None

    def send(self, asked: Request, progress: Progress) -> None:
        progress.enter("processing")
        self.transport.write(asked.raw)

    def close(self) -> None:
        """Hang up: nothing of the answer is wanted any more, so nothing is waited for."""
        self.transport.abort()


def request(
    endpoint: Endpoint,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    tls: ssl.SSLContext | None = None,
    user_agent: str = "stewardmon",
) -> Request:
    """Return the request ready to send; `headers` win over those that are always there.

    Raises ValueError for a header that would break the request.
    """
    fields = {
        "host": ("Host", endpoint.authority),
        "user-agent": ("User-Agent", user_agent),
        "accept": ("Accept", "*/*"),
        "connection": ("Connection", "close"),
    }
    if endpoint.authorization:
        fields["authorization"] = ("Authorization", endpoint.authorization)
    if body or method in ("POST", "PUT", "PATCH"):
        fields["content-length"] = ("Content-Length", str(len(body)))
    for name, value in (headers or {}).items():
        if _BREAKS.search(name + value):
            raise ValueError(f"the header {name[:40]!r} holds a control character")
        fields[name.lower()] = (name, value)
    lines = [f"{method} {endpoint.target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.values())]
    raw = "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + body
    return Request(endpoint=endpoint, method=method, raw=raw, tls=tls)


async def exchange(
    asked: Request, progress: Progress, *, limit: int = BODY_LIMIT, guard: bool = False
) -> Reply:
    """Send the request on a fresh connection and return the whole answer; raises Failure.

    `guard` refuses private addresses.
    """
    opened = await _open(asked, progress, limit=limit, guard=guard)
    wire = opened.wire
    try:
        opened.send(asked, progress)
        body = await wire.body()
    finally:
        opened.close()
    return Reply(
        status=wire.status,
        version=wire.version,
        raw_headers=tuple(wire.headers),
        body=body,
        too_large=wire.too_large,
        address=opened.address,
        certificates=opened.certificates,
    )


@asynccontextmanager
async def streaming(
    asked: Request,
    progress: Progress,
    *,
    limit: int = BODY_LIMIT,
    guard: bool = False,
    names: Resolver | None = None,
) -> AsyncIterator[Wire]:
    """Send the request and hand out its answer to be read chunk by chunk; raises Failure.

    The connection lives as long as the context. `names` is for whoever must not wait for lookups
    of others.
    """
    opened = await _open(asked, progress, limit=limit, guard=guard, names=names)
    try:
        opened.wire.stream_from(opened.transport)
        opened.send(asked, progress)
        yield opened.wire
    finally:
        opened.close()


async def _open(
    asked: Request, progress: Progress, *, limit: int, guard: bool, names: Resolver | None = None
) -> _Opened:
    endpoint = asked.endpoint
    addresses = await resolve(endpoint.host, guard=guard, progress=progress, names=names)
    wire = Wire(progress, where=endpoint.authority, bodiless=asked.method == "HEAD", limit=limit)
    transport, address = await connect(
        addresses, host=endpoint.host, port=endpoint.port, protocol=wire, progress=progress
    )
    if asked.tls is None:
        return _Opened(wire, transport, address, None)
    try:
        transport, shown = await secure(
            transport,
            wire,
            asked.tls,
            host=endpoint.host,
            port=endpoint.port,
            progress=progress,
        )
    except BaseException:
        transport.abort()
        raise
    return _Opened(wire, transport, address, shown)
