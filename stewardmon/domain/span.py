"""One span of time as a report sees it: what was recorded in it, and simple figures of that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Final

from stewardmon.domain.course import Course, joined
from stewardmon.domain.display import format_since
from stewardmon.domain.incident import Incident
from stewardmon.domain.labels import Labels
from stewardmon.domain.workload import Load

SUCCESS: Final = "probe_success"
DURATION: Final = "probe_duration_seconds"
QUERY: Final = "stewardmon_pg_query_duration_seconds"
SIZE: Final = "pg_database_size_bytes"
CAPACITY: Final = "stewardmon_pg_capacity_bytes"
HIT: Final = "pg_stat_database_blks_hit"
READ: Final = "pg_stat_database_blks_read"
CONNECTIONS: Final = "pg_stat_activity_count"
ALLOWED: Final = "pg_settings_max_connections"
BLOCKED: Final = "stewardmon_pg_blocked"
SCORE: Final = "stewardmon_security_score"
FINDINGS: Final = "stewardmon_security_findings"
BACKUP_AT: Final = "stewardmon_backup_newest_timestamp_seconds"
BACKUP_SIZE: Final = "stewardmon_backup_size_bytes"
BACKUP_WHOLE: Final = "stewardmon_backup_complete"
RESTORED_AT: Final = "stewardmon_restore_last_success_timestamp_seconds"
RESTORED: Final = "stewardmon_restore_success"
AI_DURATION: Final = "gen_ai_client_operation_duration_seconds"
AI_FIRST: Final = "gen_ai_client_operation_time_to_first_chunk_seconds"
AGENT_ERRORS: Final = "stewardmon_agent_error_ratio"
AGENT_CACHE: Final = "stewardmon_agent_cache_hit_ratio"

METRICS: Final = (
    SUCCESS, DURATION, QUERY, SIZE, CAPACITY, HIT, READ, CONNECTIONS, ALLOWED, BLOCKED, SCORE,
    FINDINGS, BACKUP_AT, BACKUP_SIZE, BACKUP_WHOLE, AI_DURATION, AI_FIRST, AGENT_ERRORS,
    AGENT_CACHE, RESTORED, RESTORED_AT,
)  # fmt: skip

Courses = Mapping[str, Mapping[Labels, Course]]
"""By metric, and by series."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span of time, and all that is known of it."""

    start: datetime
    end: datetime
    courses: Courses = field(default_factory=dict)
    incidents: tuple[Incident, ...] = ()
    loads: tuple[Load, ...] = ()
    security: int = 0  # incidents of rules about security

    @property
    def bounds_ms(self) -> tuple[int, int]:
        """Return the span in milliseconds since 1970."""
        return round(self.start.timestamp() * 1000), round(self.end.timestamp() * 1000)

    def of(self, metric: str) -> Mapping[Labels, Course]:
        """Return a metric's courses."""
        return self.courses.get(metric, {})

    def merged(self, metric: str, *by: str) -> dict[tuple[str, ...], Course]:
        """Return a metric's courses by these labels alone, in their order.

        A probe whose address or job was changed within the span has a series of before and one of
        after: for a report it is one.
        """
        parts: dict[tuple[str, ...], list[Course]] = {}
        for labels, course in self.of(metric).items():
            parts.setdefault(tuple(labels.value(name) for name in by), []).append(course)
        return {key: joined(parts[key]) for key in sorted(parts)}

    def same(self, metric: str, probe: str) -> Course:
        """Return one probe's course of a metric."""
        return self.merged(metric, "probe").get((probe,), Course())

    def values(self, metric: str) -> list[float]:
        """Return all values of a metric in order of size."""
        return sorted(value for course in self.of(metric).values() for value in course.values)

    def mean(self, metric: str) -> float | None:
        """Return the mean of the finite values, None where there are none."""
        finite = [value for value in self.values(metric) if isfinite(value)]
        return sum(finite) / len(finite) if finite else None

    def most(self, metric: str) -> float | None:
        """Return the greatest value."""
        return max(self.values(metric), default=None)

    def at_end(self, metric: str, *by: str) -> float | None:
        """Return the newest values of each probe and part (`by`), added up."""
        found = [one.last() for one in self.merged(metric, "probe", *by).values()]
        known = [one for one in found if one is not None]
        return sum(known) if known else None

    def holes(self, course: Course) -> str:
        """Say for how long of the span nothing was recorded; empty where all was."""
        unseen = course.unseen_ms(*self.bounds_ms)
        return f"no data for {format_since(timedelta(milliseconds=unseen))}" if unseen else ""

    def unseen(self, metric: str, *by: str) -> str:
        """Say for how long the probe (and part, `by`) that was seen least was not seen."""
        courses = self.merged(metric, "probe", *by).values()
        least = max(courses, key=lambda one: one.unseen_ms(*self.bounds_ms), default=None)
        return "" if least is None else self.holes(least)


def within(incidents: Iterable[Incident], start: datetime, end: datetime) -> tuple[Incident, ...]:
    """Return the incidents that opened in a span."""
    return tuple(one for one in incidents if start <= one.opened_at < end)
