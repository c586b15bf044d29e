"""The database probes through a real pgbouncer in transaction mode, as the app connects."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from stewardmon.demo.postgres import PostgresServer, free_port, unprivileged
from stewardmon.domain.outcome import Reason, State
from tests.support.peers import needs_peer, require
from tests.support.probing import asked, measured
from tests.support.servers import LOOPBACK
from tests.support.waiting import until

pytestmark = needs_peer("pgbouncer")

CONFIG = """
[databases]
app = host=127.0.0.1 port={server} dbname=steward user=steward password={password}
gone = host=127.0.0.1 port={server} dbname=nowhere user=steward password={password}
dead = host=127.0.0.1 port=1 dbname=steward user=steward password=x
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 1
max_client_conn = 3
server_login_retry = 1
"""


@pytest.fixture
def pooler(postgres: PostgresServer) -> Iterator[str]:
    """The address of a pooler with one server connection and three client connections."""
    port = free_port()
    text = CONFIG.format(server=postgres.port, password=postgres.password, port=port)
    # Root may not run it: it runs as the user that PostgreSQL does, who must reach the file.
    account = unprivileged()
    url = f"postgresql://steward@{LOOPBACK}:{port}"
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        config = Path(folder) / "pgbouncer.ini"
        config.write_text(text)
        if account.uid is not None:
            os.chown(folder, account.uid, -1)
            os.chown(config, account.uid, -1)
        process = subprocess.Popen(
            [require("pgbouncer"), "-q", config],
            user=account.uid,
            group=account.gid,
            extra_groups=None if account.uid is None else [],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            until(lambda: process.poll() is not None or _answers(url), what="pgbouncer to answer")
            assert process.poll() is None
            yield url
        finally:
            process.terminate()
            process.wait(10)


def _answers(url: str) -> bool:
    try:
        psycopg.connect(f"{url}/app", connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True


async def test_it_answers_through_the_pooler(pooler: str) -> None:
    url = f"{pooler}/app?pgbouncer=true&connection_limit=1"
    for _ in range(3):
        outcome = await asked("postgres", url=url)
        assert outcome.success, outcome.detail
    assert measured(outcome)["pg_up"] == 1
    assert (
        await asked("postgres_depth", url=url, checks=["constraints", "indexes"], indexes=[])
    ).success


async def test_nothing_is_left_set_for_the_next_client(pooler: str) -> None:
    url = f"{pooler}/app"
    with psycopg.connect(url, prepare_threshold=None) as connection:
        before = _settings(connection)
    assert (await asked("postgres", url=url)).success
    assert (await asked("postgres_query", url=url, query="SELECT 1")).success
    with psycopg.connect(url, prepare_threshold=None) as connection:
        assert _settings(connection) == before


def _settings(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute(
        "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'lock_timeout',"
        " 'default_transaction_read_only', 'search_path') ORDER BY name"
    ).fetchall()


async def test_the_poolers_own_words_are_understood(pooler: str) -> None:
    dead = await asked("postgres", url=f"{pooler}/dead", timeout=5)
    assert dead.state is State.DOWN
    assert dead.reason in (Reason.REFUSED, Reason.RESET, Reason.TIMEOUT), dead.detail
    gone = await asked("postgres", url=f"{pooler}/gone", timeout=5)
    assert (gone.state, gone.reason) == (State.DOWN, Reason.MISSING), gone.detail
    unknown = await asked("postgres", url=f"{pooler}/unheard_of")
    assert (unknown.state, unknown.reason) == (State.DOWN, Reason.SETUP), unknown.detail


async def test_the_pooler_has_no_connection_left(pooler: str) -> None:
    held = [psycopg.connect(f"{pooler}/app") for _ in range(3)]
    try:
        outcome = await asked("postgres", url=f"{pooler}/app")
    finally:
        for connection in held:
            connection.close()
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TOO_MANY_CONNECTIONS)
    assert measured(outcome)["pg_up"] == 0


async def test_the_pool_is_taken_by_another_transaction(pooler: str) -> None:
    with psycopg.connect(f"{pooler}/app") as connection:
        connection.execute("SELECT 1")
        outcome = await asked("postgres", url=f"{pooler}/app", timeout=0.5)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)
    assert outcome.detail == "no answer within 0.5 s while waiting for a query's result"
    assert outcome.duration < 6
