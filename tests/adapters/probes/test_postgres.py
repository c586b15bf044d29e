"""The postgres probe against a real PostgreSQL, well and unwell."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
import pytest
from pydantic import ValidationError

from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Reason, State
from stewardmon.probes import KINDS
from stewardmon.probes.postgres import PostgresSettings
from tests.support.probing import asked, measured
from tests.support.servers import Behaviour, closed_port, garbage, hangs, hangs_up, resets, serving
from tests.support.waiting import until

PRISMA = "pgbouncer=true&connection_limit=1&pool_timeout=10&schema=public&sslmode=prefer"


def run(url: str, *statements: str) -> None:
    """Run statements, each committed on its own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    """Freeze the server's main process: it accepts connections and never serves one."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def ours(server: PostgresServer) -> int:
    """Count the probe's connections that the server still knows of."""
    with psycopg.connect(server.url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stewardmon'"
        ).fetchone()
        assert row is not None
        return int(row[0])


async def test_a_database_that_answers(database: str) -> None:
    outcome = await asked("postgres", url=database)
    assert (outcome.state, outcome.reason) == (State.UP, Reason.OK)
    assert list(outcome.phases) == ["connect", "query"]
    found = measured(outcome)
    assert found["pg_up"] == 1
    assert 0 < found["stewardmon_pg_query_duration_seconds"] < 5
    assert found["stewardmon_pg_duration_seconds{phase=connect}"] > 0
    assert found["pg_settings_max_connections"] == 60
    assert found["pg_settings_superuser_reserved_connections"] == 3
    assert found["pg_stat_activity_count{state=active}"] >= 1
    assert found["pg_stat_activity_count{state=idle in transaction}"] >= 0
    name = database.rpartition("/")[2]
    assert found[f"pg_database_size_bytes{{datname={name}}}"] > 1_000_000
    assert found[f"pg_stat_database_blks_hit{{datname={name}}}"] > 0
    assert found["stewardmon_pg_read_only"] == 0


async def test_prismas_parameters_are_taken(database: str) -> None:
    assert (await asked("postgres", url=f"{database}?{PRISMA}")).success


async def test_figures_can_be_left_out(database: str) -> None:
    found = measured(await asked("postgres", url=database, figures=False))
    assert found["pg_up"] == 1
    assert "pg_settings_max_connections" not in found


async def test_the_room_it_has_stands_beside_its_size(postgres: PostgresServer) -> None:
    found = measured(await asked("postgres", url=postgres.url, capacity="8GB"))
    sizes = {name.partition("{")[2] for name in found if name.startswith("pg_database_size_bytes")}
    (labels,) = sizes
    assert found[f"stewardmon_pg_capacity_bytes{{{labels}"] == 8_000_000_000


async def test_nothing_is_left_in_the_session_or_behind(postgres: PostgresServer) -> None:
    assert (await asked("postgres", url=postgres.url)).success
    await asyncio.to_thread(until, lambda: ours(postgres) == 0, what="the connection to be gone")


async def test_a_wrong_password(postgres: PostgresServer) -> None:
    outcome = await asked("postgres", url=postgres.url.replace(postgres.password, "hunter2"))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.AUTH)
    assert "hunter2" not in repr(outcome)
    assert measured(outcome)["pg_up"] == 0


async def test_a_database_that_does_not_exist(postgres: PostgresServer) -> None:
    outcome = await asked("postgres", url=postgres.url_of("nowhere"))
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.MISSING)


async def test_tls_that_the_server_does_not_offer(database: str) -> None:
    outcome = await asked("postgres", url=f"{database}?sslmode=require")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TLS)


async def test_no_right_to_connect(postgres: PostgresServer, database: str) -> None:
    name = database.rpartition("/")[2]
    run(
        database,
        f"CREATE ROLE {name}_guest LOGIN PASSWORD 'guest'",
        f"REVOKE CONNECT ON DATABASE {name} FROM public",
    )
    try:
        url = f"postgresql://{name}_guest:guest@127.0.0.1:{postgres.port}/{name}"
        outcome = await asked("postgres", url=url)
    finally:
        run(database, f"DROP ROLE {name}_guest")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.PERMISSION)


async def test_a_database_that_takes_no_writes(database: str) -> None:
    name = database.rpartition("/")[2]
    run(database, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    outcome = await asked("postgres", url=database)
    assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.READ_ONLY)
    assert outcome.detail.endswith("takes no writes: default_transaction_read_only is on")
    found = measured(outcome)
    assert (found["pg_up"], found["stewardmon_pg_read_only"]) == (1, 1)
    assert (await asked("postgres", url=database, read_only=True)).success


async def test_no_connection_left(own_postgres: PostgresServer) -> None:
    run(own_postgres.url, "CREATE ROLE app LOGIN PASSWORD 'app'")
    url = f"postgresql://app:app@127.0.0.1:{own_postgres.port}/steward"
    with ExitStack() as held:
        # 60 connections, 3 of which are for superusers.
        for _ in range(57):
            held.enter_context(psycopg.connect(url))
        outcome = await asked("postgres", url=url)
        assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TOO_MANY_CONNECTIONS)
    assert measured(outcome)["pg_up"] == 0


async def test_stopped_and_back(own_postgres: PostgresServer) -> None:
    own_postgres.stop()
    outcome = await asked("postgres", url=own_postgres.url)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REFUSED)
    assert measured(outcome)["pg_up"] == 0
    own_postgres.start()
    assert (await asked("postgres", url=own_postgres.url)).success


async def test_a_frozen_server_is_cut_by_the_timeout(own_postgres: PostgresServer) -> None:
    with frozen(own_postgres):
        outcome = await asked("postgres", url=own_postgres.url, timeout=0.3)
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.TIMEOUT)
    assert outcome.detail == "no answer within 0.3 s while connecting"
    assert outcome.duration < 4
    assert measured(outcome)["pg_up"] == 0
    await asyncio.to_thread(until, lambda: ours(own_postgres) == 0, what="no connection left over")


async def test_a_server_that_freezes_amid_a_query_is_cut(own_postgres: PostgresServer) -> None:
    """psycopg itself would ask the server to cancel, and wait for that as long again and more."""
    url = own_postgres.url
    async with asyncio.TaskGroup() as group:
        asking = group.create_task(
            asked("postgres_query", timeout=1, url=url, query="SELECT pg_sleep(30)"), name="asking"
        )
        await asyncio.to_thread(until, lambda: ours(own_postgres) == 1, what="the query to run")
        with frozen(own_postgres):
            outcome = await asking
    assert outcome.reason is Reason.TIMEOUT
    assert outcome.detail == "no answer within 1 s while waiting for a query's result"
    assert outcome.duration < 3


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (garbage, Reason.PROTOCOL),
        (hangs_up, Reason.RESET),
        (resets, Reason.RESET),
        (hangs, Reason.TIMEOUT),
    ],
)
async def test_something_else_listens_there(behaviour: Behaviour, reason: Reason) -> None:
    async with serving(behaviour) as server:
        url = f"postgresql://app:hunter2@127.0.0.1:{server.port}/app"
        outcome = await asked("postgres", url=url, timeout=0.5)
    assert (outcome.state, outcome.reason) == (State.DOWN, reason), outcome.detail
    assert measured(outcome)["pg_up"] == 0
    assert "hunter2" not in repr(outcome)


async def test_a_name_that_does_not_exist() -> None:
    outcome = await asked("postgres", url="postgresql://app:hunter2@no-such-host.invalid/app")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.DNS)
    assert outcome.detail == "the name no-such-host.invalid does not exist"


async def test_nothing_listens() -> None:
    port = closed_port()
    outcome = await asked("postgres", url=f"postgres://app:hunter2@localhost:{port}/app")
    assert (outcome.state, outcome.reason) == (State.DOWN, Reason.REFUSED)
    assert outcome.detail.startswith(f"nothing listens on localhost:{port}: connection refused")


@pytest.mark.parametrize(
    "url",
    [
        "mysql://app:hunter2@db/app",
        "postgresql://app:hunter2@db:notaport/app",
        "postgresql://app:hunter2@db:99999/app",
        "postgresql://app:hunter2%zz@db/app",
        "hunter2",
        "",
    ],
)
def test_an_address_that_is_none_is_not_repeated(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        PostgresSettings.model_validate({"url": url})
    said = caught.value.errors()[0]["msg"]
    assert "write postgresql://user:password@host:5432/database" in said
    assert "hunt" not in said


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://app:hunter2@db.example:6543/app?pgbouncer=true", "db.example:6543"),
        ("postgres://db.example/app", "db.example:5432"),
        ("postgresql://a:b@[::1]:5433/x", "::1:5433"),
        ("postgresql://a:b@one:5433,two/x", "one:5433"),
        ("postgresql:///x?host=/run/postgresql", "/run/postgresql:5432"),
    ],
)
def test_the_instance_holds_no_secret(url: str, shown: str) -> None:
    kind = KINDS["postgres"]
    settings: Any = kind.settings.model_validate({"url": url})
    assert kind.instance(settings) == shown
