"""Servers under measurement: started on loopback, waited for, ended by the one who started them."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).parents[1]
#: BENCH_PYTHON measures an installation without the test tools.
PYTHON: Final = os.environ.get("BENCH_PYTHON", sys.executable)

#: A client that reads the world's certificates takes 25 ms of a core to make.
NO_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class MissingError(Exception):
    """A peer that is not installed; says which package brings it."""


def peer(program: str, package: str) -> str:
    """Return where a peer's program is. Raises MissingError."""
    found = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/bin:/usr/sbin")
    if found is None:
        raise MissingError(f"{program} is not installed: apt-get install {package}")
    return found


def wait_for(check: Callable[[], bool], what: str, within: float = 120) -> None:
    """Return once `check` says yes; end the program where it does not in time."""
    deadline = time.monotonic() + within
    while not check():
        if time.monotonic() > deadline:
            sys.exit(f"not within {within:g} s: {what}")
        time.sleep(0.02)


def answers(url: str) -> bool:
    """Say whether a server answers."""
    try:
        return httpx.get(url, trust_env=False, verify=NO_TLS, timeout=2).status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def running(
    command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in its folder until the block ends."""
    with (folder / f"log-{Path(command[0]).name}").open("wb") as out:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(env or {})}, stdout=out, stderr=out
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def stewardmon(folder: Path, port: int) -> list[str]:
    """Return the command of a daemon over `folder`/rules."""
    return [
        PYTHON, "-m", "stewardmon", "run", "--rules", str(folder / "rules"),
        "--state", str(folder / "state.db"), "--listen", f"127.0.0.1:{port}",
    ]  # fmt: skip


QUIET: Final[Mapping[str, str]] = {"LOG_LEVEL": "error", "PYTHONPATH": str(ROOT)}
