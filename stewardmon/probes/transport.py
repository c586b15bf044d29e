"""Our exchanges under httpx: it decides what a redirect changes, we connect, measure and guard."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import httpx

from stewardmon.domain.outcome import Reason
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import context
from stewardmon.network.dial import private
from stewardmon.network.endpoint import Endpoint, parse_url
from stewardmon.network.exchange import Reply, Request, exchange, request
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress

_OURS: Final = frozenset({"host", "content-length", "connection", "user-agent"})
_TOLD: Final = frozenset({b"location", b"set-cookie"})


class Transport(httpx.AsyncBaseTransport):
    """An httpx transport with a fresh connection a request, phases added up in `progress`.

    `replies` keeps the whole answers, oldest first. httpx is shown of each only what steers
    redirects: it would unpack a compressed body without a limit.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        limit: int,
        verify: bool | Path = True,
        guard: bool = False,
        answered: Reply | None = None,
    ) -> None:
        self.replies: list[Reply] = []
        self._progress = progress
        self._limit = limit
        self._verify = verify
        self._guard = guard
        self._answered = answered

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the first one's answer may be there already. Raises Failure."""
        reply, self._answered = self._answered, None
        if reply is None:
            asked = await _asked(request, self._verify)
            reply = await exchange(asked, self._progress, limit=self._limit, guard=self._guard)
        self.replies.append(reply)
        steering = [(name, value) for name, value in reply.raw_headers if name.lower() in _TOLD]
        return httpx.Response(reply.status, headers=steering)


async def follow(
    asked: Request,
    reply: Reply,
    progress: Progress,
    *,
    limit: int,
    most: int,
    verify: bool | Path,
    allow_private: bool | None,
) -> tuple[Reply, int]:
    """Return the answer behind the redirects that `reply` started, and how many there were.

    A public target may not lead into a private network unless that is allowed. Raises Failure.
    """
    guard = not allow_private and (allow_private is False or not private(reply.address))
    transport = Transport(progress, limit=limit, verify=verify, guard=guard, answered=reply)
    async with httpx.AsyncClient(
        transport=transport, trust_env=False, follow_redirects=True, max_redirects=most
    ) as client:
        head, _, body = asked.raw.partition(b"\r\n\r\n")
        fields = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        first = client.build_request(
            asked.method,
            asked.endpoint.scheme + "://" + asked.endpoint.authority + asked.endpoint.target,
            headers=[(name, value) for name, value in fields],
            content=body,
        )
        try:
            await client.send(first)
        except httpx.TooManyRedirects:
            where = _place(transport.replies[-1])
            detail = f"more than {most} redirects, the last one to {where}"
            raise Failure(Reason.REDIRECT, detail) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            where = _place(transport.replies[-1])
            raise Failure(Reason.REDIRECT, f"redirects to {where}, which cannot be asked") from None
    return transport.replies[-1], len(transport.replies) - 1


async def _asked(sent: httpx.Request, verify: bool | Path) -> Request:
    endpoint: Endpoint = parse_url(str(sent.url.copy_with(fragment=None)))
    return request(
        endpoint,
        method=sent.method,
        headers={name: value for name, value in sent.headers.items() if name not in _OURS},
        body=await sent.aread(),
        tls=context(verify) if endpoint.secure else None,
        user_agent=sent.headers.get("user-agent", "stewardmon"),
    )


def _place(reply: Reply) -> str:
    return excerpt(reply.headers.get("location", "").partition("?")[0])
