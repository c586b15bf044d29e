"""Who decides, where several processes share one PostgreSQL: one leader, by advisory lock.

The lock belongs to a connection, so a leader that dies is followed within moments, whatever the
clocks say. The epoch counts leaders and stands in every decision's transaction (see fence): one
that was frozen and wakes up after its time can no longer change anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from stewardmon.errors import DeposedError, StoreError
from stewardmon.stores import fence, rows
from stewardmon.stores.dialect import Connection, Dialect
from stewardmon.stores.lane import Lane
from stewardmon.stores.sql import SqlStore

KEY: Final = 0x57E3A4E  # any number that nobody else takes in this database
LASTS: Final = timedelta(seconds=30)
"""What `until` promises to people who read the table; the lock alone decides."""

_TAKE: Final = """INSERT INTO leader (id, epoch, holder, until) VALUES (?, 1, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        epoch = leader.epoch + 1, holder = excluded.holder, until = excluded.until
    RETURNING epoch"""
_KEEP: Final = "UPDATE leader SET until = ? WHERE id = ? AND epoch = ? RETURNING epoch"


class AdvisoryLeadership:
    """Leads while a connection of its own holds the lock; fences the store by its epoch."""

    def __init__(self, store: SqlStore, dialect: Dialect, *, holder: str) -> None:
        self._store = store
        self._holder = holder
        self._lane = Lane(dialect, "leadership", sticky=True)
        self._epoch: int | None = None
        self._led: int | None = None

    async def acquire(self, *, now: datetime) -> bool:
        """Ask to lead; say whether this process leads now.

        Raises DeposedError where another has led since this one last did, because what it knows is
        old; StoreError where the state cannot be asked.
        """
        if self._epoch is not None:
            return await self.renew(now=now)
        self._lane.start()
        taken = await self._lane.run(lambda connection: self._take(connection, now))
        if taken is None:
            return False
        if self._led is not None and taken != self._led + 1:
            await self._let_go()
            raise DeposedError("another stewardmon has led meanwhile: this one knows the past only")
        self._epoch = self._led = self._store.epoch = taken
        return True

    async def renew(self, *, now: datetime) -> bool:
        """Say whether this process still leads; never raises."""
        if self._epoch is None:
            return False
        try:
            kept = await self._lane.run(lambda connection: self._keep(connection, now))
        except StoreError:
            kept = False  # the connection is gone, and the lock with it
        if not kept:
            await self._let_go()
        return kept

    async def release(self) -> None:
        """Let another process lead; the store stays fenced, so that nothing slips through."""
        self._epoch = None
        await self._lane.stop()

    async def _let_go(self) -> None:
        self._epoch = None
        await self._lane.hang_up()

    def _take(self, connection: Connection, now: datetime) -> int | None:
        ((ours,),) = connection.execute("SELECT pg_try_advisory_lock(?)", (KEY,))
        if not ours:
            return None
        until = rows.micros(now + LASTS)
        ((epoch,),) = connection.execute(_TAKE, (fence.ROW, rows.plain(self._holder), until))
        return int(epoch)

    def _keep(self, connection: Connection, now: datetime) -> bool:
        values = (rows.micros(now + LASTS), fence.ROW, self._epoch)
        return bool(connection.execute(_KEEP, values))
