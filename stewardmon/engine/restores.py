"""Restore drills by the calendar: the result of each is kept, and its probe shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from stewardmon.domain import restoration
from stewardmon.domain.change import Change
from stewardmon.domain.restoration import Restored
from stewardmon.engine.jobs import Job
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.ports import Clock, ProbeSpec
from stewardmon.schedule import CalendarTime

if TYPE_CHECKING:
    from stewardmon.probes.restore_drill import Plan

log = structlog.get_logger()

KIND: Final = "restore"
Drill = Callable[["Plan", Clock], Awaitable[Restored]]


async def drill(plan: Plan, clock: Clock) -> Restored:
    """Restore the newest backup into a database made for it, and compare."""
    from stewardmon.probes import restore_drill  # noqa: PLC0415 - psycopg, which few drills need

    return await restore_drill.drill(plan, clock)


class Restores:
    """Makes the jobs that drill, and keeps their results over a restart."""

    def __init__(self, ledger: Ledger, clock: Clock, *, drill: Drill = drill) -> None:
        self._clock = clock
        self._drill = drill
        self._kept: Kept[Restored] = Kept(
            KIND,
            ledger,
            write=restoration.record_of,
            read=restoration.from_record,
            changed=lambda _: None,
        )

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process kept."""
        self._kept.restore(records)

    def last(self, name: str) -> Restored | None:
        """Return the result of a probe's last drill, None where there was none."""
        return self._kept.values.get(name)

    def jobs(self, specs: Iterable[ProbeSpec]) -> list[Job]:
        """Return the drills of the probes that ask for one."""
        return [self._job(spec.name, spec.settings) for spec in specs if spec.kind == KIND]

    def _job(self, name: str, settings: Any) -> Job:
        async def run(_due: datetime) -> Change:
            result = await self._drill(settings.plan, self._clock)
            former = self._kept.values.get(name)
            if not result.succeeded and former is not None:
                result = replace(result, success_at=former.success_at)
            self._kept.values[name] = result
            log.info("restore_drill", probe=name, took=result.took, wrong=list(result.wrong))
            return Change(records={(KIND, name): restoration.record_of(result)})

        when = CalendarTime(at=settings.at, zone=settings.timezone, day=settings.day)
        return Job(name=f"restore:{name}", when=when, run=run)
