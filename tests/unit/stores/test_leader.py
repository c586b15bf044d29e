"""Several processes on one PostgreSQL: one leads, the deposed can change nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import psycopg
import pytest

from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.change import Change
from stewardmon.errors import DeposedError, StoreError
from stewardmon.ports import Store
from stewardmon.stores import leadership, open_store
from stewardmon.stores.leadership import Leadership
from stewardmon.stores.postgres import PostgresDialect
from stewardmon.stores.sql import SqlStore
from tests.contracts.store_values import T0, at, delivery, incident

Member = tuple[Store, Leadership]


@pytest.fixture
async def members(database: str) -> AsyncIterator[tuple[Member, Member]]:
    """Two daemons over one database."""
    async with AsyncExitStack() as stack:
        both: list[Member] = []
        for name in ("a", "b"):
            store, _ = open_store(database)
            await store.open()
            stack.push_async_callback(store.close)
            right = leadership(store, holder=name)
            stack.push_async_callback(right.release)
            both.append((store, right))
        yield both[0], both[1]


async def test_only_one_leads_until_it_lets_go(members: tuple[Member, Member]) -> None:
    (_, a), (_, b) = members
    assert await a.acquire(now=T0)
    assert not await b.acquire(now=T0)
    assert not await b.renew(now=T0)
    assert await a.renew(now=at(seconds=10))
    assert await a.acquire(now=at(seconds=11))
    await a.release()
    assert await b.acquire(now=at(seconds=20))


async def test_the_deposed_can_neither_decide_nor_claim(members: tuple[Member, Member]) -> None:
    (old, a), (new, b) = members
    assert await a.acquire(now=T0)
    await old.commit(Change(incidents=(incident(),), deliveries=(delivery(),)))
    await a.release()
    await old.commit(Change(incidents=(incident(reached=1),)))
    assert await b.acquire(now=T0)
    with pytest.raises(DeposedError, match="another stewardmon leads"):
        await old.commit(Change(incidents=(incident(reached=2),)))
    with pytest.raises(DeposedError):
        await old.claim(now=T0, lease=T0 - T0, limit=1)
    held = await new.incident("i1")
    assert held is not None
    assert held.reached == 1
    assert [row.dedup_key for row in await new.unsettled()] == ["k1"]
    await new.commit(Change(incidents=(incident(reached=3),)))


async def test_a_lost_connection_is_lost_leadership(own_postgres: PostgresServer) -> None:
    url = own_postgres.create_database("leading")
    store, _ = open_store(url)
    await store.open()
    right = leadership(store, holder="a")
    assert await right.acquire(now=T0)
    own_postgres.stop("fast")
    assert not await right.renew(now=T0)
    with pytest.raises(StoreError, match="cannot be used"):
        await right.acquire(now=T0)
    own_postgres.start()
    assert await right.acquire(now=T0)
    await store.commit(Change(incidents=(incident(),)))
    await right.release()
    await store.close()


async def test_a_state_of_ones_own_is_always_led() -> None:
    store, _ = open_store("memory://")
    right = leadership(store, holder="a")
    assert await right.acquire(now=T0)
    assert await right.renew(now=T0)
    await right.release()


async def test_a_server_that_is_down_is_an_error_until_it_is_back(
    own_postgres: PostgresServer,
) -> None:
    store, _ = open_store(own_postgres.create_database("restarted"))
    await store.open()
    own_postgres.stop("fast")
    with pytest.raises(StoreError, match="cannot be used") as caught:
        await store.commit(Change(incidents=(incident(),)))
    assert own_postgres.password not in str(caught.value)
    own_postgres.start()
    await store.commit(Change(incidents=(incident(),)))
    own_postgres.restart()
    await store.commit(Change(incidents=(incident(reached=1),)))
    assert await store.incident("i1") == incident(reached=1)
    await store.close()


async def test_a_frozen_server_is_hung_up_on(own_postgres: PostgresServer) -> None:
    dialect = PostgresDialect(own_postgres.create_database("frozen"), patience=0.3)
    store = SqlStore(dialect)
    await store.open()
    await store.commit(Change(incidents=(incident(),)))
    processes = backends(own_postgres, "frozen")
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(StoreError, match="cannot be used"):
            await store.commit(Change(incidents=(incident(reached=1),)))
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    await store.commit(Change(incidents=(incident(reached=2),)))
    held = await store.incident("i1")
    assert held is not None
    assert held.reached == 2
    await store.close()


def backends(server: PostgresServer, database: str) -> list[int]:
    """Return the server's processes that serve stewardmon's connections to a database."""
    wanted = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND application_name = %s"
    with psycopg.connect(server.url) as connection:
        return [pid for (pid,) in connection.execute(wanted, [database, "stewardmon"])]


async def test_whoever_led_before_another_did_knows_the_past_only(
    members: tuple[Member, Member], database: str
) -> None:
    (_, a), (_, b) = members
    assert await a.acquire(now=T0)
    _end_connections(database)
    assert not await a.renew(now=T0)
    assert await a.acquire(now=T0)  # nobody else has led: it goes on
    _end_connections(database)
    assert not await a.renew(now=T0)
    assert await b.acquire(now=T0)
    await b.release()
    with pytest.raises(DeposedError, match="meanwhile"):
        await a.acquire(now=T0)


def _end_connections(database: str) -> None:
    """End whoever holds an advisory lock, as a network that breaks does."""
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks "
            "WHERE locktype = 'advisory' AND pid <> pg_backend_pid() "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
