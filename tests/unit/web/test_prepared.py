"""The first page is made ready beside the event loop, once, and only for people."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send

from stewardmon.clock import SystemClock
from stewardmon.web import render
from stewardmon.web.shell import Prepared

CLOCK = SystemClock()


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "reached"})


async def asks(app: Prepared, accept: str) -> list[str]:
    seen: list[str] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        seen.append(message["type"])

    headers = [(b"accept", accept.encode())]
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    return seen


async def test_probes_get_their_turns_while_the_first_page_is_made_ready() -> None:
    render.templates.cache_clear()
    app, turns = Prepared(inner), 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await CLOCK.sleep(0)

    ticking = asyncio.get_running_loop().create_task(others())
    first, second = await asyncio.gather(asks(app, "text/html"), asks(app, "text/html"))
    ticking.cancel()
    assert first == second == ["reached"]
    assert turns > 20
    assert render.templates.cache_info().currsize == 1


async def test_whoever_scrapes_loads_notemplates() -> None:
    render.templates.cache_clear()
    assert await asks(Prepared(inner), "text/plain") == ["reached"]
    assert render.templates.cache_info().currsize == 0
