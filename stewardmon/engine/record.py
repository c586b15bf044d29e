"""The history loop: hands new samples to the store in batches, and refills windows at a start."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final

import structlog

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.series import STALE, SeriesStore
from stewardmon.engine.turns import Turns
from stewardmon.errors import StoreError
from stewardmon.ports import Clock, History, Points

log = structlog.get_logger()

FLUSH_EVERY: Final = 5.0  # seconds of samples that a crash may cost
PENDING_LIMIT: Final = 500_000  # samples kept while the history cannot be written
WRITTEN_AT_ONCE: Final = 5_000  # samples: 250 bytes of objects each on their way to the thread
LITTLE_AT_ONCE: Final = 500  # while people answer: some 5 ms in which they share the processor
PRUNE_EVERY: Final = timedelta(hours=1)


class Tape:
    """Writes samples to the windows in memory and, where there is one, to the history."""

    def __init__(self, series: SeriesStore, recorder: Recorder | None = None) -> None:
        self._series = series
        self._recorder = recorder

    def append(self, labels: Labels, at_ms: int, value: float) -> None:
        """Write one sample."""
        self._series.append(labels, at_ms, value)
        if self._recorder is not None:
            self._recorder.take(labels, at_ms, value)

    def append_all(self, labelled: Sequence[Labels], at_ms: int, values: Sequence[float]) -> None:
        """Write a sample of one instant for each of many series: an outcome's, in one go."""
        self._series.append_all(labelled, at_ms, values)
        if self._recorder is not None:
            self._recorder.take_all(labelled, at_ms, values)

    def bind(self, labelled: Sequence[Labels]) -> None:
        """Say that `append_all` will get this very list again and again."""
        self._series.bind(labelled)

    def mark_stale(self, labels: Labels, at_ms: int) -> None:
        """End a series at an instant."""
        self.append(labels, at_ms, STALE)


class Recorder:
    """Buffers samples and writes them in batches; a failing disk costs only history."""

    def __init__(
        self,
        history: History,
        clock: Clock,
        *,
        beat: Callable[[], None] = lambda: None,
        turns: Turns | None = None,
    ) -> None:
        self._turns = turns or Turns()
        self._history = history
        self._clock = clock
        self._beat = beat
        self._pending = _Pending()
        self._failing = False

    def take(self, labels: Labels, at_ms: int, value: float) -> None:
        """Remember one sample for the next batch; shed and counted when too many wait."""
        pending = self._pending
        if len(pending.values) >= PENDING_LIMIT:
            metrics.SHED.labels("history").inc()
            return
        pending.labels.append(labels)
        pending.times.append(at_ms)
        pending.values.append(value)

    def take_all(self, labelled: Sequence[Labels], at_ms: int, values: Sequence[float]) -> None:
        """Remember the samples of one instant; shed and counted when too many wait."""
        pending = self._pending
        if len(pending.values) >= PENDING_LIMIT:
            metrics.SHED.labels("history").inc(len(values))
            return
        pending.labels.extend(labelled)
        pending.times.extend(array("q", (at_ms,)) * len(values))
        pending.values.extend(values)

    async def run(self) -> None:
        """Run until cancelled, then write what is left."""
        pruned = self._clock.now()
        try:
            while True:
                await self._clock.sleep(FLUSH_EVERY)
                await self.flush()
                if self._clock.now() - pruned > PRUNE_EVERY:
                    pruned = self._clock.now()
                    await self._prune()
                self._beat()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what has come; what cannot be written is tried again with the next."""
        left = len(self._pending.values)
        while left > 0:
            await self._turns.after_people()
            part = self._pending.taken(LITTLE_AT_ONCE if self._turns.attended else WRITTEN_AT_ONCE)
            left -= len(part.values)
            try:
                await self._history.write(part.points())
            except StoreError as error:
                metrics.STORE_ERRORS.inc()
                if not self._failing:
                    log.error("history_failing", error=str(error))
                self._failing = True
                self._pending = part.before(self._pending)
                return
            self._failing = False

    async def refill(self, series: SeriesStore) -> int:
        """Fill the windows from history after a restart; return how many samples came back."""
        spans = {
            name: back_ms
            for name, back_ms in series.longer.items()
            if back_ms > series.retention_ms
        }
        count = 0
        try:
            for name, back_ms in spans.items():
                count += await self._refill(series, (Matcher(NAME, Op.EQUAL, name),), back_ms)
            rest = Matcher(NAME, Op.NOT_MATCHES, "|".join(map(re.escape, sorted(spans))))
            count += await self._refill(series, (rest,) if spans else (), series.retention_ms)
        except StoreError as error:
            log.error("history_unreadable", error=str(error))
        return count

    async def _refill(self, series: SeriesStore, matchers: Sequence[Matcher], back_ms: int) -> int:
        end_ms = milliseconds(self._clock.now())
        found = await self._history.read(matchers, start_ms=end_ms - back_ms, end_ms=end_ms)
        for labels, points in found:
            for at_ms, value in points:
                series.append(labels, at_ms, value)
        return sum(len(points) for _, points in found)

    async def deepen(self, series: SeriesStore, name: str, *, back_ms: int) -> int:
        """Put what history has of a metric ("": of all) before what memory holds; count samples.

        For a reload whose rules look further back than those before: without it a new window of a
        day would be right only after a day.
        """
        end_ms = milliseconds(self._clock.now())
        await self.flush()
        matchers = (Matcher(NAME, Op.EQUAL, name),) if name else ()
        try:
            found = await self._history.read(matchers, start_ms=end_ms - back_ms, end_ms=end_ms)
        except StoreError as error:
            log.error("history_unreadable", error=str(error))
            return 0
        count = 0
        for labels, points in found:
            count += series.handle(labels).prepend(points)
            await self._clock.sleep(0)
        return count

    async def _prune(self) -> None:
        try:
            await self._history.prune(now=self._clock.now())
        except StoreError as error:
            log.error("history_prune_failed", error=str(error))


class _Pending:
    """Samples in the order in which they came, in three columns: 24 bytes each."""

    def __init__(self) -> None:
        self.labels: list[Labels] = []
        self.times: array[int] = array("q")
        self.values: array[float] = array("d")

    def taken(self, count: int) -> _Pending:
        """Take the oldest out and return them."""
        part = _Pending()
        for mine, theirs in zip(self._columns(), part._columns(), strict=True):
            theirs.extend(mine[:count])
            del mine[:count]
        return part

    def before(self, newer: _Pending) -> _Pending:
        """Return these with newer ones behind them."""
        for mine, theirs in zip(self._columns(), newer._columns(), strict=True):
            mine.extend(theirs)
        return self

    def points(self) -> list[tuple[Labels, Points]]:
        """Return each sample with its series: sorting them is left to the history's thread."""
        return list(zip(self.labels, zip(zip(self.times, self.values, strict=True)), strict=True))

    def _columns(self) -> tuple[list[Any], array[Any], array[Any]]:
        return self.labels, self.times, self.values
