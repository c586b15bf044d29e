"""How well each probe did on each day: what availability bars show, counted as answers come.

Counts are kept with the state, one record a day, so that a page over a quarter reads nothing.
Days from before counting began are counted once from the history.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import structlog

from stewardmon.clock import milliseconds
from stewardmon.domain.change import Change
from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.outcome import State
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.errors import StewardmonError
from stewardmon.ports import Points

log = structlog.get_logger()

DAYS: Final = 90
KIND: Final = "availability"  # of the records
SAVE_EVERY: Final = 60  # seconds: what a crash may cost of the counts
BEAT_EVERY: Final = 10  # seconds between signs of life
FINE: Final = 0.999  # a day with less is marked
POOR: Final = 0.99

_SUCCESS: Final = (Matcher(NAME, Op.EQUAL, "probe_success"),)


@dataclass(slots=True)
class Count:
    """Answers of one probe on one day: as they should be, not so, and asks that told nothing."""

    good: int = 0
    bad: int = 0
    blind: int = 0

    @property
    def share(self) -> float | None:
        """Return the share of good answers, None where nothing was asked."""
        asked = self.good + self.bad + self.blind
        return self.good / asked if asked else None

    def plus(self, other: Count) -> Count:
        """Return both together."""
        return Count(self.good + other.good, self.bad + other.bad, self.blind + other.blind)


NOTHING: Final = Count()


@dataclass(frozen=True, slots=True)
class Quarter:
    """How a probe did over the last days: a tone for each, oldest first, and the share of all."""

    tones: tuple[str, ...]
    share: float | None


class Tally:
    """Counts outcomes by UTC day and probe; restores, fills from history and saves itself."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._beat = live.supervisor.beat("availability")
        self._days: dict[date, dict[str, Count]] = {}
        self._unsaved: set[date] = set()
        # What is over does not change: the days before today, by probe, until `_add` or midnight.
        self._before: dict[str, tuple[tuple[str, ...], Count]] = {}
        self._before_day = date.min

    def observe(self, seen: Seen) -> None:
        """Count one outcome."""
        count = self._day(seen.at.astimezone(UTC).date()).setdefault(seen.spec.name, Count())
        match seen.outcome.state:
            case State.UP:
                count.good += 1
            case State.UNKNOWN | State.MISCONFIGURED:
                count.blind += 1
            case State.DEGRADED | State.DOWN:
                count.bad += 1

    def course(self, probe: str, *, today: date, days: int = DAYS) -> list[Count]:
        """Return the counts of the last days, oldest first; nothing where nothing was asked."""
        first = today - timedelta(days=days - 1)
        return [
            self._days.get(first + timedelta(days=place), {}).get(probe, NOTHING)
            for place in range(days)
        ]

    def quarter(self, probe: str, *, today: date) -> Quarter:
        """Return the last DAYS days in short."""
        if self._before_day != today:
            self._before.clear()
            self._before_day = today
        known = self._before.get(probe)
        if known is None:
            known = self._before[probe] = self._past(probe, today)
        now = self._days.get(today, {}).get(probe, NOTHING)
        return Quarter((*known[0], tone(now)), known[1].plus(now).share)

    def _past(self, probe: str, today: date) -> tuple[tuple[str, ...], Count]:
        """Return the tones of the days before today, and their counts together."""
        past = self.course(probe, today=today)[:-1]
        known = [one for one in past if one is not NOTHING]
        whole = Count(
            sum(one.good for one in known),
            sum(one.bad for one in known),
            sum(one.blind for one in known),
        )
        return tuple("none" if one is NOTHING else tone(one) for one in past), whole

    async def run(self) -> None:
        """Restore, count what came before, then save now and again until cancelled."""
        try:
            await self.restore()
            while True:
                for _ in range(SAVE_EVERY // BEAT_EVERY):
                    self._beat()
                    await self._live.clock.sleep(BEAT_EVERY)
                await self.save()
        finally:
            await self.save()

    async def restore(self) -> None:
        """Take up what was saved, and count once what is in the history alone."""
        await self._fill(await self._saved())

    async def save(self) -> None:
        """Write the days that changed; forget those that no page shows any more."""
        if not self._unsaved:
            return
        oldest = self._today() - timedelta(days=2 * DAYS)
        records: dict[tuple[str, str], Mapping[str, object] | None] = {}
        for day in sorted(self._unsaved):
            counts = self._days.get(day, {})
            records[KIND, day.isoformat()] = {
                name: [one.good, one.bad, one.blind] for name, one in counts.items()
            }
        for day in [day for day in self._days if day < oldest]:
            del self._days[day]
            records[KIND, day.isoformat()] = None
        self._unsaved.clear()
        await self._live.ledger.commit(Change(records=records))

    async def _saved(self) -> set[date]:
        """Take up what was saved; return its days."""
        try:
            saved = (await self._live.ledger.store.load()).records
        except StewardmonError as error:
            log.warning("availability_unreadable", error=str(error))
            return set()
        days = set()
        for (kind, ident), body in saved.items():
            if kind == KIND:
                day = date.fromisoformat(ident)
                days.add(day)
                self._add(day, {name: _count(value) for name, value in body.items()})
        return days

    async def _fill(self, known: set[date]) -> None:
        """Count the days that no record holds, newest first, one at a time."""
        today = self._today()
        if today not in known:
            await self._count_from_history(today, until=self._live.started_at)
        for back in range(1, DAYS):
            self._beat()
            day = today - timedelta(days=back)
            if day in known or await self._count_from_history(day):
                continue
            # Histories have one beginning: a week without a sample is before it.
            if all(day + timedelta(days=n) not in self._days for n in range(7)):
                return

    async def _count_from_history(self, day: date, *, until: datetime | None = None) -> bool:
        start = datetime.combine(day, time(), UTC)
        end = until or start + timedelta(days=1)
        try:
            found = await self._live.history.read(
                _SUCCESS, start_ms=milliseconds(start), end_ms=milliseconds(end) - 1
            )
        except StewardmonError as error:
            log.warning("availability_unreadable", error=str(error))
            return False
        counts = await asyncio.to_thread(_by_probe, found)
        if counts:
            self._add(day, counts)
            self._unsaved.add(day)
        return bool(counts)

    def _add(self, day: date, counts: Mapping[str, Count]) -> None:
        self._before.clear()
        known = self._days.setdefault(day, {})
        for name, count in counts.items():
            known[name] = known.get(name, NOTHING).plus(count)

    def _day(self, day: date) -> dict[str, Count]:
        self._unsaved.add(day)
        return self._days.setdefault(day, {})

    def _today(self) -> date:
        return self._live.clock.now().astimezone(UTC).date()


def tone(count: Count) -> str:
    """Return how a day is shown: fine, poor, bad, or none where nothing was learned."""
    share = count.share
    if share is None or count.good + count.bad == 0:
        return "none"
    return "fine" if share >= FINE else "poor" if share >= POOR else "bad"


def summed(course: Iterable[Count]) -> Count:
    """Return all counts together."""
    whole = NOTHING
    for one in course:
        whole = whole.plus(one)
    return whole


def percent(share: float | None) -> str:
    """Return a share as availability is read: `99.98 %`, never rounded up to 100."""
    if share is None:
        return "no data"
    if share == 1:
        return "100 %"
    return f"{math.floor(share * 10_000) / 100:.2f} %"


def _count(value: Any) -> Count:
    good, bad, blind = value
    return Count(int(good), int(bad), int(blind))


def _by_probe(found: Sequence[tuple[Labels, Points]]) -> dict[str, Count]:
    counts: dict[str, Count] = {}
    for labels, points in found:
        name = labels.value("probe")
        counts[name] = counts.get(name, NOTHING).plus(_counted(points))
    return counts


def _counted(points: Points) -> Count:
    """Count samples of `probe_success`; a five-minute mean counts as one answer in part."""
    values = [value for _, value in points if not math.isnan(value)]
    good = sum(values)
    return Count(round(good), round(len(values) - good), 0)
