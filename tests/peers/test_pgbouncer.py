"""The database probes through a real pgbouncer in transaction mode, as the app connects."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Reason, State
from tests.support.peers import needs_peer
from tests.support.pooler import pooling
from tests.support.probing import asked, measured
from tests.support.servers import LOOPBACK
from tests.support.waiting import until

pytestmark = needs_peer("pgbouncer")


@pytest.fixture
def pooler(postgres: PostgresServer) -> Iterator[str]:
    """The address of a pooler with one server connection and three client connections."""
    place = f"host={LOOPBACK} port={postgres.port} user=steward password={postgres.password}"
    databases = {
        "app": f"{place} dbname=steward",
        "gone": f"{place} dbname=nowhere",
        "dead": f"host={LOOPBACK} port=1 dbname=steward user=steward password=x",
    }
    with pooling(databases, pool_size=1, clients=3) as url:
        until(lambda: _answers(url), what="pgbouncer to answer")
        yield url


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
