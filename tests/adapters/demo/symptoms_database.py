"""How the faults of the database and of its data show, to a client and in the catalogue."""

from __future__ import annotations

import asyncio

import psycopg

from stewardmon.demo.catalogue import Fault
from tests.adapters.demo.symptoms import Symptom, Visible, shows
from tests.adapters.demo.world import World


def refused(words: str) -> Visible:
    async def visible(world: World) -> bool:
        return words in await world.connecting()

    return visible


def counted(statement: str) -> Visible:
    """A question whose answer is 0 while all is well."""

    async def visible(world: World) -> bool:
        return bool(await world.sql(statement))

    return visible


def raising(statement: str, kind: type[Exception], *, monitor: bool = False) -> Visible:
    async def visible(world: World) -> bool:
        platform = world.platform
        url = platform.monitor_database_url if monitor else platform.database_url
        try:
            await world.sql(statement, url=url)
        except kind:
            return True
        return False

    return visible


async def late(world: World) -> bool:
    clock = asyncio.get_running_loop().time
    started = clock()
    await world.sql("SELECT 1", url=world.platform.database_url)
    return clock() - started > 0.3


async def out_of_slots(world: World) -> bool:
    said = await world.connecting(world.platform.monitor_database_url)
    return "reserved" in said or "too many clients" in said


async def locked(world: World) -> bool:
    statement = "SELECT count(*) FROM receipts"
    return await raising(statement, psycopg.errors.LockNotAvailable, monitor=True)(world)


async def no_rights(world: World) -> bool:
    statement = "SELECT count(*) FROM receipts"
    return await raising(statement, psycopg.errors.InsufficientPrivilege, monitor=True)(world)


INSERT = """INSERT INTO agent_logs ("userId", query, "responseTime", success)
    VALUES (gen_random_uuid(), 'read only?', 1, true) RETURNING true"""
INDEX = """SELECT NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'receipts'::regclass
    AND (SELECT array_agg(attname ORDER BY n) FROM unnest(indkey) WITH ORDINALITY AS k (num, n)
         JOIN pg_attribute ON attrelid = indrelid AND attnum = num)
        = ARRAY['userId', 'purchaseDate']::name[])"""
IDLE = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"
BLOCKED = "SELECT count(*) = 2 FROM pg_stat_activity WHERE pg_blocking_pids(pid) <> '{}'"
FAILED = """SELECT count(*) FROM _prisma_migrations
    WHERE finished_at IS NULL AND rolled_back_at IS NULL"""
CHECKSUMS = """SELECT md5(string_agg(checksum, ',' ORDER BY migration_name))
    FROM _prisma_migrations WHERE finished_at IS NOT NULL"""
DEAD = "SELECT n_dead_tup > 1000 FROM pg_stat_user_tables WHERE relname = 'receipts'"
STUCK = """SELECT count(*) FROM receipts WHERE merchant = 'Processing...'
    AND "createdAt" < now() - interval '1 hour'"""
FUTURE = """SELECT count(*) FROM receipts WHERE "purchaseDate" > now() + interval '10 days'"""


def drift() -> Visible:
    """Return whether the checksums' checksum differs from the first that was seen."""
    seen: list[object] = []

    async def visible(world: World) -> bool:
        seen.append(await world.sql(CHECKSUMS))
        return seen[-1] != seen[0]

    return visible


DATABASE_SYMPTOMS: dict[Fault, Symptom] = {
    Fault.DATABASE_DOWN: shows(refused("refused")),
    Fault.DATABASE_REFUSING: shows(refused("not permitted to log in")),
    Fault.DATABASE_WRONG_PASSWORD: shows(refused("password authentication failed")),
    Fault.DATABASE_OUT_OF_CONNECTIONS: shows(out_of_slots),
    Fault.DATABASE_READ_ONLY: shows(raising(INSERT, psycopg.errors.ReadOnlySqlTransaction)),
    Fault.DATABASE_FROZEN: shows(refused("timeout")),
    Fault.DATABASE_SLOW: shows(late, seconds=0.1),
    Fault.DATABASE_RESET: shows(refused("connection")),
    Fault.DATABASE_CUT: shows(refused("closed the connection unexpectedly")),
    Fault.DATABASE_TRICKLE: shows(refused("timeout"), seconds=0.2),
    Fault.DATABASE_BLOCKED: shows(counted(BLOCKED), waiters=2),
    Fault.DATABASE_LOCKED_TABLE: shows(locked),
    Fault.DATABASE_IDLE_TRANSACTION: shows(counted(IDLE)),
    Fault.DATABASE_INVALID_INDEX: shows(
        counted("SELECT count(*) FROM pg_index WHERE NOT indisvalid")
    ),
    Fault.DATABASE_MISSING_INDEX: shows(counted(INDEX)),
    Fault.DATABASE_MISSING_TABLE: shows(
        raising("SELECT count(*) FROM receipts", psycopg.errors.UndefinedTable)
    ),
    Fault.DATABASE_FAILED_MIGRATION: shows(counted(FAILED)),
    Fault.DATABASE_MIGRATION_DRIFT: shows(drift()),
    Fault.DATABASE_DEAD_TUPLES: shows(counted(DEAD)),
    Fault.DATABASE_INACTIVE_SLOT: shows(
        counted("SELECT count(*) FROM pg_replication_slots WHERE NOT active")
    ),
    Fault.DATABASE_NO_RIGHTS: shows(no_rights),
    Fault.DATA_NEGATIVE_TOTAL: shows(counted("SELECT count(*) FROM receipts WHERE total < 0")),
    Fault.DATA_STUCK_RECEIPT: shows(counted(STUCK)),
    Fault.DATA_FUTURE_DATE: shows(counted(FUTURE)),
    Fault.DATA_ORPHAN: shows(
        counted('SELECT count(*) FROM receipts WHERE "userId" NOT IN (SELECT id FROM auth.users)')
    ),
    Fault.DATA_UNVALIDATED_CONSTRAINT: shows(
        counted("SELECT count(*) FROM pg_constraint WHERE NOT convalidated")
    ),
}
