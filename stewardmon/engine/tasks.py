"""Keeps track of the guide's maintenance tasks: done by whom and when, and what is overdue."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from stewardmon import metrics
from stewardmon.domain.tasks import TASKS, Done, TaskStanding, standings
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.errors import StewardmonError

KIND = "task"  # of the records


class TaskError(StewardmonError):
    """A task that is not known, or a record that cannot be read."""


class Tasks:
    """The tasks as they stand. A task begins to be due when it is first kept track of."""

    def __init__(self, ledger: Ledger) -> None:
        self._done: Kept[Done] = Kept(
            KIND, ledger, write=_record_of, read=read_done, changed=lambda _: None
        )

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process knew."""
        self._done.restore(records)

    def standings(self, *, now: datetime) -> tuple[TaskStanding, ...]:
        """Return how each task stands."""
        return standings(self._done.values, now=now)

    async def mark(self, ident: str, *, by: str, note: str = "", now: datetime) -> TaskStanding:
        """Note that somebody has done a task. Raises TaskError for one that is not known."""
        if all(task.id != ident for task in TASKS):
            names = ", ".join(task.id for task in TASKS)
            raise TaskError(f"there is no task {ident[:60]!r}; there are {names}")
        await self._done.put({ident: Done(at=now, by=by, note=note)})
        return next(one for one in self.standings(now=now) if one.task.id == ident)

    async def tend(self, *, now: datetime) -> None:
        """Begin with tasks that are new, and show how overdue each is.

        The gauge counts only what somebody has done here before: nobody is told by a rule of lists
        that they do not keep here. Reports name them all.
        """
        fresh = {task.id: Done(at=now) for task in TASKS if task.id not in self._done.values}
        if fresh:
            await self._done.put(fresh)
        for one in self.standings(now=now):
            late = max(one.overdue.total_seconds(), 0.0) if one.done.by else 0.0
            metrics.TASK_OVERDUE.labels(one.task.id).set(late)


def _record_of(done: Done) -> Mapping[str, object]:
    return {"at": done.at.isoformat(), "by": done.by, "note": done.note}


def read_done(_ident: str, record: Mapping[str, Any]) -> Done:
    """Return what a record says. Raises TaskError where it cannot be read."""
    try:
        at = datetime.fromisoformat(record["at"]).astimezone(UTC)
        return Done(at=at, by=str(record["by"]), note=str(record["note"]))
    except (KeyError, TypeError, ValueError) as error:
        raise TaskError(f"the state holds a task that cannot be read: {error}") from None
