"""Two daemons on one PostgreSQL: one leads, the other stands by and takes over."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from bench.servers import Target, free_port
from tests.support.process import Process
from tests.support.waiting import until_async

PROBES = "probes:\n  - {{name: app, kind: http, job: app, interval: 1s, url: '{url}'}}\n"


async def _daemon(folder: Path, name: str, state: str) -> Process:
    port = free_port()
    log = folder / name
    with log.open("ab") as stderr:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stewardmon", "run", "--rules", str(folder),
            "--listen", f"127.0.0.1:{port}",
            env={**os.environ, "STEWARDMON_STATE": state},
            stderr=stderr,
        )  # fmt: skip
    return Process(child=child, url=f"http://127.0.0.1:{port}", log=log)


async def test_the_second_stands_by_and_leads_when_the_first_is_killed(
    tmp_path: Path, database: str
) -> None:
    async with Target() as app:
        (tmp_path / "probes.yml").write_text(PROBES.format(url=app.url))
        first = await _daemon(tmp_path, "first", database)
        await until_async(first.ready, what="the first is ready", within=60)
        second = await _daemon(tmp_path, "second", database)
        try:
            await until_async(lambda: _stands_by(second), what="the second waits", within=60)
            first.child.kill()
            await first.child.wait()
            await until_async(second.ready, what="the second leads", within=60)
        finally:
            second.child.terminate()
            await second.child.wait()
        assert second.child.returncode == 0


async def _stands_by(daemon: Process) -> bool:
    return "standing_by" in daemon.log.read_text()
