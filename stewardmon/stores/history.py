"""The history in a database: hourly chunks, an unsorted tail before them, roll-ups behind them.

Every write is one row of the table `tail`, whatever the number of series: cheap, and a crash
loses nothing that was written. A tail that grows long is sorted: a row then holds the series of
one slot. When an hour is over its samples move from the tail to one chunk a series. When raw
samples are too old, five-minute roll-ups take their place, a row a day.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import Labels, Matcher
from stewardmon.ports import Points
from stewardmon.stores.dialect import Dialect
from stewardmon.stores.lane import Lane
from stewardmon.stores.line import Line
from stewardmon.stores.recall import Recall
from stewardmon.stores.retention import Pruning, Retention
from stewardmon.stores.tape import Tape
from stewardmon.stores.upgrade import bring_up_to_date

DEFAULT: Final = Retention()


class SqlHistory:
    """ports.History; opens itself at the first use, and lives in threads of its own."""

    def __init__(self, dialect: Dialect, *, retention: Retention = DEFAULT) -> None:
        self._dialect = dialect
        self._retention = retention
        self._writer = Lane(dialect, "history-writer")
        self._reader = Lane(dialect, "history-reader", reads=True)
        self._recall = Recall()
        self._tape = Tape(dialect)
        self._ready = False

    async def open(self) -> None:
        """Connect and migrate; every other method does so itself where this was not called."""
        self._writer.start()
        self._reader.start()
        if not self._ready:
            await self._writer.call(self._prepare)

    async def close(self) -> None:
        """Finish what was asked for and let go."""
        await self._reader.stop()
        await self._writer.stop()
        self._ready = False

    async def write(self, batch: Sequence[tuple[Labels, Points]]) -> None:
        """Append samples (milliseconds, value); of two at one instant the later one stays."""
        await self.open()
        await self._writer.call(lambda line: self._tape.write(line, batch))

    async def read(
        self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int
    ) -> Sequence[tuple[Labels, Points]]:
        """Return samples with start ≤ t ≤ end by series: five-minute means where raw is gone.

        The points are stores.track.Track: columns, for whoever has many to go through.
        """
        await self.open()
        return await self._reader.run(
            lambda connection: self._recall.read(
                connection, matchers, start_ms=start_ms, end_ms=end_ms
            )
        )

    async def prune(self, *, now: datetime) -> None:
        """Roll up and delete what is older than the retention."""
        await self.open()
        await self._writer.call(lambda line: self._prune(line, milliseconds(now)))

    def _prepare(self, line: Line) -> None:
        if not self._ready:
            line.run(lambda connection: bring_up_to_date(connection, self._dialect))
            self._ready = True

    def _prune(self, line: Line, now_ms: int) -> None:
        self._tape.forget(Pruning(line, self._dialect, self._retention).run(now_ms))
