"""HTTP servers on loopback that can refuse, reset and come back on the same port."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

_log: Final = logging.getLogger("stewardmon.demo")
# Cutting a stream short is what some faults are for; uvicorn reports it as an error.
_log.addFilter(lambda record: "without completing response" not in str(record.msg))

Disturbance = Callable[[asyncio.Transport], None]


def reset(transport: asyncio.WriteTransport) -> None:
    """Drop a connection with RST instead of FIN: zero linger makes the kernel do so."""
    if sock := transport.get_extra_info("socket"):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def garbage(transport: asyncio.Transport) -> None:
    """Answer with bytes that no HTTP parser accepts."""
    transport.write(b"\x16\x03\x01 SSH-2.0-not-a-web-server\r\n\x00\xff\xfe" * 4)
    transport.close()


async def closed(server: asyncio.Server) -> None:
    """Wait until a server that was closed has let go of its port.

    From Python 3.12 on this waits for connections too: a handshake in progress must not hold us.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await server.wait_closed()


class Port:
    """A TCP port that stays ours while nothing listens on it.

    A bound socket that never listens keeps the kernel from giving the port away, and makes
    connections to it fail with "refused", as a stopped server does.
    """

    def __init__(self, host: str) -> None:
        self.host = host
        self._reserved = _bound(host, 0)
        self.number: int = self._reserved.getsockname()[1]

    def socket(self) -> socket.socket:
        """Return a second socket on the port, for a server to listen on."""
        return _bound(self.host, self.number)

    def close(self) -> None:
        """Give the port back."""
        self._reserved.close()


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setblocking(False)
    try:
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


class Listener:
    """An ASGI application on a port.

    uvicorn's protocol is driven without uvicorn's own loop: that one takes the process's
    signals and wakes ten times a second, which neither a daemon's nor a virtual loop can have.
    `disturbance`, where set, gets each connection's transport instead of the application.
    """

    def __init__(self, app: ASGIApp, host: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.port = Port(host)
        self.tls = tls
        self.disturbance: Disturbance | None = None
        self._config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", ws="none", server_header=False
        )
        self._state = ServerState()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Return the address without a slash at its end."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.port.host}:{self.port.number}"

    async def open(self) -> None:
        """Listen; connections are accepted when this returns."""
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                self._protocol, sock=self.port.socket(), ssl=self.tls
            )

    async def refuse(self) -> None:
        """Stop listening and drop every connection; `open` listens on the same port again."""
        if self._server is None:
            return
        self._server.close()
        for protocol in list(self._state.connections):
            protocol.transport.abort()
        await closed(self._server)
        self._server = None

    async def close(self) -> None:
        """Stop for good, and wait for the requests that are still being worked on."""
        await self.refuse()
        self.port.close()
        tasks = list(self._state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _protocol(self) -> _Protocol:
        return _Protocol(self, config=self._config, server_state=self._state, app_state={})


class _Protocol(HttpToolsProtocol):
    """uvicorn's protocol, with a log of our own and a way around HTTP."""

    def __init__(self, listener: Listener, **settings: Any) -> None:
        super().__init__(**settings)
        self.logger = _log
        self.access_log = False
        self._listener = listener

    def data_received(self, data: bytes) -> None:
        if self._listener.disturbance is not None:
            self._listener.disturbance(self.transport)
        else:
            super().data_received(data)
