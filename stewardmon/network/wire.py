"""One HTTP/1.1 answer as it arrives on a connection, within limits."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

import httptools

from stewardmon.domain.outcome import Reason
from stewardmon.network.failure import Failure, failure_of
from stewardmon.network.progress import Progress

BODY_LIMIT: Final = 1024 * 1024
HEADER_LIMIT: Final = 64 * 1024  # more than any browser takes: an accident or an attack
_PAUSE_ABOVE: Final = 256 * 1024  # unread bytes of a stream that make the sender wait

_WAITING, _HEAD, _DONE = range(3)


class Wire(asyncio.Protocol):
    """The answer to one request, fed by the event loop and awaited by one coroutine.

    A body that is longer than `limit` ends there: `too_large` says so. `bodiless` is for answers
    to HEAD, whose Content-Length announces nothing. `where` names the target in messages.
    """

    def __init__(
        self, progress: Progress, *, where: str, bodiless: bool = False, limit: int = BODY_LIMIT
    ) -> None:
        self.status = 0
        self.version = ""  # of HTTP, such as 1.1
        self.headers: list[tuple[bytes, bytes]] = []
        self.size = 0
        self.too_large = False
        self._progress = progress
        self._where = where
        self._bodiless = bodiless
        self._limit = limit
        # It knows us, too: let go of at the end, so that no garbage collector has to find both.
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._stage = _WAITING
        self._received = 0
        self._chunks: deque[bytes] = deque()
        self._unread = 0
        self._failure: Failure | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._sender: asyncio.Transport | None = None

    # What the reader awaits.

    async def head(self) -> None:
        """Return when status and headers are there; raises Failure."""
        while self._stage < _HEAD:
            await self._news()

    async def body(self) -> bytes:
        """Return the whole body, or as much of it as the limit allows; raises Failure."""
        while self._stage < _DONE:
            await self._news()
        return b"".join(self._chunks)

    async def chunk(self) -> bytes:
        """Return the next piece of the body as it came, empty at its end; raises Failure."""
        while not self._chunks:
            if self._stage == _DONE:
                return b""
            await self._news()
        piece = self._chunks.popleft()
        self._unread -= len(piece)
        if self._sender is not None and self._unread <= _PAUSE_ABOVE:
            self._sender.resume_reading()
        return piece

    def stream_from(self, sender: asyncio.Transport) -> None:
        """Make the sender wait while the reader is behind: for bodies read chunk by chunk."""
        self._sender = sender

    async def _news(self) -> None:
        known = self._failure
        if known is not None:
            # Another one like it: what is raised knows its frames, and with them us.
            raise Failure(known.reason, known.detail, state=known.state)
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the event loop tells.

    def data_received(self, data: bytes) -> None:
        """Feed the parser; what comes after the end of the answer is nobody's."""
        parser = self._parser
        if parser is None or self._stage == _DONE or self._failure is not None:
            return
        if not self._received:
            self._progress.enter("transfer")
        self._received += len(data)
        try:
            parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._finish()
        except httptools.HttpParserError:
            if self._stage < _DONE:
                self._fail(Failure(Reason.PROTOCOL, f"{self._where} does not speak HTTP/1.1"))
        if self._stage == _WAITING and self._received > HEADER_LIMIT:
            self._headers_too_large()

    def connection_lost(self, error: Exception | None) -> None:
        """Take the end of the connection: the end of the body where nothing announced another."""
        self._parser = None
        if self._stage == _DONE or self._failure is not None:
            return
        if isinstance(error, OSError):
            host, _, port = self._where.rpartition(":")
            self._fail(failure_of(error, host=host or port, port=0))
        elif not self._received:
            self._fail(Failure(Reason.RESET, f"{self._where} hung up without an answer"))
        elif self._stage == _HEAD and not self._announced():
            self._finish()
        else:
            part = "body" if self._stage == _HEAD else "headers"
            self._fail(Failure(Reason.INCOMPLETE, f"{self._where} hung up amid the {part}"))

    # What the parser tells.

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header."""
        if self._stage == _WAITING:
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Take the head of the final answer; informational ones (1xx) only announce it."""
        parser = self._parser
        if parser is None:
            return
        self.status = parser.get_status_code()
        self.version = str(parser.get_http_version())
        if self.status < 200 and self.status != 101:
            self.headers.clear()
            return
        if sum(len(name) + len(value) + 4 for name, value in self.headers) > HEADER_LIMIT:
            self._headers_too_large()
            return
        self._stage = _HEAD
        if self._bodiless:
            self._finish()
        else:
            self._wake()

    def on_body(self, piece: bytes) -> None:
        """Keep one piece of the body, unless it goes beyond the limit."""
        if self._stage != _HEAD:
            return
        room = self._limit - self.size
        self.size += len(piece)
        if len(piece) > room:
            piece = piece[:room]
            self.too_large = True
        self._chunks.append(piece)
        self._unread += len(piece)
        if self.too_large:
            self._finish()
            return
        if self._sender is not None and self._unread > _PAUSE_ABOVE:
            self._sender.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """Finish, where it was the final answer."""
        if self._stage == _HEAD:
            self._finish()

    def _announced(self) -> bool:
        names = {name.lower() for name, _ in self.headers}
        return b"content-length" in names or b"transfer-encoding" in names

    def _headers_too_large(self) -> None:
        detail = f"{self._where} sent more than {HEADER_LIMIT // 1024} KiB of headers"
        self._fail(Failure(Reason.TOO_LARGE, detail))

    def _finish(self) -> None:
        self._stage = _DONE
        self._progress.leave()
        self._wake()

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._progress.leave()
        self._wake()
