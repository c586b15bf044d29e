"""What the database's faults do to the real PostgreSQL, and how each is repaired.

Every effect is an asynchronous context manager: entering breaks, leaving repairs.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Final, LiteralString

import psycopg

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import Connection, Database, connect
from stewardmon.demo.faults import Effect, Parameters
from stewardmon.demo.proxy import Disturbance, Way

_TOUCH: Final = (
    "UPDATE agent_logs SET cached = cached WHERE id = (SELECT min(id::text)::uuid FROM agent_logs)"
)
_BLOCKED: Final = "SELECT count(*) FROM pg_stat_activity WHERE pg_blocking_pids(pid) <> '{}'"
_STATEMENTS: Final[Mapping[Fault, tuple[LiteralString, LiteralString]]] = {
    Fault.DATABASE_MISSING_INDEX: (
        'DROP INDEX "receipts_userId_purchaseDate_idx"',
        'CREATE INDEX "receipts_userId_purchaseDate_idx" ON receipts ("userId", "purchaseDate")',
    ),
    Fault.DATABASE_MISSING_TABLE: (
        "ALTER TABLE receipts RENAME TO receipts_gone",
        "ALTER TABLE receipts_gone RENAME TO receipts",
    ),
    Fault.DATABASE_FAILED_MIGRATION: (
        "INSERT INTO _prisma_migrations (id, checksum, migration_name, logs) VALUES"
        " ('simulated-failure', repeat('0', 64), '20251101000000_totals_not_null',"
        " 'A migration failed to apply. Database error code: 23502')",
        "DELETE FROM _prisma_migrations WHERE id = 'simulated-failure'",
    ),
    Fault.DATABASE_MIGRATION_DRIFT: (
        "UPDATE _prisma_migrations SET checksum = reverse(checksum)"
        " WHERE migration_name = '20250301000000_agent_logs'",
        "UPDATE _prisma_migrations SET checksum = reverse(checksum)"
        " WHERE migration_name = '20250301000000_agent_logs'",
    ),
    Fault.DATABASE_INACTIVE_SLOT: (
        "SELECT pg_create_physical_replication_slot('simulated_replica', true)",
        "SELECT pg_drop_replication_slot('simulated_replica')",
    ),
    Fault.DATABASE_NO_RIGHTS: (
        "REVOKE pg_monitor FROM stewardmon;"
        " REVOKE SELECT ON receipts, agent_logs, _prisma_migrations FROM stewardmon",
        "GRANT pg_monitor TO stewardmon;"
        " GRANT SELECT ON receipts, agent_logs, _prisma_migrations TO stewardmon",
    ),
    Fault.SECURITY_RLS_OPEN: (
        "ALTER TABLE receipts DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE receipts ENABLE ROW LEVEL SECURITY",
    ),
    Fault.DATA_ORPHAN: (
        'INSERT INTO receipts (id, "userId", merchant, total, "purchaseDate") VALUES'
        " ('00000000-0000-4000-8000-00000000dead', gen_random_uuid(), 'Corner Market', 5, now())",
        "DELETE FROM receipts WHERE id = '00000000-0000-4000-8000-00000000dead'",
    ),
    Fault.DATA_UNVALIDATED_CONSTRAINT: (
        "ALTER TABLE receipts ADD CONSTRAINT total_sane CHECK (total < 1000000) NOT VALID",
        "ALTER TABLE receipts DROP CONSTRAINT total_sane",
    ),
}
_INSERT: Final = (
    'INSERT INTO receipts (id, "userId", merchant, total, "purchaseDate", category, "createdAt")'
    " VALUES (%s, %s, %s, %s, now() + %s * interval '1 hour', 'Shopping',"
    " now() - %s * interval '1 hour')"
)


# Statements of ours wait behind these, or cannot be sent at all.
BARRIERS: Final = frozenset({Fault.DATABASE_DOWN, Fault.DATABASE_LOCKED_TABLE})


def network_effects(database: Database) -> Mapping[Fault, Effect]:
    """Return what the faults between the app and its database do; they need no SQL."""
    return {
        Fault.DATABASE_DOWN: partial(_down, database),
        Fault.DATABASE_FROZEN: partial(_disturbed, database, Way.FROZEN),
        Fault.DATABASE_SLOW: partial(_disturbed, database, Way.LATE),
        Fault.DATABASE_RESET: partial(_disturbed, database, Way.RESET),
        Fault.DATABASE_CUT: partial(_disturbed, database, Way.CUT),
        Fault.DATABASE_TRICKLE: partial(_disturbed, database, Way.TRICKLE),
    }


def sql_effects(database: Database) -> Mapping[Fault, Effect]:
    """Return what the faults inside the database, and of its data, do."""
    effects: dict[Fault, Effect] = {
        fault: partial(_executed, database, breaks, repairs)
        for fault, (breaks, repairs) in _STATEMENTS.items()
    }
    return effects | {
        Fault.DATABASE_REFUSING: partial(_refusing, database),
        Fault.DATABASE_WRONG_PASSWORD: partial(_wrong_password, database),
        Fault.DATABASE_OUT_OF_CONNECTIONS: partial(_exhausted, database),
        Fault.DATABASE_READ_ONLY: partial(_read_only, database),
        Fault.DATABASE_BLOCKED: partial(_blocked, database),
        Fault.DATABASE_LOCKED_TABLE: partial(_locked_table, database),
        Fault.DATABASE_IDLE_TRANSACTION: partial(_idle_transaction, database),
        Fault.DATABASE_INVALID_INDEX: partial(_invalid_index, database),
        Fault.DATABASE_DEAD_TUPLES: partial(_dead_tuples, database),
        Fault.DATA_NEGATIVE_TOTAL: partial(_bad_receipt, database, "Corner Market", -12.5),
        Fault.DATA_STUCK_RECEIPT: partial(_bad_receipt, database, "Processing...", 0),
        Fault.DATA_FUTURE_DATE: partial(_bad_receipt, database, "Corner Market", 9.9),
    }


@asynccontextmanager
async def _executed(
    database: Database, breaks: LiteralString, repairs: LiteralString, _: Parameters
) -> AsyncIterator[None]:
    await _run(database, breaks)
    yield
    await _run(database, repairs)


@asynccontextmanager
async def _down(database: Database, _: Parameters) -> AsyncIterator[None]:
    await database.down()
    yield
    await database.up()


@asynccontextmanager
async def _disturbed(database: Database, way: Way, parameters: Parameters) -> AsyncIterator[None]:
    seconds, count = parameters.get("seconds", 0.0), int(parameters.get("bytes", 0))
    if way is Way.RESET:
        await database.proxy.drop()
    with database.proxy.disturbed(Disturbance(way, seconds=seconds, bytes=count)):
        yield


@asynccontextmanager
async def _refusing(database: Database, _: Parameters) -> AsyncIterator[None]:
    await _run(
        database,
        "ALTER ROLE steward_app NOLOGIN;"
        " SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'steward_app'",
    )
    yield
    await _run(database, "ALTER ROLE steward_app LOGIN")


@asynccontextmanager
async def _wrong_password(database: Database, _: Parameters) -> AsyncIterator[None]:
    await database.set_password("changed by somebody else")
    yield
    await database.set_password()


@asynccontextmanager
async def _exhausted(database: Database, _: Parameters) -> AsyncIterator[None]:
    """Take every slot that is not kept for superusers, with real sessions."""
    async with AsyncExitStack() as sessions:
        with suppress(psycopg.OperationalError):
            while True:
                await sessions.enter_async_context(_session(database.direct_url))
        yield


@asynccontextmanager
async def _read_only(database: Database, _: Parameters) -> AsyncIterator[None]:
    await _run(database, "ALTER SYSTEM SET default_transaction_read_only = on")
    await _run(database, "ALTER DATABASE steward SET default_transaction_read_only = on")
    await _run(database, "SELECT pg_reload_conf()")
    yield
    await _run(database, "ALTER SYSTEM RESET default_transaction_read_only")
    await _run(database, "ALTER DATABASE steward RESET default_transaction_read_only")
    await _run(database, "SELECT pg_reload_conf()")


@asynccontextmanager
async def _blocked(database: Database, parameters: Parameters) -> AsyncIterator[None]:
    """Hold a row of agent_logs, and let sessions wait for it.

    The waiters' statements are sent without waiting for an answer: no task is needed for them.
    """
    async with AsyncExitStack() as sessions:
        waiters = [
            await sessions.enter_async_context(_session(database.direct_url))
            for _ in range(int(parameters["waiters"]))
        ]
        holder = await sessions.enter_async_context(_session(database.direct_url))
        await holder.execute("BEGIN")
        await holder.execute(_TOUCH)
        for waiter in waiters:
            waiter.pgconn.send_query(_TOUCH.encode())
            waiter.pgconn.flush()
        await _until_blocked(database, len(waiters))
        yield


@asynccontextmanager
async def _locked_table(database: Database, _: Parameters) -> AsyncIterator[None]:
    async with _session(database.direct_url) as holder:
        await holder.execute("BEGIN")
        await holder.execute("LOCK TABLE receipts IN ACCESS EXCLUSIVE MODE")
        yield


@asynccontextmanager
async def _idle_transaction(database: Database, _: Parameters) -> AsyncIterator[None]:
    async with _session(database.direct_url) as idler:
        await idler.execute("BEGIN")
        await idler.execute("SELECT 1")
        yield


@asynccontextmanager
async def _invalid_index(database: Database, _: Parameters) -> AsyncIterator[None]:
    async with await database.admin() as admin:
        with suppress(psycopg.errors.UniqueViolation):
            await admin.execute(
                "CREATE UNIQUE INDEX CONCURRENTLY receipts_merchant_key ON receipts (merchant)"
            )
    yield
    await _run(database, "DROP INDEX IF EXISTS receipts_merchant_key")


@asynccontextmanager
async def _dead_tuples(database: Database, parameters: Parameters) -> AsyncIterator[None]:
    """Leave dead rows behind: rows that were inserted and rolled back count as dead."""
    await _run(database, "ALTER TABLE receipts SET (autovacuum_enabled = off)")
    async with await database.admin() as admin, admin.transaction(force_rollback=True):
        await admin.execute(
            'INSERT INTO receipts ("userId", merchant, "purchaseDate")'
            " SELECT gen_random_uuid(), 'Dead', now() FROM generate_series(1, %s)",
            (int(parameters["rows"]),),
        )
    yield
    await _run(database, "ALTER TABLE receipts RESET (autovacuum_enabled)")
    await _run(database, "VACUUM receipts")


@asynccontextmanager
async def _bad_receipt(
    database: Database, merchant: str, total: float, parameters: Parameters
) -> AsyncIterator[None]:
    ident, owner = uuid.uuid4(), database.owner_id
    ahead, ago = parameters.get("days", 0) * 24, parameters.get("hours", 0)
    async with await database.admin() as admin:
        await admin.execute(_INSERT, (ident, owner, merchant, total, ahead - ago, ago))
    yield
    async with await database.admin() as admin:
        await admin.execute("DELETE FROM receipts WHERE id = %s", (ident,))


@asynccontextmanager
async def _session(url: str) -> AsyncIterator[Connection]:
    """Yield a session that may be dead by the time it is closed."""
    connection = await connect(url)
    try:
        yield connection
    finally:
        with suppress(psycopg.Error):
            await connection.close()


async def _run(database: Database, statements: LiteralString) -> None:
    async with await database.admin() as admin:
        for statement in statements.split(";"):
            await admin.execute(statement)


async def _until_blocked(database: Database, count: int) -> None:
    async with await database.admin() as admin:
        while True:
            cursor = await admin.execute(_BLOCKED)
            row = await cursor.fetchone()
            if row and row[0] >= count:
                return
