"""The daemon as its users run it: a process of its own, on loopback, in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.servers import free_port
from tests.support.plain import NO_TLS
from tests.support.waiting import until_async

TOKEN = "test-token"


@dataclass
class Process:
    """A running `stewardmon run`; `log` is where its standard error goes."""

    child: asyncio.subprocess.Process
    url: str
    log: Path

    async def get(self, path: str) -> Any:
        """Return the JSON at a path."""
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=10) as client:
            return (await client.get(self.url + path)).json()

    async def post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        """Post with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=10) as client:
            return await client.post(self.url + path, json=dict(body), headers=headers)

    async def ready(self) -> bool:
        """Say whether it can page; fails when it has ended."""
        assert self.child.returncode is None, f"stewardmon ended: {self.log.read_text()}"
        async with httpx.AsyncClient(verify=NO_TLS, trust_env=False, timeout=2) as client:
            try:
                return (await client.get(self.url + "/readyz")).is_success
            except httpx.HTTPError:
                return False


@asynccontextmanager
async def stewardmon(
    folder: Path, rules: Path, environ: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run the daemon over the rules until the end of the block; its state is in `folder`."""
    port = free_port()
    log = folder / "stderr"
    with log.open("ab") as stderr:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stewardmon", "run", "--rules", str(rules),
            "--state", str(folder / "state.db"), "--listen", f"127.0.0.1:{port}",
            env={**os.environ, "STEWARDMON_TOKEN": TOKEN, **(environ or {})},
            stderr=stderr,
        )  # fmt: skip
        running = Process(child=child, url=f"http://127.0.0.1:{port}", log=log)
        try:
            await until_async(running.ready, what="the daemon is ready", within=60)
            yield running
        finally:
            if child.returncode is None:
                child.terminate()
            await child.wait()
