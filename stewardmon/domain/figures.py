"""The figures of a report, from courses of series and from incidents: pure reckoning.

Source of what is in it: production-deployment-guide.md, "Regular Maintenance Tasks", and "Key
Metrics to Monitor".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from statistics import median
from typing import Final
from zoneinfo import ZoneInfo

from stewardmon.domain.course import Course, quantile
from stewardmon.domain.display import format_since
from stewardmon.domain.incident import Incident
from stewardmon.domain.report import Row, Section
from stewardmon.domain.span import (
    AGENT_CACHE,
    AGENT_ERRORS,
    AI_DURATION,
    AI_FIRST,
    ALLOWED,
    BACKUP_AT,
    BACKUP_SIZE,
    BACKUP_WHOLE,
    BLOCKED,
    CAPACITY,
    CONNECTIONS,
    DURATION,
    FINDINGS,
    HIT,
    QUERY,
    READ,
    RESTORED,
    RESTORED_AT,
    SCORE,
    SIZE,
    SUCCESS,
    Span,
)

LISTED: Final = 20  # incidents named one by one
_DAY: Final = 86_400


def sections(
    now: Span, before: Span, *, overdue: Sequence[str], zone: ZoneInfo
) -> tuple[Section, ...]:
    """Return the whole report: every section, with what is not known said to be so.

    `zone` is the one in which its reader's clock runs.
    """
    return (
        Section(title="Availability and errors", rows=_availability(now, before)),
        Section(title="Response times", rows=_times(now, before)),
        Section(title="Database", rows=_database(now, before)),
        Section(title="AI provider and agent", rows=_agent(now, before)),
        Section(title="Security", rows=_security(now, before)),
        Section(title="Backups", rows=_backups(now, before)),
        Section(title="Capacity", rows=_capacity(now)),
        Section(title="Incidents", rows=_incidents(now, before, zone)),
        Section(title="Pages by person", rows=_pages(now, before)),
        Section(title="Maintenance tasks", rows=_tasks(overdue)),
    )


def _availability(now: Span, before: Span) -> tuple[Row, ...]:
    rows = []
    formers = before.merged(SUCCESS, "probe")
    for (probe,), course in now.merged(SUCCESS, "probe").items():
        former = formers.get((probe,), Course())
        note = now.holes(course)
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
    formers = before.merged(DURATION, "probe")
    for (probe,), course in now.merged(DURATION, "probe").items():
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
                    note=now.holes(course),
                )
            )
    return tuple(rows) or (_nothing("no response time was recorded"),)


def _database(now: Span, before: Span) -> tuple[Row, ...]:
    def p95(span: Span) -> float | None:
        return quantile(span.values(QUERY), 0.95)

    def most(metric: str) -> Callable[[Span], float | None]:
        return lambda span: span.most(metric)

    def size(span: Span) -> float | None:
        return span.at_end(SIZE, "datname")

    return (
        _compared("SELECT 1, p95", now, before, p95, "s", note=now.unseen(QUERY)),
        _compared("blocks found in memory", now, before, _hit_ratio, "ratio", note=now.unseen(HIT)),
        _compared(
            "connections, most at once",
            now,
            before,
            _connections,
            note=now.unseen(CONNECTIONS, "state"),
        ),
        _compared("connections that are allowed", now, before, most(ALLOWED)),
        _compared(
            "waiting for a lock, most at once",
            now,
            before,
            most(BLOCKED),
            note=now.unseen(BLOCKED),
        ),
        _compared("size at the end", now, before, size, "bytes"),
    )


def _agent(now: Span, before: Span) -> tuple[Row, ...]:
    def p95(metric: str) -> Callable[[Span], float | None]:
        return lambda span: quantile(span.values(metric), 0.95)

    def mean(metric: str) -> Callable[[Span], float | None]:
        return lambda span: span.mean(metric)

    rows = (
        ("first token, p95", AI_FIRST, p95, "s"),
        ("whole answer, p95", AI_DURATION, p95, "s"),
        ("agent requests that fail", AGENT_ERRORS, mean, "ratio"),
        ("agent answers from the cache", AGENT_CACHE, mean, "ratio"),
    )
    return tuple(
        _compared(name, now, before, figure(metric), unit, note=now.unseen(metric))
        for name, metric, figure, unit in rows
    )


def _security(now: Span, before: Span) -> tuple[Row, ...]:
    rows = [
        Row(
            name=f"score of {probe}",
            value=course.last(),
            before=before.same(SCORE, probe).last(),
            note=now.holes(course),
        )
        for (probe,), course in now.merged(SCORE, "probe").items()
    ] or [Row(name="score, from 100", note="no security probe was recorded")]
    rows.append(
        _compared("findings at the end", now, before, lambda one: one.at_end(FINDINGS, "check"))
    )
    alerts = Row(name="security alerts", value=float(now.security), before=float(before.security))
    return (*rows, alerts)


def _backups(now: Span, before: Span) -> tuple[Row, ...]:
    rows = []
    for (name,), course in now.merged(BACKUP_AT, "probe").items():
        newest = course.last() or 0.0
        age = now.end.timestamp() - newest
        whole = now.same(BACKUP_WHOLE, name).last()
        size, past = (span.same(BACKUP_SIZE, name).last() for span in (now, before))
        note = {0.0: "the newest is not whole", 1.0: ""}.get(
            whole if whole is not None else 1.0, ""
        )
        rows.append(Row(name=f"{name}: age of the newest", value=age, unit="s", note=note))
        rows.append(Row(name=f"{name}: size", value=size, before=past, unit="bytes"))
    rows = rows or [_nothing("no backup is watched")]
    for (name,), course in now.merged(RESTORED, "probe").items():
        last = now.same(RESTORED_AT, name).last()
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
    for (probe, datname), course in now.merged(SIZE, "probe", "datname").items():
        name = datname or probe
        slope, size = course.slope(), course.last()
        growth = Row(
            name=f"{name}: growth a day",
            value=None if slope is None else slope * _DAY,
            unit="bytes",
            note=now.holes(course),
        )
        limit = now.same(CAPACITY, probe).last()
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


def _incidents(now: Span, before: Span, zone: ZoneInfo) -> tuple[Row, ...]:
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
        Row(
            name=f"{one.opened_at.astimezone(zone):%d %b %H:%M}",
            words=f"{one.title}: {_course(one)}",
        )
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


def _rest(share: float | None) -> float | None:
    return None if share is None else 1 - share


def _nothing(why: str) -> Row:
    return Row(name=why)
