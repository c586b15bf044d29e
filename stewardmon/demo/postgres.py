"""A real PostgreSQL server of our own: for the demo, and for every test that needs a database.

Its programs are Debian's where they are installed, else those of the wheel `pgserver`. It listens
on a loopback port, asks for a password, lives in a temporary folder, and never runs as root:
PostgreSQL refuses that, so root starts it as an unprivileged user.
"""

from __future__ import annotations

import os
import pwd
import random
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal, Self
from urllib.parse import quote

import psycopg
from psycopg import sql

from stewardmon.errors import StewardmonError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

DEBIAN: Final = Path("/usr/lib/postgresql")
USER: Final = "steward"
# Below the range that Linux gives to outgoing connections, so that a stopped server's port is
# still free when it comes back.
PORTS: Final = range(20_000, 32_000)
STEP_SECONDS: Final = 60
POLL_SECONDS: Final = 0.01
# A demo's database may be lost: speed is worth more than what a power cut would leave.
SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "60",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

StopMode = Literal["smart", "fast", "immediate"]
SIGNALS: Final[Mapping[StopMode, signal.Signals]] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom the server runs as; None of it where we are not root and stay who we are."""

    uid: int | None = None
    gid: int | None = None


def free_port() -> int:
    """Return a loopback TCP port on which nothing listens now."""
    for port in random.sample(PORTS, k=200):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise StewardmonError(f"no free port on 127.0.0.1 between {PORTS[0]} and {PORTS[-1]}")


def find_programs() -> Path:
    """Return the folder of initdb and postgres: Debian's newest version, else the wheel's."""
    versions = (path.parent for path in DEBIAN.glob("*/bin/initdb"))
    debian = max(versions, key=lambda folder: float(folder.parent.name), default=None)
    if debian is not None:
        return debian
    wheel = find_spec("pgserver")  # found, not imported: its import makes folders
    for place in (wheel.submodule_search_locations or ()) if wheel else ():
        programs = Path(place) / "pginstall" / "bin"
        if (programs / "initdb").exists():
            return programs
    raise StewardmonError(
        "no PostgreSQL server found: install Debian's package postgresql,"
        " or stewardmon's extra `demo` (Python 3.11 or 3.12 on x86_64)"
    )


def unprivileged() -> Account:
    """Return whom to run the server as: an unprivileged user where we are root."""
    if os.geteuid() != 0:
        return Account()
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


class PostgresServer:
    """One server: `start`, `stop`, `restart` keep its data, `close` deletes it.

    The methods block (a first start takes about a second): an event loop calls them through
    `asyncio.to_thread`. `programs` and `settings` override what would be found and set.
    """

    def __init__(
        self, *, programs: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._programs = programs
        self._settings = {**SETTINGS, **(settings or {})}
        self._account = unprivileged()
        self._folder: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.password: Final = secrets.token_urlsafe(18)
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """The address of the database `steward`, user and password included."""
        return self.url_of(USER)

    def url_of(self, database: str) -> str:
        """Return the address of one of this server's databases."""
        return (
            f"postgresql://{USER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}"
            f"/{quote(database, safe='')}"
        )

    @property
    def pid(self) -> int | None:
        """The server's process, None where it is not running."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def running(self) -> bool:
        """Whether the server's process is alive."""
        return self.pid is not None

    @property
    def log(self) -> str:
        """What the server has written to its log."""
        return "\n".join(_lines(self._log)) if self._folder else ""

    def start(self) -> None:
        """Start, on the same port and data as before; return once it accepts connections."""
        if self.running:
            return
        first = self._folder is None
        if first:
            self._prepare()
        while not self._spawn():
            if "pre-existing shared memory block" not in _last_lines(self._log):
                raise StewardmonError(f"PostgreSQL did not start: {_last_lines(self._log)}")
        if first:
            self.create_database(USER)

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop: `fast` cuts every session cleanly, `immediate` is a crash, `smart` waits."""
        if self._process is None or not self.running:
            return
        self._process.send_signal(SIGNALS[mode])
        try:
            self._process.wait(timeout=STEP_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise StewardmonError(
                f"PostgreSQL did not stop within {STEP_SECONDS} s: {_last_lines(self._log)}"
            ) from error

    def restart(self) -> None:
        """Stop and start: every session is cut."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop and delete everything."""
        if self._folder is None:
            return
        try:
            self.stop("immediate")
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def create_database(self, name: str) -> str:
        """Create an empty database and return its address."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, cutting whoever is still connected to it."""
        with psycopg.connect(self.url_of("postgres"), autocommit=True) as connection:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def _log(self) -> Path:
        return self._home / "server.log"

    @property
    def _home(self) -> Path:
        if self._folder is None:
            raise StewardmonError("the PostgreSQL server has not been started")
        return self._folder

    def _spawn(self) -> bool:
        """Start the server's process; False where it ended before it was ready."""
        with self._log.open("ab") as log:
            self._process = self._popen(log, "postgres", "-D", str(self._data))
        for _ in range(round(STEP_SECONDS / POLL_SECONDS)):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=POLL_SECONDS)
                return False
            if self._ready():
                return True
        self.stop("immediate")
        raise StewardmonError(f"PostgreSQL was not ready within {STEP_SECONDS} s")

    def _ready(self) -> bool:
        """Whether the server has noted that it accepts connections (its file's last line)."""
        noted = _lines(self._data / "postmaster.pid")
        return noted[:1] == [str(self.pid)] and noted[-1] == "ready"

    def _prepare(self) -> None:
        """Make the folder and the empty cluster in it."""
        programs = self._programs or find_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="stewardmon-postgres-", dir=_shared_folder()))
        self._own(self._folder)
        self._programs = self._within_reach(programs)
        self.port = free_port()
        word = self._folder / "password"
        word.touch(mode=0o600)
        word.write_text(self.password)
        self._own(word)
        self._initialise(word)
        word.unlink()
        with (self._data / "postgresql.conf").open("a") as conf:
            conf.writelines(
                f"{name} = '{value}'\n"
                for name, value in {**self._settings, "port": str(self.port)}.items()
            )

    def _within_reach(self, programs: Path) -> Path:
        """Return the programs where the server's user can run them: a copy, if need be."""
        if self._account.uid is None or _open_to_all(programs):
            return programs
        package, wheels = programs.parents[1], programs.parents[2]
        for folder in (package, *wheels.glob(f"{package.name}.libs")):
            copied = shutil.copytree(folder, self._home / folder.name)
            for path in (copied, *copied.rglob("*")):
                self._own(path)
        return self._home / programs.relative_to(wheels)

    def _own(self, path: Path) -> None:
        if self._account.uid is not None and self._account.gid is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _initialise(self, word: Path) -> None:
        """Make the empty cluster; what initdb says goes into the sentence of a failure."""
        said = self._home / "initdb.log"
        with said.open("w+b") as log:
            process = self._popen(
                log,
                *("initdb", "-D", str(self._data), "-U", USER, "-A", "scram-sha-256"),
                *("--pwfile", str(word), "-E", "UTF8", "--locale=C"),
                *("--no-sync", "--no-instructions"),
            )
            code = process.wait(timeout=STEP_SECONDS)
        if code != 0:
            raise StewardmonError(f"PostgreSQL's initdb failed: {_last_lines(said)}")

    def _popen(self, log: IO[bytes], program: str, *arguments: str) -> subprocess.Popen[bytes]:
        path = str((self._programs or find_programs()) / program)
        try:
            return subprocess.Popen(  # noqa: S603 - our own words only
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._home,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                user=self._account.uid,
                group=self._account.gid,
                extra_groups=None if self._account.uid is None else [],
                # Out of the terminal's group: Ctrl-C is for stewardmon, which then stops it.
                start_new_session=True,
            )
        except OSError as error:
            raise StewardmonError(f"{path} cannot be run: {error.strerror}") from error


def _lines(path: Path) -> list[str]:
    with suppress(FileNotFoundError):
        return [line.strip() for line in path.read_text(errors="replace").strip().splitlines()]
    return []


def _last_lines(path: Path) -> str:
    return " ".join(_lines(path)[-3:])


def _open_to_all(path: Path) -> bool:
    """Whether any user may enter this folder."""
    folder = path.resolve()
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def _shared_folder() -> Path:
    """Return a folder for temporary files that the server's user can reach too."""
    folder = Path(tempfile.gettempdir())
    if os.geteuid() != 0 or _open_to_all(folder):
        return folder
    return Path("/var/tmp")  # noqa: S108 - mkdtemp makes a private folder inside
