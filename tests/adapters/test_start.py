"""A start that fails leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.servers import Target, free_port
from stewardmon.config.environment import Runtime
from stewardmon.config.loading import load
from stewardmon.errors import StewardmonError
from stewardmon.process import bind, daemon
from tests.config.environment import ENVIRON


async def test_a_daemon_that_cannot_start_gives_its_port_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: object) -> str:
        raise StewardmonError("the state cannot be read")

    monkeypatch.setattr("stewardmon.service._link_secret", fails)
    port = free_port()
    runtime = Runtime(state=str(tmp_path / "state.db"), port=port)
    # The error is held on to, and with it all that the failed start had: only closing helps.
    with pytest.raises(StewardmonError, match="cannot be read") as held:
        async with daemon(runtime, load_config=lambda: load(None, ENVIRON)):
            pass
    bind("127.0.0.1", port).close()
    assert held.tb is not None


async def test_the_ends_of_benchmarks_listen_no_longer_than_their_block() -> None:
    held = Target()
    with pytest.raises(RuntimeError, match="in the block"):
        async with held:
            raise RuntimeError("in the block")
    bind("127.0.0.1", int(held.url.rpartition(":")[2].strip("/"))).close()
