"""The state in a database: decisions in one transaction each, over one writing thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.notification import Delivery
from stewardmon.errors import StoreError
from stewardmon.ports import Saved
from stewardmon.stores import outbox, queries
from stewardmon.stores.dialect import Dialect
from stewardmon.stores.line import Line
from stewardmon.stores.upgrade import bring_up_to_date
from stewardmon.stores.worker import Worker
from stewardmon.stores.writes import Writes

T = TypeVar("T")


class SqlStore:
    """ports.Store over SQLAlchemy Core: writes in one thread, reads in another beside it."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._writes = Writes()
        self._writer = Worker("state-writer")
        self._reader = Worker("state-reader")
        self._writing = Line(dialect)
        self._reading = Line(dialect, reads=True)

    async def open(self) -> None:
        """Connect, check integrity, migrate; raises StoreError with what to do."""
        self._writer.start()
        self._reader.start()
        try:
            await self._writer.run(self._open)
        except StoreError:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for and let go."""
        await self._reader.stop()
        await self._writer.stop()
        self._reading.close()
        self._writing.close()
        self._dialect.release()

    async def load(self) -> Saved:
        """Return alerts, incidents that are open or resolved of late, and records."""
        return await self._writer.run(self._load)

    async def commit(self, change: Change) -> None:
        """Make the whole change durable in one transaction, or raise and keep nothing of it."""
        await self._writer.run(lambda: self._commit(change))

    async def claim(
        self, *, now: datetime, lease: timedelta, limit: int, busy: frozenset[str] = frozenset()
    ) -> Sequence[Delivery]:
        """Lease the rows that are due, oldest first, none of channels in `busy`."""

        def job(connection: Connection) -> Sequence[Delivery]:
            return outbox.claim(connection, now=now, lease=lease, limit=limit, busy=busy)

        return await self._writer.run(lambda: self._writing.run(job))

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        """Return the outbox rows of one incident, oldest first."""
        return await self._read(lambda connection: queries.deliveries(connection, incident))

    async def unsettled(self) -> Sequence[Delivery]:
        """Return every row that is still to be sent, oldest first."""
        return await self._read(queries.unsettled)

    async def incident(self, ident: str) -> Incident | None:
        """Return one incident, None where there is none."""
        return await self._read(lambda connection: queries.one_incident(connection, ident))

    async def incidents(
        self, *, limit: int, before: datetime | None = None, only_open: bool = False
    ) -> Sequence[Incident]:
        """Return incidents opened before `before`, newest first."""
        return await self._read(
            lambda connection: queries.incidents(
                connection, limit=limit, before=before, only_open=only_open
            )
        )

    async def events(self, incident: str) -> Sequence[Event]:
        """Return one incident's timeline in order."""
        return await self._read(lambda connection: queries.events(connection, incident))

    async def events_between(self, start: datetime, end: datetime) -> Sequence[Event]:
        """Return all timeline lines with start ≤ at < end, in order."""
        return await self._read(lambda connection: queries.events_between(connection, start, end))

    async def _read(self, question: Callable[[Connection], T]) -> T:
        return await self._reader.run(lambda: self._reading.run(question))

    def _open(self) -> None:
        self._dialect.hold()
        self._writing.run(self._dialect.check)
        self._writing.run(lambda connection: bring_up_to_date(connection, self._dialect))

    def _load(self) -> Saved:
        saved = self._writing.run(queries.load)
        self._writes.remember(saved.incidents)
        return saved

    def _commit(self, change: Change) -> None:
        self._writing.run(lambda connection: self._writes.apply(connection, change))
        self._writes.remember(change.incidents)
