"""The figures of a report, from courses of series and from incidents: pure reckoning.

Source of what is in it: production-deployment-guide.md, "Regular Maintenance Tasks", and "Key
Metrics to Monitor".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from statistics import median
from typing import Final

from stewardmon.domain.course import Course, joined, quantile
from stewardmon.domain.display import format_since
from stewardmon.domain.incident import Incident
from stewardmon.domain.labels import Labels
from stewardmon.domain.report import Row, Section
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
LISTED: Final = 20  # incidents named one by one
_DAY: Final = 86_400

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


def sections(now: Span, before: Span, *, overdue: Sequence[str]) -> tuple[Section, ...]:
    """Return the whole report: every section, with what is not known said to be so."""
    return (
        Section(title="Availability and errors", rows=_availability(now, before)),
        Section(title="Response times", rows=_times(now, before)),
        Section(title="Database", rows=_database(now, before)),
        Section(title="AI provider and agent", rows=_agent(now, before)),
        Section(title="Security", rows=_security(now, before)),
        Section(title="Backups", rows=_backups(now, before)),
        Section(title="Capacity", rows=_capacity(now)),
        Section(title="Incidents", rows=_incidents(now, before)),
        Section(title="Pages by person", rows=_pages(now, before)),
        Section(title="Maintenance tasks", rows=_tasks(overdue)),
    )


def _availability(now: Span, before: Span) -> tuple[Row, ...]:
    rows = []
    formers = _merged(before, SUCCESS, "probe")
    for (probe,), course in _merged(now, SUCCESS, "probe").items():
        former = formers.get((probe,), Course())
        note = _holes(course, now)
        share, past = course.mean(), former.mean()
        rows.append(
            Row(name=f"{probe}: available", value=share, before=past, unit="ratio", note=note)
        )
        wrong = Row(
            name=f"{probe}: errors", value=_rest(share), before=_rest(past), unit="ratio", note=note
        )
        rows.append(wrong)
    return tuple(rows) or (_nothing("no probe was recorded"),)


def _times(now: Span, before: Span) -> tuple[Row, ...]:
    rows = []
    formers = _merged(before, DURATION, "probe")
    for (probe,), course in _merged(now, DURATION, "probe").items():
        former = sorted(formers.get((probe,), Course()).values)
        ordered = sorted(course.values)
        for percent in (50, 95, 99):
            share = percent / 100
            rows.append(
                Row(
                    name=f"{probe}: p{percent}",
                    value=quantile(ordered, share),
                    before=quantile(former, share),
                    unit="s",
                    note=_holes(course, now),
                )
            )
    return tuple(rows) or (_nothing("no response time was recorded"),)


def _database(now: Span, before: Span) -> tuple[Row, ...]:
    def p95(span: Span) -> float | None:
        return quantile(_values(span, QUERY), 0.95)

    def most(metric: str) -> Callable[[Span], float | None]:
        return lambda span: max(_values(span, metric), default=None)

    def size(span: Span) -> float | None:
        return _summed_last(span, SIZE, "datname")

    return (
        _compared("SELECT 1, p95", now, before, p95, "s", note=_unseen(now, QUERY)),
        _compared(
            "blocks found in memory", now, before, _hit_ratio, "ratio", note=_unseen(now, HIT)
        ),
        _compared(
            "connections, most at once",
            now,
            before,
            _connections,
            note=_unseen(now, CONNECTIONS, "state"),
        ),
        _compared("connections that are allowed", now, before, most(ALLOWED)),
        _compared(
            "waiting for a lock, most at once",
            now,
            before,
            most(BLOCKED),
            note=_unseen(now, BLOCKED),
        ),
        _compared("size at the end", now, before, size, "bytes"),
    )


def _agent(now: Span, before: Span) -> tuple[Row, ...]:
    def p95(metric: str) -> Callable[[Span], float | None]:
        return lambda span: quantile(_values(span, metric), 0.95)

    def mean(metric: str) -> Callable[[Span], float | None]:
        return lambda span: _mean(span, metric)

    rows = (
        ("first token, p95", AI_FIRST, p95, "s"),
        ("whole answer, p95", AI_DURATION, p95, "s"),
        ("agent requests that fail", AGENT_ERRORS, mean, "ratio"),
        ("agent answers from the cache", AGENT_CACHE, mean, "ratio"),
    )
    return tuple(
        _compared(name, now, before, figure(metric), unit, note=_unseen(now, metric))
        for name, metric, figure, unit in rows
    )


def _security(now: Span, before: Span) -> tuple[Row, ...]:
    rows = [
        Row(
            name=f"score of {probe}",
            value=course.last(),
            before=_same(before, SCORE, probe).last(),
            note=_holes(course, now),
        )
        for (probe,), course in _merged(now, SCORE, "probe").items()
    ] or [Row(name="score, from 100", note="no security probe was recorded")]
    rows.append(
        _compared(
            "findings at the end", now, before, lambda one: _summed_last(one, FINDINGS, "check")
        )
    )
    alerts = Row(name="security alerts", value=float(now.security), before=float(before.security))
    return (*rows, alerts)


def _backups(now: Span, before: Span) -> tuple[Row, ...]:
    rows = []
    for (name,), course in _merged(now, BACKUP_AT, "probe").items():
        newest = course.last() or 0.0
        age = now.end.timestamp() - newest
        whole = _same(now, BACKUP_WHOLE, name).last()
        size, past = (_same(span, BACKUP_SIZE, name).last() for span in (now, before))
        note = {0.0: "the newest is not whole", 1.0: ""}.get(
            whole if whole is not None else 1.0, ""
        )
        rows.append(Row(name=f"{name}: age of the newest", value=age, unit="s", note=note))
        rows.append(Row(name=f"{name}: size", value=size, before=past, unit="bytes"))
    rows = rows or [_nothing("no backup is watched")]
    for (name,), course in _merged(now, RESTORED, "probe").items():
        last = _same(now, RESTORED_AT, name).last()
        since = None if last is None else now.end.timestamp() - last
        note = "" if course.last() else "the newest drill failed"
        rows.append(
            Row(name=f"{name}: since a restore went well", value=since, unit="s", note=note)
        )
    if not now.of(RESTORED):
        rows.append(_nothing("no restore drill is recorded"))
    return tuple(rows)


def _capacity(now: Span) -> tuple[Row, ...]:
    rows = []
    for (probe, datname), course in _merged(now, SIZE, "probe", "datname").items():
        name = datname or probe
        slope, size = course.slope(), course.last()
        growth = Row(
            name=f"{name}: growth a day",
            value=None if slope is None else slope * _DAY,
            unit="bytes",
            note=_holes(course, now),
        )
        limit = _same(now, CAPACITY, probe).last()
        rows += [growth, _days_to_full(name, size, slope, limit)]
    return tuple(rows) or (_nothing("no database's size was recorded"),)


def _days_to_full(name: str, size: float | None, slope: float | None, limit: float | None) -> Row:
    title = f"{name}: days to full"
    if limit is None:
        return Row(name=title, note="its room is not known: set `capacity` of the postgres probe")
    if size is None or slope is None:
        return Row(name=title)
    if size >= limit:
        return Row(name=title, value=0.0)
    if slope <= 0:
        return Row(name=title, words="never, it does not grow")
    return Row(name=title, value=(limit - size) / slope / _DAY)


def _incidents(now: Span, before: Span) -> tuple[Row, ...]:
    def seconds(of: Callable[[Incident], datetime | None]) -> Callable[[Span], float | None]:
        def middle(span: Span) -> float | None:
            ends = ((of(one), one.opened_at) for one in span.incidents)
            found = [(end - begun).total_seconds() for end, begun in ends if end is not None]
            return median(found) if found else None

        return middle

    rows = [
        _compared("incidents", now, before, lambda span: float(len(span.incidents))),
        _compared(
            "until acknowledged, median", now, before, seconds(lambda one: one.acknowledged_at), "s"
        ),
        _compared("until resolved, median", now, before, seconds(lambda one: one.resolved_at), "s"),
        _compared("nobody answered", now, before, _unanswered),
    ]
    rows += [
        Row(name=f"{one.opened_at:%d %b %H:%M}", words=f"{one.title}: {_course(one)}")
        for one in sorted(now.incidents, key=lambda one: one.opened_at)[:LISTED]
    ]
    if len(now.incidents) > LISTED:
        rows.append(Row(name="…", words=f"and {len(now.incidents) - LISTED} more"))
    return tuple(rows)


def _course(one: Incident) -> str:
    taken = "nobody acknowledged it"
    if one.acknowledged_at is not None:
        after = format_since(one.acknowledged_at - one.opened_at)
        taken = f"acknowledged by {one.acknowledged_by} after {after}"
    if one.resolved_at is None:
        return f"{taken}, still open"
    return f"{taken}, over after {format_since(one.resolved_at - one.opened_at)}"


def _pages(now: Span, before: Span) -> tuple[Row, ...]:
    past = {one.person: float(one.pages) for one in before.loads}
    rows = [
        Row(
            name=one.person,
            value=float(one.pages),
            before=past.pop(one.person, 0.0),
            note=f"{one.at_night} at night, in {one.nights} nights" if one.nights else "",
        )
        for one in now.loads
    ]
    rows += [Row(name=person, value=0.0, before=pages) for person, pages in past.items()]
    return tuple(rows) or (Row(name="pages", words="nobody was paged"),)


def _tasks(overdue: Sequence[str]) -> tuple[Row, ...]:
    return tuple(Row(name="overdue", words=line) for line in overdue) or (
        Row(name="overdue", words="none"),
    )


def _unanswered(span: Span) -> float:
    return float(sum(1 for one in span.incidents if one.acknowledged_at is None and one.told))


def _compared(
    name: str,
    now: Span,
    before: Span,
    figure: Callable[[Span], float | None],
    unit: str = "",
    *,
    note: str = "",
) -> Row:
    return Row(name=name, value=figure(now), before=figure(before), unit=unit, note=note)


def _hit_ratio(span: Span) -> float | None:
    hit, read = ([one.increase() for one in span.of(metric).values()] for metric in (HIT, READ))
    hits, reads = (sum(one for one in found if one is not None) for found in (hit, read))
    return hits / (hits + reads) if hits + reads > 0 else None


def _connections(span: Span) -> float | None:
    """Return the most connections at one instant, all states of a database together."""
    at: dict[tuple[str, int], float] = {}
    for labels, course in span.of(CONNECTIONS).items():
        probe = labels.value("probe")
        for when, value in zip(course.times, course.values, strict=True):
            at[probe, when] = at.get((probe, when), 0.0) + value
    return max(at.values(), default=None)


def _values(span: Span, metric: str) -> list[float]:
    return sorted(value for course in span.of(metric).values() for value in course.values)


def _mean(span: Span, metric: str) -> float | None:
    finite = [value for value in _values(span, metric) if isfinite(value)]
    return sum(finite) / len(finite) if finite else None


def _summed_last(span: Span, metric: str, *by: str) -> float | None:
    """Return the newest values of each probe and part (`by`), added up."""
    found = [one.last() for one in _merged(span, metric, "probe", *by).values()]
    known = [one for one in found if one is not None]
    return sum(known) if known else None


def _same(span: Span, metric: str, probe: str) -> Course:
    return _merged(span, metric, "probe").get((probe,), Course())


def _merged(span: Span, metric: str, *by: str) -> dict[tuple[str, ...], Course]:
    """Return a metric's courses by these labels alone, in their order.

    A probe whose address or job was changed within the span has a series of before and one of
    after: for a report it is one.
    """
    parts: dict[tuple[str, ...], list[Course]] = {}
    for labels, course in span.of(metric).items():
        parts.setdefault(tuple(labels.value(name) for name in by), []).append(course)
    return {key: joined(parts[key]) for key in sorted(parts)}


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share


def _holes(course: Course, span: Span) -> str:
    unseen = course.unseen_ms(*span.bounds_ms)
    return f"no data for {format_since(timedelta(milliseconds=unseen))}" if unseen else ""


def _unseen(span: Span, metric: str, *by: str) -> str:
    """Say for how long the probe (and part, `by`) that was seen least was not seen."""
    courses = _merged(span, metric, "probe", *by).values()
    least = max(courses, key=lambda one: one.unseen_ms(*span.bounds_ms), default=None)
    return "" if least is None else _holes(least, span)


def _nothing(why: str) -> Row:
    return Row(name=why)


def within(incidents: Iterable[Incident], start: datetime, end: datetime) -> tuple[Incident, ...]:
    """Return the incidents that opened in a span."""
    return tuple(one for one in incidents if start <= one.opened_at < end)
