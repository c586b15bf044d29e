"""The app's database: a real PostgreSQL with its schema, its roles and some months of receipts."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import resources
from typing import Any, Final, LiteralString, TypeAlias

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from stewardmon.demo.identity import Identity, User
from stewardmon.demo.postgres import PostgresServer
from stewardmon.demo.project import MIGRATIONS, checksum
from stewardmon.demo.proxy import Proxy

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

NAME: Final = "steward"
APP_ROLE: Final = "steward_app"
MONITOR_ROLE: Final = "stewardmon"
_MERCHANTS: Final = (
    ("Corner Market", "Groceries"),
    ("Green Grocer", "Groceries"),
    ("City Transit", "Transport"),
    ("Noodle House", "Dining"),
    ("Cafe Central", "Dining"),
    ("Power & Light", "Utilities"),
    ("Book Nook", "Shopping"),
    ("Pharmacy Plus", "Health"),
)
_QUESTIONS: Final = (
    "How much did I spend last month?",
    "How much did I spend on groceries this month?",
    "What were my biggest purchases?",
    "Show my dining expenses",
)


class Database:
    """One database on a server, with the proxy through which the app reaches it."""

    def __init__(self, server: PostgresServer, identity: Identity, host: str) -> None:
        self.server = server
        self._identity = identity
        self.proxy = Proxy(host, self._address)

    @property
    def url(self) -> str:
        """The app's own address: its role, through the proxy, as through Supabase's pooler."""
        return self._url(APP_ROLE, self.proxy.port.host, self.proxy.port.number)

    @property
    def direct_url(self) -> str:
        """The app's role, past the proxy."""
        return self._url(APP_ROLE, *self._address())

    @property
    def monitor_url(self) -> str:
        """The monitoring role of PLATFORM.md section 4, through the proxy."""
        return self._url(MONITOR_ROLE, self.proxy.port.host, self.proxy.port.number)

    @property
    def supabase_url(self) -> str:
        """The role that Supabase's REST server signs in with, past the proxy."""
        return self._url("authenticator", *self._address())

    @property
    def admin_url(self) -> str:
        """The superuser's address of this database, past the proxy."""
        return self.server.url_of(NAME)

    async def create(self, *, now: datetime) -> None:
        """Make the database anew on the running server, fill it, and open the proxy."""
        async with await connect(self.server.url_of("postgres")) as admin:
            await admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(_NAME))
            for role, options in _ROLES.items():
                await _make_role(admin, role, options, self._identity.database_password)
            await admin.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(_NAME, sql.Identifier(APP_ROLE))
            )
        async with await self.admin() as admin:
            await admin.execute(
                sql.SQL("GRANT CREATE, USAGE ON SCHEMA public TO {}").format(
                    sql.Identifier(APP_ROLE)
                )
            )
            if await _has_statements(admin):
                await admin.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
            await self._fill(admin, now=now)
        await self.proxy.open()

    @property
    def owner_id(self) -> str:
        """The user whose receipts the faults of the data spoil."""
        return self._identity.users[0].id

    async def set_password(self, password: str | None = None) -> None:
        """Change the app role's password; without one, back to the right one."""
        secret = sql.Literal(password or self._identity.database_password)
        change = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(APP_ROLE), secret)
        async with await self.admin() as admin:
            await admin.execute(change)

    async def admin(self) -> Connection:
        """Return a superuser's connection that may write whatever the defaults say."""
        return await connect(self.admin_url, options="-c default_transaction_read_only=off")

    async def down(self) -> None:
        """Stop the server for real; connections are refused, also through the proxy."""
        await self.proxy.refuse()
        await asyncio.to_thread(self.server.stop)

    async def up(self) -> None:
        """Start the server again."""
        await asyncio.to_thread(self.server.start)
        await self.proxy.open()

    async def close(self) -> None:
        """Close the proxy; whoever started the server stops it."""
        await self.proxy.close()

    async def _fill(self, admin: Connection, *, now: datetime) -> None:
        schema: Any = resources.files(__package__).joinpath("schema.sql").read_text()
        async with admin.transaction(), admin.cursor() as cursor:
            await cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(APP_ROLE)))
            await cursor.execute(schema)
            await cursor.executemany(
                "INSERT INTO auth.users (id, email) VALUES (%s, %s)",
                [(user.id, user.email) for user in self._identity.users],
            )
            await cursor.executemany(_INSERT_RECEIPT, list(_receipts(self._identity.users, now)))
            await cursor.executemany(_INSERT_LOG, list(_logs(self._identity.users, now)))
            await cursor.executemany(_INSERT_MIGRATION, list(_migrations(now)))
        await admin.execute("ANALYZE")

    def _url(self, role: str, host: str, port: int) -> str:
        return f"postgresql://{role}:{self._identity.database_password}@{host}:{port}/{NAME}"

    def _address(self) -> tuple[str, int]:
        return "127.0.0.1", self.server.port


_NAME: Final = sql.Identifier(NAME)
_ROLES: Final[dict[str, LiteralString]] = {
    APP_ROLE: "LOGIN",
    MONITOR_ROLE: "LOGIN CONNECTION LIMIT 3 IN ROLE pg_monitor",
    "anon": "NOLOGIN",
    "service_role": "NOLOGIN BYPASSRLS",
    "authenticator": "LOGIN NOINHERIT IN ROLE anon, service_role",
}
_MONITOR_SETTINGS: Final[dict[LiteralString, LiteralString]] = {
    "default_transaction_read_only": "on",
    "statement_timeout": "3s",
    "lock_timeout": "500ms",
    "application_name": "stewardmon",
}
_INSERT_RECEIPT: Final = (
    'INSERT INTO receipts (id, "userId", merchant, total, "purchaseDate", category, "createdAt",'
    ' "updatedAt") VALUES (%s, %s, %s, %s, %s, %s, %s, %s)'
)
_INSERT_LOG: Final = (
    'INSERT INTO agent_logs (id, "userId", query, "responseTime", success, error, "functionsUsed",'
    " cached, metadata, timestamp) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)
_INSERT_MIGRATION: Final = (
    "INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, started_at,"
    " applied_steps_count) VALUES (%s, %s, %s, %s, %s, 1)"
)


async def connect(url: str, *, options: str = "") -> Connection:
    """Connect in autocommit, without server-side prepared statements, as poolers need it."""
    return await psycopg.AsyncConnection.connect(
        url, autocommit=True, prepare_threshold=None, options=options or None
    )


async def _make_role(admin: Connection, role: str, options: LiteralString, password: str) -> None:
    name = sql.Identifier(role)
    with suppress(psycopg.errors.DuplicateObject):
        await admin.execute(sql.SQL("CREATE ROLE {} {}").format(name, sql.SQL(options)))
    if "NOLOGIN" not in options:
        secret = sql.Literal(password)
        await admin.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(name, secret))
    if role == MONITOR_ROLE:
        for setting, value in _MONITOR_SETTINGS.items():
            change = sql.SQL("ALTER ROLE {} SET {} = {}")
            await admin.execute(change.format(name, sql.SQL(setting), sql.Literal(value)))


async def _has_statements(admin: Connection) -> bool:
    cursor = await admin.execute("SHOW shared_preload_libraries")
    row = await cursor.fetchone()
    return row is not None and "pg_stat_statements" in row[0]


def _receipts(users: tuple[User, ...], now: datetime) -> Iterator[tuple[object, ...]]:
    """Yield some 400 receipts of the last ten months, the same for the same day."""
    chance = random.Random(20260105)
    for number in range(400):
        user = users[0] if number % 4 else users[-1]
        merchant, category = chance.choice(_MERCHANTS)
        total = chance.randint(150, 15000) / 100
        bought = _naive(now - timedelta(days=0.02 + number * 0.75, minutes=chance.randint(0, 600)))
        ident = uuid.uuid5(uuid.NAMESPACE_OID, f"receipt {number}")
        yield (ident, user.id, merchant, total, bought, category, bought, bought)


def _logs(users: tuple[User, ...], now: datetime) -> Iterator[tuple[object, ...]]:
    """Yield two days of the agent's log: 3 % fail, three quarters come from the cache."""
    chance = random.Random(7)
    for number in range(300):
        cached = chance.random() < 0.85
        failed = not cached and chance.random() < 0.1
        at = _naive(now - timedelta(minutes=5 + number * 9))
        took = chance.randint(20, 60) if cached else chance.randint(500, 1700)
        yield (
            uuid.uuid5(uuid.NAMESPACE_OID, f"log {number}"),
            users[number % 2].id,
            chance.choice(_QUESTIONS),
            took,
            not failed,
            "500 server error" if failed else None,
            [] if cached else ["getSpending"],
            cached,
            Jsonb({"streaming": number % 3 == 0}),
            at,
        )


def _migrations(now: datetime) -> Iterator[tuple[object, ...]]:
    for number, name in enumerate(MIGRATIONS):
        at = now - timedelta(days=300 - number)
        yield (str(uuid.uuid5(uuid.NAMESPACE_URL, name)), checksum(name), at, name, at)


def _naive(at: datetime) -> datetime:
    """Return the time as Prisma stores it: UTC without saying so, to the millisecond."""
    utc = at.astimezone(UTC).replace(tzinfo=None)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
