"""Real peers: finding them, starting them on loopback, and saying what to install where absent.

A test that needs one carries `@needs_peer("amtool")`, or takes one of the fixtures below. Without
the peer it skips with a line that names the Debian package; with STEWARDMON_PEERS=required (as CI
sets it) it fails instead.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import httpx
import pytest
import yaml

from stewardmon.demo.postgres import free_port
from tests.support.plain import NO_TLS
from tests.support.waiting import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Each peer's program, and the Debian package that brings it.
PACKAGES: Final[Mapping[str, str]] = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "prometheus-postgres-exporter": "prometheus-postgres-exporter",
    "vmalert": "victoria-metrics",
    "pgbouncer": "pgbouncer",
    "chromium": "chromium",
}
#: Their daemons may live where an ordinary user's PATH does not look.
PATH: Final = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
PROXY: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def find(program: str) -> Path | None:
    """Return where a peer's program is installed, None where it is not."""
    found = shutil.which(program, path=PATH)
    return Path(found) if found else None


def require(program: str) -> Path:
    """Return where a peer's program is; skip (in CI: fail) the test where it is not installed."""
    return find(program) or missing(
        f"{program} is not installed: apt-get install --no-install-recommends {PACKAGES[program]}"
    )


def missing(line: str) -> NoReturn:
    """End the test, saying what to install: a skip, or a failure where peers are required."""
    if os.environ.get("STEWARDMON_PEERS") == "required":
        pytest.fail(line, pytrace=False)
    pytest.skip(line)


def needs_peer(*programs: str) -> pytest.MarkDecorator:
    """Mark a test (or a module, through `pytestmark`) that needs these programs."""
    unknown = set(programs) - set(PACKAGES)
    assert not unknown, f"tests/support/peers.py names no package for {sorted(unknown)}"
    return pytest.mark.peer(*programs)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip or fail a marked test before its fixtures start anything."""
    for mark in item.iter_markers("peer"):
        for program in mark.args:
            require(program)


def run(program: str, *arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a peer's program to its end and return exit code, output and errors."""
    return subprocess.run(
        [require(program), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def promtool(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool, for instance `promtool("check", "metrics", stdin=text)`."""
    return run("promtool", *arguments, stdin=stdin)


def amtool(*arguments: str | Path, url: str) -> subprocess.CompletedProcess[str]:
    """Run amtool against the Alertmanager API at `url`."""
    return run("amtool", f"--alertmanager.url={url}", *arguments)


@dataclass(frozen=True, slots=True)
class Running:
    """A peer that answers: where, and what it has written."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


class Start(Protocol):
    """Start a peer with a configuration (as YAML would hold it), further files and flags."""

    def __call__(
        self,
        config: Mapping[str, object] | str = "",
        *,
        files: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
    ) -> Running:
        """Return once it answers; it ends with the test."""


@contextmanager
def started(
    command: Sequence[str | Path],
    *,
    folder: Path,
    url: str,
    ready: str,
    env: Mapping[str, str] = {},
) -> Iterator[Running]:
    """Run a server in `folder` until the block ends; `url` + `ready` answers 200 first."""
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={k: v for k, v in os.environ.items() if k not in PROXY} | dict(env),
        )
    try:
        until(
            lambda: process.poll() is not None or _answers(url + ready),
            what=f"{command[0]} answers at {url}{ready}",
            within=60,
        )
        assert process.poll() is None, f"{command[0]} ended at once: {log.read_text()[-2000:]}"
        yield Running(url, process, log)
    finally:
        _end(process)


@pytest.fixture
def start_prometheus(tmp_path: Path) -> Iterator[Start]:
    """Start real Prometheus servers; `files` (rule files) are written beside the configuration."""
    yield from _starter(
        tmp_path,
        "prometheus",
        ("--config.file=config.yml", "--storage.tsdb.path=data", "--web.enable-lifecycle"),
        ready="/-/ready",
    )


@pytest.fixture
def start_alertmanager(tmp_path: Path) -> Iterator[Start]:
    """Start real Alertmanagers, each alone (no cluster)."""
    yield from _starter(
        tmp_path,
        "prometheus-alertmanager",
        ("--config.file=config.yml", "--storage.path=data", "--cluster.listen-address="),
        ready="/-/ready",
    )


@pytest.fixture
def start_blackbox_exporter(tmp_path: Path) -> Iterator[Start]:
    """Start real blackbox_exporters; probe with `{url}/probe?module=…&target=…`."""
    yield from _starter(
        tmp_path,
        "prometheus-blackbox-exporter",
        ("--config.file=config.yml",),
        ready="/-/healthy",
    )


@pytest.fixture
def start_postgres_exporter(tmp_path: Path) -> Iterator[Start]:
    """Start real postgres_exporters; the configuration is the database's address."""
    yield from _starter(tmp_path, "prometheus-postgres-exporter", (), ready="/")


@pytest.fixture
def start_vmalert(tmp_path: Path) -> Iterator[Start]:
    """Start real vmalerts; the configuration is a rule file, flags name the datasource."""
    yield from _starter(
        tmp_path, "vmalert", ("-rule=config.yml",), ready="/health", listen="-httpListenAddr="
    )


def _starter(
    parent: Path,
    program: str,
    base: Sequence[str],
    *,
    ready: str,
    listen: str = "--web.listen-address=",
) -> Iterator[Start]:
    binary = require(program)
    with ExitStack() as running:

        def start(
            config: Mapping[str, object] | str = "",
            *,
            files: Mapping[str, str] | None = None,
            flags: Sequence[str] = (),
        ) -> Running:
            port = free_port()
            folder = parent / f"{program}-{port}"
            folder.mkdir()
            text = config if isinstance(config, str) else yaml.safe_dump(dict(config))
            for name, content in {"config.yml": text, **(files or {})}.items():
                (folder / name).write_text(content)
            address = f"127.0.0.1:{port}"
            return running.enter_context(
                started(
                    [binary, *base, f"{listen}{address}", *flags],
                    folder=folder,
                    url=f"http://{address}",
                    ready=ready,
                    env={"DATA_SOURCE_NAME": text},
                )
            )

        yield start


def _answers(url: str) -> bool:
    try:
        return (
            httpx.get(url, verify=NO_TLS, trust_env=False, timeout=2).status_code == httpx.codes.OK
        )
    except httpx.HTTPError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End this one process: politely first."""
    process.terminate()
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)
