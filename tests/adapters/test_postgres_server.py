"""The PostgreSQL server of the demo and of the tests: real, private, gone afterwards."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from stewardmon.demo import postgres as module
from stewardmon.demo.postgres import PostgresServer, find_programs
from stewardmon.errors import StewardmonError
from tests.support.waiting import until

if TYPE_CHECKING:
    from typing import LiteralString


def ask(url: str, statement: LiteralString) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement).fetchone()
    return row[0] if row else None


@pytest.fixture
def only_the_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine on which Debian's server is not installed; returns the wheel's programs."""
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "absent")
    return find_programs()


@pytest.mark.parametrize("crash", ["fast", "immediate"])
def test_it_keeps_data_and_port_through_a_stop(
    own_postgres: PostgresServer, crash: module.StopMode
) -> None:
    port = own_postgres.port
    with psycopg.connect(own_postgres.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (answer int)")
        connection.execute("INSERT INTO kept VALUES (42)")
        connection.execute("CHECKPOINT")
    own_postgres.stop(crash)
    assert not own_postgres.running
    with pytest.raises(psycopg.OperationalError, match="refused"):
        psycopg.connect(own_postgres.url)
    own_postgres.start()
    assert own_postgres.port == port
    assert ask(own_postgres.url, "SELECT answer FROM kept") == 42


def test_it_comes_back_after_a_kill(own_postgres: PostgresServer) -> None:
    pid = own_postgres.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: not own_postgres.running, what="the process is gone")
    own_postgres.start()
    assert own_postgres.pid != pid
    assert ask(own_postgres.url, "SELECT 1") == 1


def test_a_restart_cuts_every_session(own_postgres: PostgresServer) -> None:
    with psycopg.connect(own_postgres.url) as connection:
        own_postgres.restart()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_it_wants_the_password(postgres: PostgresServer) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url.replace(postgres.password, "wrong"))


def test_it_never_runs_as_root(postgres: PostgresServer) -> None:
    assert Path(f"/proc/{postgres.pid}").stat().st_uid != 0


def test_closing_leaves_nothing_behind() -> None:
    with PostgresServer() as server:
        folder, pid = Path(str(ask(server.url, "SHOW data_directory"))).parent, server.pid
        assert folder.exists()
    assert pid is not None
    assert not folder.exists()
    assert not server.running


def test_the_wheel_serves_where_debian_does_not(only_the_wheel: Path) -> None:
    assert "pgserver" in only_the_wheel.parts
    with PostgresServer() as server:
        assert str(ask(server.url, "SHOW server_version")).startswith("16")


def test_programs_in_a_private_folder_are_copied_to_where_the_server_can_run_them(
    only_the_wheel: Path, tmp_path: Path
) -> None:
    private = tmp_path / "site-packages"
    package = only_the_wheel.parents[1]
    for folder in (package, package.parent / "pgserver.libs"):
        shutil.copytree(folder, private / folder.name)
    (private / "pgserver").chmod(0o700)
    with PostgresServer(programs=private / "pgserver" / "pginstall" / "bin") as server:
        assert ask(server.url, "SELECT 1") == 1


def test_settings_override_the_defaults() -> None:
    with PostgresServer(settings={"max_connections": "7"}) as server:
        assert ask(server.url, "SHOW max_connections") == "7"


def test_a_setting_that_cannot_be_is_one_clear_sentence_and_leaves_nothing() -> None:
    server = PostgresServer(settings={"max_connections": "many"})
    with pytest.raises(StewardmonError, match="max_connections"), server:
        pytest.fail("it must not start")
    assert not server.running
    assert server.log == ""


def test_without_any_server_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "DEBIAN", tmp_path / "absent")
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(StewardmonError, match="install Debian's package postgresql"):
        find_programs()


def test_each_database_starts_empty(database: str) -> None:
    assert ask(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
