"""A TCP proxy that can slow, freeze, cut and reset what passes through it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from stewardmon.demo.faults import until
from stewardmon.demo.serving import Port, closed, reset

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Way(Enum):
    """How the proxy mistreats what passes."""

    LATE = auto()
    FROZEN = auto()
    RESET = auto()
    CUT = auto()
    TRICKLE = auto()


@dataclass(slots=True, eq=False)
class Disturbance:
    """What is done to the bytes: `seconds` for LATE and TRICKLE, `bytes` for CUT."""

    way: Way
    seconds: float = 0.0
    bytes: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


Address = tuple[str, int]


class Proxy:
    """Forwards connections to `upstream()`, which is asked anew for each."""

    def __init__(self, host: str, upstream: Callable[[], Address]) -> None:
        self.port = Port(host)
        self._upstream = upstream
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._disturbance: Disturbance | None = None

    async def open(self) -> None:
        """Listen; connections are accepted when this returns."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=self.port.socket())

    async def refuse(self) -> None:
        """Stop listening and drop every connection; `open` listens on the same port again."""
        if self._server is None:
            return
        self._server.close()
        await self.drop()
        await closed(self._server)
        self._server = None

    async def close(self) -> None:
        """Stop for good."""
        await self.refuse()
        self.port.close()

    async def drop(self) -> None:
        """Cut every connection that is open."""
        links = list(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)

    @contextmanager
    def disturbed(self, disturbance: Disturbance) -> Iterator[None]:
        """Mistreat all bytes, of old and new connections, until the block ends."""
        before, self._disturbance = self._disturbance, disturbance
        try:
            yield
        finally:
            self._disturbance = before
            disturbance.over.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = asyncio.current_task()
        if link is None:  # pragma: no cover - a stream's callback always runs in a task
            return
        self._links.add(link)
        try:
            await self._link(reader, writer)
        except asyncio.CancelledError:
            # asyncio's streams log a cancelled callback as an error: being cut is our normal.
            return
        finally:
            self._links.discard(link)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._disturbance and self._disturbance.way is Way.RESET:
            # Reading first lets the client finish its connect: a reset, not a refusal.
            await reader.read(1)
            reset(writer.transport)
            return
        with suppress(OSError):
            async with _connected(*self._upstream()) as (far_reader, far_writer):
                await self._both(reader, writer, far_reader, far_writer)

    async def _both(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        far_reader: asyncio.StreamReader,
        far_writer: asyncio.StreamWriter,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._pump(reader, far_writer, answering=False), name="proxy up")
            group.create_task(self._pump(far_reader, writer, answering=True), name="proxy down")

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answering: bool
    ) -> None:
        """Carry bytes one way; where one side is done, the other side's writer is closed."""
        with suppress(OSError):
            passed = 0
            while chunk := await reader.read(65536):
                passed += len(chunk)
                if not await self._carry(chunk, writer, passed=passed, answering=answering):
                    break
        writer.close()

    async def _carry(
        self, chunk: bytes, writer: asyncio.StreamWriter, *, passed: int, answering: bool
    ) -> bool:
        disturbance = self._disturbance
        match disturbance:
            case Disturbance(way=Way.FROZEN):
                await disturbance.over.wait()
            case Disturbance(way=Way.LATE) if answering:
                await until(disturbance.over, disturbance.seconds)
            case Disturbance(way=Way.TRICKLE) if answering:
                return await _trickle(chunk, writer, disturbance)
            case Disturbance(way=Way.CUT) if answering and passed > disturbance.bytes:
                writer.write(chunk[: max(0, disturbance.bytes - passed)])
                return False
            case Disturbance(way=Way.RESET):
                reset(writer.transport)
                return False
            case _:
                pass
        writer.write(chunk)
        await writer.drain()
        return True


async def _trickle(chunk: bytes, writer: asyncio.StreamWriter, disturbance: Disturbance) -> bool:
    for index in range(len(chunk)):
        if await until(disturbance.over, disturbance.seconds):
            writer.write(chunk[index:])
            break
        writer.write(chunk[index : index + 1])
        await writer.drain()
    return True


@asynccontextmanager
async def _connected(
    host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
