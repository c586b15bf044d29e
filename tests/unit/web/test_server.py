"""The listener at rest: it looks up once a second, and its answers still show the time."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn

from stewardmon.web.server import _Quiet
from tests.support.virtual import VirtualClock, run_virtually


class Looks(_Quiet):
    """Counts how often it looks up."""

    looks = 0

    async def on_tick(self, counter: int) -> bool:
        self.looks += 1
        self.server_state.default_headers = []
        return await super().on_tick(counter)


def test_a_resting_listener_looks_up_once_a_second() -> None:
    async def rest() -> Looks:
        server = Looks(uvicorn.Config(lambda: None, log_config=None), VirtualClock())
        server.config.load()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60.5):
                await server.main_loop()
        return server

    server = run_virtually(rest())
    assert server.looks == 61
    assert "date" in dict(_texts(server.server_state.default_headers))


def _texts(headers: list[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in headers]
