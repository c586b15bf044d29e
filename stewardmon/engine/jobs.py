"""Work for set hours of the calendar: each hour once, also when the daemon was down in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from stewardmon import metrics
from stewardmon.domain.change import Change
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock
from stewardmon.schedule import CalendarTime

log = structlog.get_logger()

KIND: Final = "job"  # of the records
LONGEST_WAIT: Final = 10.0  # seconds between signs of life
TRY_AGAIN: Final = timedelta(minutes=5)
TRIES: Final = 12  # an hour of them, for one hour of the calendar


class JobError(StewardmonError):
    """A job that could not do its work, as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Work with a name of its own. `run` is told the hour (UTC) that it is for.

    What it returns is made durable in one transaction with the note that the hour is done: a crash
    before that runs the hour again, one after it does not.
    """

    name: str
    when: CalendarTime
    run: Callable[[datetime], Awaitable[Change]]


class Jobs:
    """Runs calendar jobs side by side; a missed hour is made up for once, by the newest missed.

    An hour counts from when the job was first seen: a new one does not begin with the past.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        *,
        beat: Callable[[], None] = lambda: None,
        bug: Callable[[str, Exception], None] = lambda _name, _error: None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._beat = beat
        self._bug = bug
        self._jobs: dict[str, Job] = {}
        self._running: set[str] = set()
        self._failures: Counter[str] = Counter()  # in a row
        # The first hour of each that is not done, or when one that failed is tried again.
        self._next: dict[str, datetime] = {}
        self._done: Kept[datetime] = Kept(
            KIND, ledger, write=_record_of, read=_from_record, changed=lambda _: None
        )

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process had done."""
        self._done.restore(records)

    def change(self, jobs: Sequence[Job]) -> None:
        """Run these jobs from now on; those of the same name keep what they have done."""
        self._jobs = {job.name: job for job in jobs}
        self._next.clear()

    def following(self) -> Mapping[str, datetime]:
        """Return when each job is due next."""
        now = self._clock.now()
        return {name: job.when.after(now) for name, job in self._jobs.items()}

    async def run(self) -> None:
        """Run until cancelled; what runs then is cut off, and made up for after the restart."""
        self._running.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                for job, due in await self._due():
                    self._running.add(job.name)
                    group.create_task(self._run(job, due), name=f"job:{job.name}")
                self._beat()
                await self._clock.sleep(self._wait())

    async def _due(self) -> list[tuple[Job, datetime]]:
        now = self._clock.now()
        done = self._done.values
        fresh = [name for name in self._jobs if name not in done]
        if fresh:
            await self._done.put(dict.fromkeys(fresh, now))
        found = []
        for name, job in self._jobs.items():
            if name not in self._next:
                self._next[name] = job.when.after(done[name])
            if self._next[name] <= now and name not in self._running:
                due = job.when.latest(after=done[name], until=now)
                found.append((job, due or self._next[name]))
        return found

    def _wait(self) -> float:
        now = self._clock.now()
        idle = [name for name in self._next if name not in self._running]
        waits = ((self._next[name] - now).total_seconds() for name in idle)
        return max(0.0, min((LONGEST_WAIT, *waits)))

    async def _run(self, job: Job, due: datetime) -> None:
        """Do the work of one hour. One that fails is tried again for a while; a bug is not."""
        change, result = Change(), "done"
        try:
            change = await job.run(due)
        except StewardmonError as error:
            log.error("job_failed", job=job.name, due=due.isoformat(), error=str(error))
            result = "failed"
            self._failures[job.name] += 1
            if self._failures[job.name] < TRIES:
                self._next[job.name] = self._clock.now() + TRY_AGAIN
                self._running.discard(job.name)
                metrics.JOBS.labels(job.name, result).inc()
                return
        except Exception as error:
            log.exception("job_died", job=job.name, due=due.isoformat())
            self._bug(f"job:{job.name}", error)
            result = "died"
        records = {**(change.records or {}), (KIND, job.name): _record_of(due)}
        await self._ledger.commit(replace(change, records=records))
        self._done.values[job.name] = due
        self._next.pop(job.name, None)
        self._failures.pop(job.name, None)
        self._running.discard(job.name)
        metrics.JOBS.labels(job.name, result).inc()
        log.info("job", job=job.name, due=due.isoformat(), result=result)


def _record_of(done: datetime) -> Mapping[str, object]:
    return {"done": done.isoformat()}


def _from_record(_name: str, record: Mapping[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(record["done"]).astimezone(UTC)
    except (KeyError, TypeError, ValueError) as error:
        raise JobError(f"the state holds a job that cannot be read: {error}") from None
