"""The one place that touches httpx: its client, its exceptions, which addresses it reaches."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import socket
import ssl
from functools import lru_cache
from typing import Final

import certifi
import httpx

from stewardmon.channels.http_client import Answer, Request
from stewardmon.errors import DeliveryError

LONGEST_BODY: Final = 64 * 1024


class Wire:
    """One channel's connections."""

    def __init__(self, *, timeout: float, user_agent: str, public_only: bool, ca_file: str) -> None:
        # httpx logs every URL that it asks, and ours are secrets.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        if ca_file:
            trust(ca_file)  # a file that cannot be used is told at the start
        # Certificates take 2 MB and 20 ms: only whoever speaks TLS pays.
        plain, secure = _transport(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)), Secure(ca_file)
        self._timeout = timeout
        self._client = httpx.AsyncClient(
            transport=PublicOnly(plain) if public_only else plain,
            mounts={"https://": PublicOnly(secure) if public_only else secure},
            # Name and TCP, then TLS, each get a part, so that httpx itself gives up on them and
            # closes: a socket whose TLS handshake is cancelled from outside stays open.
            timeout=httpx.Timeout(timeout, connect=timeout * 0.45),
            follow_redirects=False,
            trust_env=False,
            # A compressed answer could unfold to any size.
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
        )

    async def post(self, request: Request, *, host: str) -> Answer:
        """Send, and read no more than 64 KiB of the answer; raises DeliveryError."""
        try:
            return await self._exchange(request)
        except (TimeoutError, httpx.TimeoutException):
            raise DeliveryError(
                f"{host} did not answer within {self._timeout:g}s", temporary=True
            ) from None
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError):
            raise DeliveryError(
                f"the request to {host} cannot be made: check the channel's URL and headers",
                temporary=False,
            ) from None
        except httpx.HTTPError as error:
            raise DeliveryError(f"{host}: {_reason(error)}", temporary=True) from None

    async def close(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _exchange(self, request: Request) -> Answer:
        prepared = self._client.build_request(
            "POST",
            request.url,
            content=request.content if request.form is None else None,
            headers=request.headers,
            data=request.form,
        )
        auth = httpx.BasicAuth(*request.user) if request.user else httpx.USE_CLIENT_DEFAULT
        # httpx bounds each read; a receiver that drips would hold the message forever.
        async with asyncio.timeout(self._timeout) as limit:
            response = await self._client.send(prepared, stream=True, auth=auth)
        try:
            content, complete = await _read(response, deadline=limit.when())
        finally:
            await response.aclose()
        return Answer(
            status=response.status_code,
            headers=dict(response.headers.items()),
            body=content,
            complete=complete,
        )


async def _read(response: httpx.Response, *, deadline: float | None) -> tuple[bytes, bool]:
    """Return up to 64 KiB, and whether that was all; the status has been received already."""
    content = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            async for chunk in response.aiter_raw():
                content += chunk
                if len(content) > LONGEST_BODY:
                    return bytes(content[:LONGEST_BODY]), False
    except (TimeoutError, httpx.TransportError):
        # The receiver has answered: what it broke off is only the rest of its words.
        return bytes(content), False
    return bytes(content), True


class Secure(httpx.AsyncBaseTransport):
    """Connects over TLS, with the certificates that `trust` finds at the first request."""

    def __init__(self, ca_file: str) -> None:
        self._ca_file = ca_file
        self._inner: httpx.AsyncHTTPTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        if self._inner is None:
            self._inner = _transport(trust(self._ca_file))
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections beneath."""
        if self._inner is not None:
            await self._inner.aclose()


def _transport(context: ssl.SSLContext) -> httpx.AsyncHTTPTransport:
    return httpx.AsyncHTTPTransport(
        verify=context,
        trust_env=False,
        limits=httpx.Limits(max_connections=20, max_keepalive_connections=4),
    )


class PublicOnly(httpx.AsyncBaseTransport):
    """Connects only to public addresses, and to the very address that was judged.

    Resolving, judging and connecting by name would let a name change its answer in between
    (DNS rebinding), so the request goes to the address, with the name in Host and in TLS.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request to a public address of its host; raises DeliveryError for others."""
        name = request.url.host
        address = await _public_address(name, request.url.port or 443)
        request.url = request.url.copy_with(host=address)
        request.extensions = {**request.extensions, "sni_hostname": name}
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections beneath."""
        await self._inner.aclose()


async def _public_address(name: str, port: int) -> str:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpx.ConnectError(str(error)) from error
    addresses = [str(one[4][0]) for one in found]
    if not addresses or not all(is_public(address) for address in addresses):
        raise DeliveryError(
            f"{name} has an address that is not public, and the channel is set to public_only",
            temporary=False,
        )
    return addresses[0]


def is_public(address: str) -> bool:
    """Say whether an IP address is reachable from anywhere, judging what is wrapped in IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed.sixtofour or parsed
    return parsed.is_global and not parsed.is_multicast


@lru_cache(maxsize=8)
def trust(ca_file: str) -> ssl.SSLContext:
    """Return the shared TLS context: the system's certificates, Mozilla's, and one's own.

    Shared because loading Mozilla's list takes 20 ms.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def _reason(error: BaseException) -> str:
    """Say in a few words what broke, from the cause at the bottom."""
    cause: BaseException | None = error
    seen: list[BaseException] = []
    while cause is not None and len(seen) < 10:
        seen.append(cause)
        # Several addresses failed: the first one's reason stands for all.
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        else:
            cause = cause.__cause__ or cause.__context__
    for one in reversed(seen):
        known = _known(one)
        if known:
            return known
    if isinstance(error, httpx.RemoteProtocolError):
        return "closed the connection or broke HTTP before its answer was complete"
    if isinstance(error, httpx.ConnectError):
        return "no connection could be made"
    return "the connection broke"


def _known(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its TLS certificate is not accepted ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return "TLS could not be agreed on"
    if isinstance(error, socket.gaierror):
        return "the name is not known to DNS"
    if isinstance(error, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(error, ConnectionResetError):
        return "reset the connection"
    return ""
