"""The state in a database: decisions in one transaction each, over one writing thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from stewardmon.domain.change import Change
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.notification import Delivery
from stewardmon.errors import StoreError
from stewardmon.ports import Saved
from stewardmon.stores import fence, outbox, queries
from stewardmon.stores.dialect import Connection, Dialect
from stewardmon.stores.lane import Lane
from stewardmon.stores.line import Line
from stewardmon.stores.memory import KEPT_FOR
from stewardmon.stores.upgrade import bring_up_to_date
from stewardmon.stores.writes import Writes


class SqlStore:
    """ports.Store over SQL: writes in one thread, reads in another beside it.

    `epoch`, where stores.leader has set it, stands in every decision's transaction: commit and
    claim raise DeposedError once another process leads.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.epoch: int | None = None
        self.dialect = dialect
        self._writes = Writes()
        self._writer = Lane(dialect, "state-writer")
        self._reader = Lane(dialect, "state-reader", reads=True)

    async def open(self) -> None:
        """Connect, check integrity, migrate; raises StoreError with what to do."""
        self._writer.start()
        self._reader.start()
        try:
            await self._writer.call(self._open)
        except StoreError:
            await self.close()
            raise

    async def close(self) -> None:
        """Finish what was asked for and let go."""
        await self._reader.stop()
        await self._writer.stop()
        self.dialect.release()

    async def load(self) -> Saved:
        """Return alerts, incidents that are open or resolved of late, and records."""
        return await self._writer.call(self._load)

    async def records(self) -> Mapping[tuple[str, str], Mapping[str, object]]:
        """Return the records of a state that is not opened: another process may hold it."""

        def job(connection: Connection) -> Mapping[tuple[str, str], Mapping[str, object]]:
            return queries.records(connection) if self.dialect.has(connection, "record") else {}

        self._reader.start()
        try:
            return await self._reader.run(job)
        finally:
            await self._reader.stop()

    async def commit(self, change: Change) -> None:
        """Make the whole change durable in one transaction, or raise and keep nothing of it."""
        await self._writer.call(lambda line: self._commit(line, change))

    async def claim(
        self, *, now: datetime, lease: timedelta, limit: int, busy: frozenset[str] = frozenset()
    ) -> Sequence[Delivery]:
        """Lease the rows that are due, oldest first, none of channels in `busy`."""

        def job(connection: Connection) -> Sequence[Delivery]:
            fence.check(connection, self.epoch)
            return outbox.claim(connection, now=now, lease=lease, limit=limit, busy=busy)

        return await self._writer.run(job)

    async def release(self) -> None:
        """Let every lease go."""
        await self._writer.run(outbox.release)

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        """Return the outbox rows of one incident, oldest first."""
        return await self._reader.run(lambda connection: queries.deliveries(connection, incident))

    async def unsettled(self) -> Sequence[Delivery]:
        """Return every row that is still to be sent, oldest first."""
        return await self._reader.run(queries.unsettled)

    async def incident(self, ident: str) -> Incident | None:
        """Return one incident, None where there is none."""
        return await self._reader.run(lambda connection: queries.one_incident(connection, ident))

    async def incidents(
        self, *, limit: int, before: datetime | None = None, only_open: bool = False
    ) -> Sequence[Incident]:
        """Return incidents opened before `before`, newest first."""
        return await self._reader.run(
            lambda connection: queries.incidents(
                connection, limit=limit, before=before, only_open=only_open
            )
        )

    async def events(self, incident: str) -> Sequence[Event]:
        """Return one incident's timeline in order."""
        return await self._reader.run(lambda connection: queries.events(connection, incident))

    async def events_between(self, start: datetime, end: datetime) -> Sequence[Event]:
        """Return all timeline lines with start ≤ at < end, in order."""
        return await self._reader.run(
            lambda connection: queries.events_between(connection, start, end)
        )

    async def prune(self, *, now: datetime) -> None:
        """Forget incidents that were resolved too long ago, with their timelines and messages."""
        await self._writer.run(lambda connection: queries.prune(connection, now - KEPT_FOR))

    def _open(self, line: Line) -> None:
        self.dialect.hold()
        line.run(self.dialect.check)
        line.run(lambda connection: bring_up_to_date(connection, self.dialect))

    def _load(self, line: Line) -> Saved:
        saved = line.run(queries.load)
        self._writes.remember(saved.incidents)
        return saved

    def _commit(self, line: Line, change: Change) -> None:
        def job(connection: Connection) -> None:
            fence.check(connection, self.epoch)
            self._writes.apply(connection, change)

        line.run(job)
        self._writes.remember(change.incidents)
