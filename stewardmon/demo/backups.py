"""A folder of real dumps, as the guide's backup job leaves them, and what can be wrong there."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from stewardmon.demo.catalogue import Fault
from stewardmon.demo.database import Database
from stewardmon.demo.faults import Effect, Parameters
from stewardmon.demo.postgres import find_programs
from stewardmon.errors import StewardmonError

_AGES: Final = (timedelta(hours=26), timedelta(hours=2))


class Backups:
    """Plain dumps (`backup_*.sql`) and custom ones (`backup_*.dump`), yesterday's and today's."""

    def __init__(self, folder: Path, database: Database, now: Callable[[], datetime]) -> None:
        self.folder = folder
        self._database = database
        self._now = now
        self._newest: tuple[Path, ...] = ()

    async def make(self) -> None:
        """Dump the database in both formats, twice, the older copy a day older."""
        self.folder.mkdir(exist_ok=True)
        plain, custom = await asyncio.gather(self._dump("plain"), self._dump("custom"))
        for age in _AGES:
            at = self._now() - age
            stem = f"backup_{at:%Y%m%d_%H%M%S}"
            self._newest = (self.folder / f"{stem}.sql", self.folder / f"{stem}.dump")
            for path, content in zip(self._newest, (plain, custom), strict=True):
                path.write_bytes(content)
                _date(path, at)

    def effects(self) -> Mapping[Fault, Effect]:
        """Return what the faults of the backup do to the newest files."""
        return {
            Fault.BACKUP_STALE: self._stale,
            Fault.BACKUP_EMPTY: partial(self._rewritten, self._emptied),
            Fault.BACKUP_TRUNCATED: partial(self._rewritten, self._truncated),
            Fault.BACKUP_SHRUNK: partial(self._rewritten, self._shrunk),
        }

    @asynccontextmanager
    async def _stale(self, parameters: Parameters) -> AsyncIterator[None]:
        """Age every file by as much as makes the newest so many hours old."""
        shift = timedelta(hours=parameters["hours"]) - _AGES[-1]
        self._shift(-shift)
        yield
        self._shift(shift)

    @asynccontextmanager
    async def _rewritten(
        self, change: Callable[[Path], Awaitable[bytes]], _: Parameters
    ) -> AsyncIterator[None]:
        kept = {path: (path.read_bytes(), path.stat().st_mtime) for path in self._newest}
        for path, (_content, dated) in kept.items():
            path.write_bytes(await change(path))
            os.utime(path, (dated, dated))
        yield
        for path, (content, dated) in kept.items():
            path.write_bytes(content)
            os.utime(path, (dated, dated))

    async def _emptied(self, _: Path) -> bytes:
        return b""

    async def _truncated(self, path: Path) -> bytes:
        content = await asyncio.to_thread(path.read_bytes)
        return content[: len(content) * 9 // 10]

    async def _shrunk(self, path: Path) -> bytes:
        """Dump the schema alone: whole, and nearly nothing in it."""
        return await self._dump("plain" if path.suffix == ".sql" else "custom", "--schema-only")

    def _shift(self, by: timedelta) -> None:
        for path in self.folder.iterdir():
            dated = path.stat().st_mtime + by.total_seconds()
            os.utime(path, (dated, dated))

    async def _dump(self, form: str, *options: str) -> bytes:
        return await asyncio.to_thread(_pg_dump, self._database.admin_url, form, *options)


def _pg_dump(url: str, form: str, *options: str) -> bytes:
    command = [str(find_programs() / "pg_dump"), f"--format={form}", f"--dbname={url}", *options]
    done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - our own words
    if done.returncode != 0:
        raise StewardmonError(f"pg_dump failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _date(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))
