"""The restore drill: the newest backup, restored for real into a database made for it, and dropped.

psql runs what stands in a plain dump, shell commands (`\\!`) among it, as every restore does: a
folder of backups is to be trusted as much as the machine is.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from stewardmon.domain.outcome import Reason
from stewardmon.domain.redact import excerpt
from stewardmon.domain.restoration import Bar, Restored, RestoreError, Table, compare
from stewardmon.network.failure import Failure
from stewardmon.ports import Clock
from stewardmon.probes.backup_folder import read_folder
from stewardmon.probes.dump import Form, find_program
from stewardmon.probes.postgres_failure import failure_of
from stewardmon.probes.postgres_url import parse_conninfo, shown

PREFIX: Final = "stewardmon_restore_"
_CONNECT: Final = "10"  # seconds
_PIECE: Final = 1024 * 1024
_TABLES: Final = 50
_LEFT_OVER: Final = timedelta(days=1)
_SAID: Final = 64 * 1024  # bytes of a program's complaints that are read
# What libpq reads from the environment, so that no password stands in a list of processes.
_ENVIRONMENT: Final = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
}
# A scratch server has not the source's roles, and needs none of them to hold its rows.
_HARMLESS: Final = ("role ", "must be owner of", "must be member of role")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to restore, where to, and what to compare it with; addresses are URLs with passwords."""

    folder: Path
    pattern: str
    into: str
    source: str | None
    tables: tuple[str, ...]
    newest: str
    bar: Bar
    longest: timedelta


async def drill(plan: Plan, clock: Clock) -> Restored:
    """Restore, compare, drop; what goes wrong is in the result, never an exception."""
    at, started = clock.now(), clock.monotonic()
    name, took = "", 0.0
    tables: tuple[Table, ...] = ()
    wrong: tuple[str, ...] = ()
    try:
        async with asyncio.timeout(plan.longest.total_seconds()):
            path, form = await _newest(plan)
            name = excerpt(path.name, 80)
            async with _scratch(plan.into, now=at) as scratch:
                await _restore(path, form, scratch)
                took = clock.monotonic() - started
                tables = await _tables(plan, scratch)
                wrong = tuple(compare(tables, plan.bar))
    except TimeoutError:
        wrong = (f"it did not end within {plan.longest.total_seconds():.0f} s",)
    except Failure as failure:
        wrong = (failure.detail,)
    except RestoreError as error:
        wrong = (str(error),)
    return Restored(
        at=at,
        took=clock.monotonic() - started if wrong else took,
        backup=name,
        tables=tables,
        wrong=wrong,
        success_at=None if wrong else at,
    )


async def _newest(plan: Plan) -> tuple[Path, Form]:
    found = await read_folder(plan.folder, plan.pattern, read_limit=0)
    if not found:
        raise RestoreError(f"there is no backup in {plan.folder} that matches {plan.pattern}")
    newest = max(found, key=lambda one: one.at)
    if newest.size == 0:
        raise RestoreError(f"{excerpt(newest.name, 60)} is empty")
    if newest.form not in set(Form) or newest.reason is Reason.PERMISSION:
        raise RestoreError(f"{excerpt(newest.name, 60)} cannot be read: {newest.why}")
    if newest.whole is False:
        raise RestoreError(f"{excerpt(newest.name, 60)} is not whole: {newest.why}")
    return plan.folder / newest.name, Form(newest.form)


@asynccontextmanager
async def _scratch(into: str, *, now: datetime) -> AsyncIterator[dict[str, str]]:
    """Make a database for this drill, and drop it whatever happens; older left-overs go too."""
    parameters = {**parse_conninfo(into), "connect_timeout": _CONNECT}
    name = f"{PREFIX}{now:%Y%m%d%H%M%S}_{secrets.token_hex(4)}"
    await _sweep(parameters, now=now)
    await _command(parameters, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        yield {**parameters, "dbname": name}
    finally:
        await asyncio.shield(_drop(parameters, name))


async def _sweep(parameters: dict[str, str], *, now: datetime) -> None:
    """Drop what a drill left behind that was killed amid its work."""
    query = sql.SQL("SELECT datname FROM pg_database WHERE starts_with(datname, {})").format(
        sql.Literal(PREFIX)
    )
    for (name,) in await _command(parameters, query):
        try:
            made = datetime.strptime(f"{name.removeprefix(PREFIX)[:14]}Z", "%Y%m%d%H%M%S%z")
        except ValueError:
            continue
        if now - made > _LEFT_OVER:
            await _drop(parameters, name)


async def _drop(parameters: dict[str, str], name: str) -> None:
    drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    await _command(parameters, drop.format(sql.Identifier(name)))


async def _command(parameters: dict[str, str], query: sql.Composed) -> Sequence[tuple[str, ...]]:
    try:
        async with await psycopg.AsyncConnection.connect(
            make_conninfo("", **parameters), autocommit=True, prepare_threshold=None
        ) as connection:
            cursor = await connection.execute(query)
            return await cursor.fetchall() if cursor.description else []
    except psycopg.Error as error:
        raise failure_of(error, shown(parameters)) from None


async def _restore(path: Path, form: Form, scratch: dict[str, str]) -> None:
    match form:
        case Form.PLAIN | Form.GZIP:
            await _psql(path, form, scratch)
        case Form.CUSTOM | Form.DIRECTORY | Form.TAR:
            options = ("--no-owner", "--no-privileges", f"--dbname={scratch['dbname']}", str(path))
            await _run("pg_restore", options, scratch)
        case Form.OTHER:
            raise RestoreError(f"{excerpt(path.name, 60)} is in no form that can be restored")


async def _psql(path: Path, form: Form, scratch: dict[str, str]) -> None:
    options = ("-X", "-q", "-v", "ON_ERROR_STOP=0", "-d", scratch["dbname"], "-f", "-")
    await _run("psql", options, scratch, fed=path, zipped=form is Form.GZIP)


async def _run(
    name: str,
    options: tuple[str, ...],
    scratch: dict[str, str],
    *,
    fed: Path | None = None,
    zipped: bool = False,
) -> None:
    """Run one of PostgreSQL's programs to its end. Raises RestoreError for what it complains of."""
    program = await asyncio.to_thread(find_program, name)
    if program is None:
        raise RestoreError(f"{name} is not installed here")
    own = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "HOME"}}
    given = {_ENVIRONMENT[key]: one for key, one in scratch.items() if key in _ENVIRONMENT}
    process = await asyncio.create_subprocess_exec(
        program,
        *options,
        stdin=asyncio.subprocess.DEVNULL if fed is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**own, **given, "PGCONNECT_TIMEOUT": _CONNECT},
    )
    broken = False
    try:
        async with asyncio.TaskGroup() as group:
            if fed is not None:
                group.create_task(_feed(process, fed, zipped=zipped), name="restore:feed")
            said = group.create_task(_complaints(process), name="restore:complaints")
        await process.wait()
    except* (OSError, zlib.error):
        broken = True  # what is raised here comes out in a group of its own, in Python 3.11.2
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if broken:
        raise RestoreError(f"{fed.name if fed else name} cannot be read to its end")
    errors = said.result()
    if errors:
        raise RestoreError(f"{name}: {excerpt(errors[0], 200)}")


async def _feed(process: asyncio.subprocess.Process, path: Path, *, zipped: bool) -> None:
    """Hand a dump to a program piece by piece, unpacked; a program that ends early is no error."""
    assert process.stdin is not None  # noqa: S101 - opened with a pipe
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16) if zipped else None
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            while piece:
                # At most as much again: a megabyte of nothing but zeros is a gigabyte unpacked.
                process.stdin.write(unpacker.decompress(piece, _PIECE) if unpacker else piece)
                await process.stdin.drain()
                piece = unpacker.unconsumed_tail if unpacker else b""
        if unpacker is not None and not unpacker.eof:
            raise zlib.error("it breaks off")
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        file.close()
        process.stdin.close()


async def _complaints(process: asyncio.subprocess.Process) -> list[str]:
    """Return the errors that a program told, without those of roles that are not here."""
    assert process.stderr is not None  # noqa: S101 - opened with a pipe
    kept = b""
    while piece := await process.stderr.read(_PIECE):
        kept = (kept + piece)[:_SAID]
    lines = kept.decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if "ERROR:" in line or "error:" in line or "FATAL" in line]
    told = [line.rpartition("ERROR:")[2].strip() or line for line in errors]
    return [line for line in told if not line.startswith(_HARMLESS)]


async def _tables(plan: Plan, scratch: dict[str, str]) -> tuple[Table, ...]:
    restored = await _counts(scratch, plan.tables, plan.newest)
    if plan.source is None:
        return tuple(Table(name=one, rows=rows, newest=at) for one, (rows, at) in restored.items())
    parameters = {**parse_conninfo(plan.source), "connect_timeout": _CONNECT}
    source = await _counts(parameters, plan.tables or tuple(restored), plan.newest)
    names = dict.fromkeys((*restored, *source))
    return tuple(
        Table(
            name=name,
            rows=restored.get(name, (0, None))[0],
            newest=restored.get(name, (0, None))[1],
            source_rows=source.get(name, (None, None))[0],
            source_newest=source.get(name, (None, None))[1],
        )
        for name in names
    )


_LISTED: Final = """
SELECT c.relname, bool_or(a.attname = %(newest)s AND t.typname IN ('timestamp', 'timestamptz'))
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
  JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND (%(all)s OR c.relname = ANY (%(names)s))
GROUP BY c.relname ORDER BY c.relname LIMIT %(most)s
"""


async def _counts(
    parameters: dict[str, str], names: tuple[str, ...], newest: str
) -> dict[str, tuple[int, datetime | None]]:
    """Return rows and the time of the newest row by table; only reads."""
    values = {"newest": newest, "names": list(names), "all": not names, "most": _TABLES}
    found: dict[str, tuple[int, datetime | None]] = {}
    try:
        async with await psycopg.AsyncConnection.connect(
            make_conninfo("", **parameters), prepare_threshold=None
        ) as connection:
            await connection.execute("SET TRANSACTION READ ONLY")
            cursor = await connection.execute(_LISTED, values)
            for name, dated in await cursor.fetchall():
                at = sql.SQL("max({})").format(sql.Identifier(newest))
                query = sql.SQL("SELECT count(*), {} FROM {}").format(
                    at if dated else sql.SQL("NULL::timestamp"), sql.Identifier("public", name)
                )
                rows, last = await (await connection.execute(query)).fetchone() or (0, None)
                found[name] = (rows, _utc(last))
    except psycopg.Error as error:
        raise failure_of(error, shown(parameters)) from None
    return found


def _utc(at: datetime | None) -> datetime | None:
    """Return an instant; Prisma keeps UTC in columns without a zone."""
    if at is None:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
