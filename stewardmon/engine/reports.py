"""Makes reports from the recorded history and the state, keeps them, and hands them out."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import ALERT_NAME
from stewardmon.domain.change import Change
from stewardmon.domain.course import Course
from stewardmon.domain.drill import is_drill
from stewardmon.domain.figures import sections
from stewardmon.domain.incident import Incident
from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.notification import Delivery, Notification, NotificationEvent
from stewardmon.domain.oncall import Contact, Person
from stewardmon.domain.report import (
    Report,
    ReportError,
    ReportKind,
    as_record,
    as_text,
    from_record,
)
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.span import METRICS, Span, within
from stewardmon.domain.workload import loads, pages
from stewardmon.engine.jobs import Job
from stewardmon.engine.office import Office
from stewardmon.ports import History, Points, Store

log = structlog.get_logger()

KIND: Final = "report"  # of the records
KEPT: Final = 60  # reports of each kind
STRETCH: Final = timedelta(days=1)  # history read at once: bounded memory
INCIDENTS: Final = 5000  # looked at
_SECURITY: Final = re.compile(
    r"stewardmon_(?:security|log_(?:secrets|personal)|supabase_\w*rls|tls)|probe_ssl|rls"
)

Progress = Callable[[int, int], None]
"""Told how many of how many pieces of history have been read."""


class Reporter:
    """Reads what a report is about. `overdue` tells which maintenance tasks are."""

    def __init__(
        self,
        store: Store,
        history: History,
        *,
        people: Callable[[], Mapping[str, Person]] = dict,
        rules: Callable[[], Sequence[AlertRule]] = tuple,
        overdue: Callable[[datetime], Sequence[str]] = lambda _: (),
    ) -> None:
        self._store = store
        self._history = history
        self._people = people
        self._rules = rules
        self._overdue = overdue

    async def make(
        self,
        kind: ReportKind,
        end: datetime,
        *,
        zone: ZoneInfo,
        progress: Progress = lambda _done, _all: None,
    ) -> Report:
        """Return the report of the span that ends at `end`. Raises StoreError."""
        start = end - kind.length
        pieces = 2 * len(METRICS)
        spans = []
        for number, (begins, ends) in enumerate(((start, end), (start - kind.length, start))):
            courses: dict[str, dict[Labels, Course]] = {}
            for place, metric in enumerate(METRICS):
                courses[metric] = await self._courses(metric, begins, ends)
                progress(number * len(METRICS) + place + 1, pieces)
            spans.append(await self._span(begins, ends, courses))
        made = await asyncio.to_thread(sections, *spans, overdue=self._overdue(end), zone=zone)
        return Report(kind=kind, start=start, end=end, zone=zone.key, sections=made)

    async def _courses(self, metric: str, start: datetime, end: datetime) -> dict[Labels, Course]:
        """Return what each series of a metric did, start ≤ t < end."""
        courses: dict[Labels, Course] = {}
        at = start
        while at < end:
            upto = min(at + STRETCH, end)
            found = await self._history.read(
                [Matcher(NAME, Op.EQUAL, metric)],
                start_ms=milliseconds(at),
                end_ms=milliseconds(upto) - 1,
            )
            await asyncio.to_thread(_fold, found, courses)
            at = upto
        return courses

    async def _span(
        self, start: datetime, end: datetime, courses: Mapping[str, Mapping[Labels, Course]]
    ) -> Span:
        found = [one for one in await self._incidents(start, end) if not is_drill(one)]
        events = await self._store.events_between(start, end)
        security = {rule.name for rule in self._rules() if _SECURITY.search(rule.expr)}
        incidents = within(found, start, end)
        return Span(
            start=start,
            end=end,
            courses=courses,
            incidents=incidents,
            loads=loads(list(pages(events)), self._people()),
            security=sum(1 for one in incidents if one.group.value(ALERT_NAME) in security),
        )

    async def _incidents(self, start: datetime, end: datetime) -> list[Incident]:
        found: list[Incident] = []
        before: datetime | None = end
        while len(found) < INCIDENTS:
            listed = await self._store.incidents(limit=500, before=before)
            found += [one for one in listed if one.opened_at >= start]
            if not listed or listed[-1].opened_at < start:
                break
            before = listed[-1].opened_at
        return found


def _fold(found: Sequence[tuple[Labels, Points]], courses: dict[Labels, Course]) -> None:
    for labels, points in found:
        course = courses.setdefault(labels, Course())
        columns = (getattr(points, "times", None), getattr(points, "values", None))
        times = columns[0] if columns[0] is not None else [at for at, _ in points]
        values = columns[1] if columns[1] is not None else [value for _, value in points]
        course.add(times, values)


class Reports:
    """The reports that were made, newest first; `jobs` makes more at their hours."""

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.office = Office()
        self._made: dict[str, Report] = {}

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Take up what was made before; what cannot be read is left out, and said."""
        for (kind, ident), record in records.items():
            if kind != KIND:
                continue
            try:
                self._made[ident] = from_record(record)
            except ReportError as error:
                log.error("report_unreadable", report=ident, error=str(error))

    def listed(self) -> tuple[Report, ...]:
        """Return the reports that are kept, newest first."""
        return tuple(sorted(self._made.values(), key=lambda one: (one.end, one.id), reverse=True))

    def find(self, ident: str) -> Report:
        """Return one report. Raises ReportError where there is none."""
        found = self._made.get(ident)
        if found is None:
            raise ReportError(f"there is no report {ident[:60]!r}")
        return found

    def jobs(self) -> list[Job]:
        """Return the calendar jobs of the hours that are set."""
        return [
            Job(name=f"report {kind.value}", when=when, run=self._job(kind))
            for kind, when in self.office.times.items()
        ]

    def _job(self, kind: ReportKind) -> Callable[[datetime], Awaitable[Change]]:
        async def run(due: datetime) -> Change:
            report = await self.reporter.make(kind, due, zone=self.office.zone)
            return self.keep(report)

        return run

    def keep(self, report: Report) -> Change:
        """Return what makes the report durable and sends it, and forgets the oldest."""
        self._made[report.id] = report
        records: dict[tuple[str, str], Mapping[str, object] | None] = {
            (KIND, report.id): as_record(report)
        }
        same = [one for one in self.listed() if one.kind is report.kind]
        for old in same[KEPT:]:
            del self._made[old.id]
            records[KIND, old.id] = None
        return Change(
            records=records, deliveries=tuple(delivery(report, one) for one in self.office.to)
        )


def delivery(report: Report, contact: Contact) -> Delivery:
    """Return the outbox row that sends a report to one address: the same row if made twice."""
    key = f"{report.id}:report:0:{contact.to}.0.{contact.channel}"
    incident = f"report-{report.id}"
    return Delivery(
        dedup_key=key,
        incident=incident,
        event=NotificationEvent.REPORT,
        level=0,
        person=contact.to,
        contact=0,
        channel=contact.channel,
        to=contact.to,
        notification=Notification(
            event=NotificationEvent.REPORT,
            incident=incident,
            title=report.title,
            severity="info",
            level=0,
            role="",
            person=contact.to,
            person_name="",
            timezone=report.zone,
            to=contact.to,
            dedup_key=key,
            at=report.end,
            since=report.start,
            description=as_text(report),
        ),
        due_at=report.end,
        created_at=report.end,
    )
