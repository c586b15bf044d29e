"""How a channel's request goes out: one connection each, one deadline, which addresses it reaches.

Over the same exchanges as the probes: they cost a sixth of a plain httpx request (bench/probes.py),
and no connection is kept that its receiver may have closed meanwhile.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from functools import cache, lru_cache
from typing import Final
from urllib.parse import urlencode

from stewardmon.channels.http_client import Answer, Request, basic
from stewardmon.domain.outcome import Reason
from stewardmon.errors import DeliveryError
from stewardmon.network import exchange
from stewardmon.network.certificates import mozillas
from stewardmon.network.dial import Resolver
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.network.wire import Wire as Connection

LONGEST_BODY: Final = 64 * 1024
_FORM: Final = "application/x-www-form-urlencoded"


class Wire:
    """What one channel's requests have in common."""

    def __init__(self, *, timeout: float, user_agent: str, public_only: bool, ca_file: str) -> None:
        if ca_file:
            trust(ca_file)  # a file that cannot be used is told at the start
        self._timeout = timeout
        self._user_agent = user_agent
        self._public_only = public_only
        self._ca_file = ca_file

    async def post(self, request: Request, *, host: str) -> Answer:
        """Send, and read no more than 64 KiB of the answer; raises DeliveryError."""
        try:
            asked = self._asked(request)
        except ValueError:
            raise DeliveryError(
                f"the request to {host} cannot be made: check the channel's URL and headers",
                temporary=False,
            ) from None
        try:
            return await self._exchange(asked)
        except TimeoutError:
            raise DeliveryError(
                f"{host} did not answer within {self._timeout:g}s", temporary=True
            ) from None
        except Failure as failure:
            raise _error(failure, host) from None

    def _asked(self, request: Request) -> exchange.Request:
        """Return the request as it goes over the wire; raises ValueError for one that cannot."""
        endpoint = parse_url(request.url)
        # A compressed answer could unfold to any size.
        headers = {"Accept-Encoding": "identity", **(request.headers or {})}
        content = request.content
        if request.form is not None:
            content = urlencode(request.form).encode()
            headers["Content-Type"] = _FORM
        if request.user is not None:
            (login,) = basic(request.user)
            headers["Authorization"] = f"Basic {login}"
        return exchange.request(
            endpoint,
            method="POST",
            headers=headers,
            body=content,
            tls=trust(self._ca_file) if endpoint.secure else None,
            user_agent=self._user_agent,
        )

    async def _exchange(self, asked: exchange.Request) -> Answer:
        async with AsyncExitStack() as opened:
            # One deadline for all of it: a receiver that drips would hold the message forever.
            async with asyncio.timeout(self._timeout) as limit:
                connection = await opened.enter_async_context(
                    exchange.streaming(
                        asked,
                        Progress(),
                        limit=LONGEST_BODY,
                        guard=self._public_only,
                        names=_resolver(),
                    )
                )
                await connection.head()
            body, complete = await _read(connection, deadline=limit.when())
        headers = exchange.by_name(connection.headers)
        return Answer(status=connection.status, headers=headers, body=body, complete=complete)


async def _read(connection: Connection, *, deadline: float | None) -> tuple[bytes, bool]:
    """Return up to 64 KiB, and whether that was all; the status has been received already."""
    content = bytearray()
    try:
        async with asyncio.timeout_at(deadline):
            while piece := await connection.chunk():
                content += piece
    except (TimeoutError, Failure):
        # The receiver has answered: what it broke off is only the rest of its words.
        return bytes(content), False
    return bytes(content), not connection.too_large


@cache
def _resolver() -> Resolver:
    """Return the channels' own resolver: lookups of probes that hang keep no page waiting."""
    return Resolver()


@lru_cache(maxsize=8)
def trust(ca_file: str) -> ssl.SSLContext:
    """Return the shared TLS context: the system's certificates, Mozilla's, and one's own.

    Shared because loading Mozilla's list takes 20 ms.
    """
    context = ssl.create_default_context()
    context.load_verify_locations(mozillas())
    if ca_file:
        context.load_verify_locations(ca_file)
    return context


def _error(failure: Failure, host: str) -> DeliveryError:
    if failure.reason is Reason.FORBIDDEN_ADDRESS:
        return DeliveryError(
            f"{host} has an address that is not public, and the channel is set to public_only",
            temporary=False,
        )
    return DeliveryError(failure.detail, temporary=True)
