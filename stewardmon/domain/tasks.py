"""The guide's maintenance tasks: how often each is due, and which are overdue.

Source: production-deployment-guide.md, "Regular Maintenance Tasks".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.display import format_since


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceTask:
    """Something that people do again and again."""

    id: str
    title: str
    every: timedelta


_DAY: Final = timedelta(days=1)
TASKS: Final = tuple(
    MaintenanceTask(id=ident, title=title, every=every)
    for every, tasks in (
        (
            _DAY,
            {
                "error-rates": "Monitor error rates and performance",
                "database-performance": "Check database performance",
                "security-alerts": "Review security alerts",
                "backup-completion": "Verify backup completion",
            },
        ),
        (
            7 * _DAY,
            {
                "performance-metrics": "Review performance metrics",
                "dependencies": "Update dependencies",
                "usage-patterns": "Analyze usage patterns",
                "security-logs": "Review security logs",
            },
        ),
        (
            31 * _DAY,
            {
                "performance-optimization": "Performance optimization review",
                "security-audit": "Security audit",
                "capacity-planning": "Capacity planning",
                "restore-test": "Backup restoration test",
            },
        ),
    )
    for ident, title in tasks.items()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """When a task was last done, and by whom; by nobody, since when it is kept track of."""

    at: datetime
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStanding:
    """How one task stands at an instant."""

    task: MaintenanceTask
    done: Done
    overdue: timedelta  # nothing or less: not overdue

    @property
    def is_overdue(self) -> bool:
        """Say whether it should have been done by now."""
        return self.overdue > timedelta(0)

    @property
    def words(self) -> str:
        """Say what is overdue, and who did it last."""
        last = f"last by {self.done.by} on {self.done.at:%d %b}" if self.done.by else "never done"
        return f"{self.task.title}: overdue for {format_since(self.overdue)}, {last}"


def standings(done: Mapping[str, Done], *, now: datetime) -> tuple[TaskStanding, ...]:
    """Return how each task stands; one that nothing is known of begins now."""
    found = []
    for task in TASKS:
        last = done.get(task.id, Done(at=now))
        overdue = now - last.at - task.every
        found.append(TaskStanding(task=task, done=last, overdue=overdue))
    return tuple(found)
