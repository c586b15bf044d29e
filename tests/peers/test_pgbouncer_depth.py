"""PLATFORM.md section 4, row by row: provoked for real, seen directly and through a real pooler."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from threading import Thread
from typing import Any, Final

import psycopg
import pytest

from stewardmon.demo.postgres import PostgresServer
from stewardmon.domain.outcome import Outcome, Reason, State
from tests.support.peers import needs_peer
from tests.support.pooler import pooling
from tests.support.probing import asked, measured
from tests.support.servers import LOOPBACK
from tests.support.waiting import until

pytestmark = needs_peer("pgbouncer")

ALLOWED: Final = 20
SETTINGS: Final = {
    "shared_preload_libraries": "pg_stat_statements",
    "max_connections": str(ALLOWED),
    "shared_buffers": "1MB",
    "deadlock_timeout": "20ms",
    "autovacuum": "off",
}
RECEIPT: Final = (
    'INSERT INTO receipts ("userId", merchant, total, "purchaseDate", "createdAt") VALUES'
    " (gen_random_uuid(), 'Same', 1, now(), now())"
)


@dataclass(frozen=True, slots=True)
class Paths:
    """One database, and the two ways to it."""

    direct: str
    pooled: str

    async def ask(self, kind: str, **settings: Any) -> tuple[Outcome, Outcome]:
        """Ask a probe on both ways, one after the other."""
        direct = await asked(kind, url=self.direct, timeout=15, **settings)
        return direct, await asked(kind, url=self.pooled, timeout=15, **settings)

    async def depth(self, *checks: str, **settings: Any) -> tuple[Outcome, Outcome]:
        """Ask some checks of the inside."""
        return await self.ask("postgres_depth", checks=checks, **settings)

    async def figures(self) -> tuple[dict[str, float], dict[str, float]]:
        """Return the figures that the database probe reads, on both ways."""
        direct, pooled = await self.ask("postgres")
        assert direct.success, direct.detail
        assert pooled.success, pooled.detail
        return measured(direct), measured(pooled)

    def run(self, *statements: str) -> None:
        """Run statements past the pooler, each committed on its own."""
        with psycopg.connect(self.direct, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())


class Standby(PostgresServer):
    """A replica of another server, made of a base backup as operators make one."""

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__(settings=SETTINGS)
        self._primary = primary

    @property
    def url(self) -> str:
        return self._primary.url.replace(f":{self._primary.port}/", f":{self.port}/")

    def create_database(self, name: str) -> str:
        """It has what its primary has."""
        return self.url_of(name)

    def _initialise(self, word: Path) -> None:
        with (self._home / "basebackup.log").open("w+b") as log:
            source = self._primary.url_of("postgres")
            options = ("-D", str(self._data), "-R", "-X", "stream", "-c", "fast", "--no-sync")
            process = self._popen(log, "pg_basebackup", "-d", source, *options)
            assert process.wait(60) == 0, (self._home / "basebackup.log").read_text()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(settings=SETTINGS) as running:
        schema = files("stewardmon.demo").joinpath("schema.sql").read_text()
        with psycopg.connect(running.url, autocommit=True) as connection:
            for role in ("anon", "service_role", "stewardmon"):
                connection.execute(f"CREATE ROLE {role}")
            connection.execute(schema.encode())
            connection.execute("CREATE EXTENSION pg_stat_statements")
        yield running


@pytest.fixture(scope="module")
def paths(server: PostgresServer) -> Iterator[Paths]:
    words = f"host={LOOPBACK} port={server.port} user=steward password={server.password}"
    with pooling({"app": f"{words} dbname=steward"}, pool_size=2, clients=10) as url:
        pooled = f"{url}/app?pgbouncer=true"

        until(lambda: _answers(pooled), what="pgbouncer to answer")
        yield Paths(direct=server.url, pooled=pooled)


def _answers(pooled: str) -> bool:
    try:
        return _true(pooled.partition("?")[0], "SELECT true")
    except psycopg.OperationalError:
        return False


def _true(url: str, query: str) -> bool:
    with psycopg.connect(url, connect_timeout=1) as connection:
        found = connection.execute(query.encode()).fetchone()
    return found is not None and bool(found[0])


@contextmanager
def holding(url: str, *statements: str) -> Iterator[psycopg.Connection[Any]]:
    """Keep a transaction open in which the statements ran."""
    with psycopg.connect(url) as connection:
        for statement in statements:
            connection.execute(statement.encode())
        yield connection
        connection.rollback()


def both(outcomes: tuple[Outcome, Outcome], says: str) -> None:
    """Fail unless both ways found the same."""
    for outcome in outcomes:
        assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.FINDING), outcome.detail
        assert any(says in line for line in outcome.findings), outcome.findings


def rose(
    before: tuple[dict[str, float], ...], after: tuple[dict[str, float], ...], name: str
) -> list[float]:
    """By how much a counter rose, on each way."""
    key = f"pg_stat_database_{name}{{datname=steward}}"
    return [late[key] - early[key] for early, late in zip(before, after, strict=True)]


async def test_connections(paths: Paths) -> None:
    """The share of what is allowed, of which the rules make 80 and 95 %."""
    with ExitStack() as stack:
        for _ in range(ALLOWED - 3 - 3):  # three are the superuser's, three the probes' and pool's
            stack.enter_context(psycopg.connect(paths.direct))
        for figures in await paths.figures():
            used = sum(
                n for name, n in figures.items() if name.startswith("pg_stat_activity_count")
            )
            reserved = figures["pg_settings_superuser_reserved_connections"]
            assert used / (figures["pg_settings_max_connections"] - reserved) > 0.8
    with ExitStack() as stack:
        stack.enter_context(psycopg.connect(paths.direct))
        while True:
            try:
                stack.enter_context(psycopg.connect(paths.direct))
            except psycopg.OperationalError:
                break
        direct = await asked("postgres", url=paths.direct)
        pooled = await asked("postgres", url=paths.pooled, timeout=1)
    assert (direct.state, direct.reason) == (State.DOWN, Reason.TOO_MANY_CONNECTIONS)
    # The pooler lends what it has; where it has none, it lets its clients wait for one.
    assert pooled.success or pooled.reason in (Reason.TIMEOUT, Reason.TOO_MANY_CONNECTIONS)
    until(lambda: _answers(paths.pooled), what="the pooler to try anew")


async def test_transactions_that_last_or_idle(paths: Paths) -> None:
    with holding(paths.direct, "SELECT 1"):
        limits = {"idle_transaction_age": "1ms"}
        outcomes = await paths.depth("transactions", limits=limits)
    both(outcomes, "(idle in transaction)")
    for outcome in outcomes:
        oldest = measured(outcome)["pg_stat_activity_max_tx_duration{state=idle in transaction}"]
        assert oldest > 0
    with psycopg.connect(paths.direct) as busy:
        thread = Thread(target=_sleeps, args=(busy,))
        thread.start()
        until(lambda: _true(paths.direct, SLEEPING), what="a query to run")
        outcomes = await paths.depth("transactions", limits={"transaction_age": "1ms"})
        busy.cancel_safe()
        thread.join()
    both(outcomes, "(active)")


SLEEPING: Final = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


def _sleeps(connection: psycopg.Connection[Any]) -> None:
    with suppress(psycopg.errors.QueryCanceled):
        connection.execute("SELECT pg_sleep(30)")


@pytest.mark.parametrize("locker", ["direct", "pooled"])
async def test_who_waits_for_a_lock(paths: Paths, locker: str) -> None:
    """Whoever holds it: somebody at the console, or the app, through the pooler."""
    url = paths.direct if locker == "direct" else paths.pooled.partition("?")[0]
    waiter = psycopg.connect(paths.direct)
    with waiter, holding(url, "LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE") as holder:
        blocked = asyncio.to_thread(waiter.execute, "SELECT count(*) FROM receipts")
        async with asyncio.TaskGroup() as group:
            group.create_task(blocked, name="blocked")
            await asyncio.to_thread(until, lambda: _true(paths.direct, WAITING), what="one to wait")
            outcomes = await paths.depth("blocked")
            holder.rollback()
    both(outcomes, "for a lock of")
    assert [measured(one)["stewardmon_pg_blocked"] for one in outcomes] == [1, 1]


WAITING: Final = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"


async def test_blocks_that_are_not_in_memory(paths: Paths) -> None:
    paths.run("CREATE TABLE wide AS SELECT n, repeat('x', 900) FROM generate_series(1, 6000) n")
    before = await paths.figures()
    paths.run(*["SELECT count(*) FROM wide"] * 3)
    after = await paths.figures()
    for hit, read in zip(
        rose(before, after, "blks_hit"), rose(before, after, "blks_read"), strict=True
    ):
        assert hit / (hit + read) < 0.9


async def test_deadlocks_temporary_files_and_rollbacks(paths: Paths) -> None:
    paths.run("CREATE TABLE pair AS SELECT generate_series(1, 2) AS n")
    before = await paths.figures()
    with psycopg.connect(paths.direct) as one, psycopg.connect(paths.direct) as two:
        one.execute("UPDATE pair SET n = n WHERE n = 1")
        two.execute("UPDATE pair SET n = n WHERE n = 2")
        waits = asyncio.to_thread(_tried, one, "UPDATE pair SET n = n WHERE n = 2")
        crosses = asyncio.to_thread(_tried, two, "UPDATE pair SET n = n WHERE n = 1")
        assert sorted(await asyncio.gather(waits, crosses)) == [False, True]
        one.rollback()
        two.rollback()
    paths.run("SET work_mem = '64kB'", "SELECT n FROM generate_series(1, 60000) n ORDER BY 1 - n")
    with psycopg.connect(paths.direct, autocommit=True) as connection:
        connection.execute("SET work_mem = '64kB'")
        connection.execute("SELECT n FROM generate_series(1, 60000) n ORDER BY 1 - n").fetchall()
    with psycopg.connect(paths.direct) as connection:
        for _ in range(10):
            connection.execute("SELECT 1")
            connection.rollback()
    after = await paths.figures()
    assert rose(before, after, "deadlocks") == [1, 1]
    assert min(rose(before, after, "temp_bytes")) > 100_000
    assert min(rose(before, after, "xact_rollback")) >= 10


def _tried(connection: psycopg.Connection[Any], statement: str) -> bool:
    """Run it; say whether it was the deadlock's victim."""
    try:
        connection.execute(statement.encode())
    except psycopg.errors.DeadlockDetected:
        connection.rollback()
        return True
    return False


async def test_a_replica_that_is_behind(paths: Paths, server: PostgresServer) -> None:
    with Standby(server) as standby:
        words = f"host={LOOPBACK} port={standby.port} user=steward password={server.password}"
        with pooling({"app": f"{words} dbname=steward"}, pool_size=1, clients=5) as url:
            replica = Paths(direct=standby.url, pooled=f"{url}/app")
            for outcome in await paths.depth("replication"):
                assert measured(outcome)["stewardmon_pg_replicas"] == 1
            paths.run("CREATE TABLE news AS SELECT 1 AS n")
            caught_up = "SELECT pg_last_xact_replay_timestamp() IS NOT NULL"
            until(lambda: _true(standby.url, caught_up), what="the replica to follow")
            replica.run("SELECT pg_wal_replay_pause()")
            paths.run("INSERT INTO news VALUES (2)")
            behind = (
                "SELECT pg_last_wal_receive_lsn() <> pg_last_wal_replay_lsn()"
                " AND clock_timestamp() - pg_last_xact_replay_timestamp() > interval '10ms'"
            )
            until(lambda: _true(standby.url, behind), what="the replica to be behind")
            outcomes = await replica.depth("replication", limits={"replication_lag": "1ms"})
            both(outcomes, "behind")
            for outcome in await replica.ask("postgres"):
                assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.READ_ONLY)
                assert measured(outcome)["pg_replication_is_replica"] == 1


async def test_a_slot_that_nobody_reads(paths: Paths) -> None:
    paths.run("SELECT pg_create_physical_replication_slot('forgotten', true)", RECEIPT)
    try:
        outcomes = await paths.depth("slots", limits={"slot_bytes": 0})
    finally:
        paths.run("SELECT pg_drop_replication_slot('forgotten')")
    both(outcomes, "nobody reads the replication slot forgotten")
    both(outcomes, "the replication slot forgotten holds back")


async def test_transaction_numbers_grow_old(paths: Paths) -> None:
    paths.run("SELECT txid_current()", "SELECT txid_current()")
    both(await paths.depth("wraparound", limits={"wraparound_age": 1}), "transactions unfrozen")


async def test_dead_rows(paths: Paths) -> None:
    paths.run(
        "CREATE TABLE churned AS SELECT generate_series(1, 1000) AS n",
        "UPDATE churned SET n = n + 1",
        "ANALYZE churned",
    )
    both(await paths.depth("dead_tuples"), "churned has 1000 dead rows, 4.0 times what starts")
    paths.run("DROP TABLE churned")


async def test_an_invalid_index_and_one_that_is_wanted(paths: Paths) -> None:
    paths.run(RECEIPT, RECEIPT)
    with pytest.raises(psycopg.errors.UniqueViolation):
        paths.run("CREATE UNIQUE INDEX CONCURRENTLY half_built ON receipts (merchant)")
    both(await paths.depth("indexes"), "the index half_built is not valid")
    paths.run("DROP INDEX half_built", 'DROP INDEX "receipts_userId_purchaseDate_idx"')
    wanted = "receipts has no valid index that starts with userId, purchaseDate"
    both(await paths.depth("indexes"), wanted)
    paths.run('CREATE INDEX ON receipts ("userId", "purchaseDate")')
    assert all(outcome.success for outcome in await paths.depth("indexes"))


async def test_statements_that_are_slow(paths: Paths) -> None:
    paths.run("SELECT pg_stat_statements_reset()", "SELECT pg_sleep(0.05)")
    outcomes = await paths.depth("statements", limits={"statement_mean": "20ms"})
    both(outcomes, "ms): SELECT pg_sleep($1)")


async def test_the_size_that_it_takes(paths: Paths) -> None:
    name = "pg_database_size_bytes{datname=steward}"
    before = await paths.figures()
    paths.run("CREATE TABLE grown AS SELECT repeat('x', 900) FROM generate_series(1, 3000)")
    after = await paths.figures()
    assert all(late[name] - early[name] > 2e6 for early, late in zip(before, after, strict=True))


async def test_a_migration_that_failed(paths: Paths) -> None:
    paths.run(
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, logs)"
        " VALUES ('1', 'c', 'three', 'Database error code: 23502')"
    )
    both(await paths.depth("migrations"), "the migration three failed")
    paths.run("DELETE FROM _prisma_migrations")


async def test_a_database_that_takes_no_writes(paths: Paths) -> None:
    paths.run(
        "ALTER DATABASE steward SET default_transaction_read_only = on",
        # Else the pooler's connections remember what was before.
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = 'steward' AND pid <> pg_backend_pid()",
    )
    try:
        for outcome in await paths.ask("postgres"):
            assert (outcome.state, outcome.reason) == (State.DEGRADED, Reason.READ_ONLY)
    finally:
        paths.run(
            "SET default_transaction_read_only = off",
            "ALTER DATABASE steward RESET default_transaction_read_only",
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = 'steward' AND pid <> pg_backend_pid()",
        )
    assert all(outcome.success for outcome in await paths.ask("postgres"))
