"""The history page: how often it hurt, whom, how fast people answered, which rules are noisy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain.alert import ALERT_NAME
from stewardmon.domain.incident import Incident
from stewardmon.domain.workload import Load, loads, pages
from stewardmon.engine.live import Live
from stewardmon.web import charts
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError
from stewardmon.web.incidents import read_time

DAYS: Final = (7, 30, 90, 365)
LISTED: Final = 50  # incidents a page
COUNTED: Final = 5000  # incidents looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What one rule caused."""

    rule: str
    incidents: int
    lasted: timedelta
    unanswered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The figures of a span of days. Medians are None where there is nothing to count."""

    incidents: int
    critical: int
    to_acknowledge: timedelta | None
    to_resolve: timedelta | None
    unanswered: int
    pages: int
    loads: tuple[Load, ...]
    noises: tuple[Noise, ...]
    days: charts.Chart


def routes(front: Front) -> list[Route]:
    """Return the address of the history page."""
    live = front.live

    async def show(request: Request) -> Response:
        days = _days(request.query_params.get("days", "30"))
        before = _moment(request.query_params.get("before", ""))
        now = live.clock.now()
        start = now - timedelta(days=days)
        listed = await live.ledger.store.incidents(limit=LISTED + 1, before=before)
        return front.page(
            request,
            "history.html",
            now=now,
            past=await past(live, start=start, now=now),
            incidents=listed[:LISTED],
            older=listed[LISTED - 1].opened_at if len(listed) > LISTED else None,
            before=before,
            days=days,
            choices=DAYS,
        )

    return [Route("/history", show)]


async def past(live: Live, *, start: datetime, now: datetime) -> Past:
    """Return the figures of a span."""
    found = await live.ledger.store.incidents(limit=COUNTED)
    incidents = [one for one in found if one.opened_at >= start]
    events = await live.ledger.store.events_between(start, now)
    people = live.responder.book.roster.people
    sent = list(pages(events))
    answered = [
        one.acknowledged_at - one.opened_at for one in incidents if one.acknowledged_at is not None
    ]
    over = [one.resolved_at - one.opened_at for one in incidents if one.resolved_at is not None]
    return Past(
        incidents=len(incidents),
        critical=sum(1 for one in incidents if one.severity == "critical"),
        to_acknowledge=_median(answered),
        to_resolve=_median(over),
        unanswered=sum(1 for one in incidents if one.acknowledged_at is None and one.told),
        pages=len(sent),
        loads=loads(sent, people),
        noises=noises(incidents, now=now),
        days=_by_day(incidents, sent, start=start, now=now),
    )


def noises(incidents: Iterable[Incident], *, now: datetime) -> tuple[Noise, ...]:
    """Return what each rule caused, noisiest first."""
    by_rule: dict[str, list[Incident]] = {}
    for one in incidents:
        by_rule.setdefault(one.group.value(ALERT_NAME) or one.title, []).append(one)
    found = [
        Noise(
            rule=rule,
            incidents=len(ones),
            lasted=sum(((one.resolved_at or now) - one.opened_at for one in ones), timedelta(0)),
            unanswered=sum(1 for one in ones if one.acknowledged_at is None and one.told),
        )
        for rule, ones in by_rule.items()
    ]
    return tuple(islice(sorted(found, key=lambda one: (-one.incidents, one.rule)), 20))


def _by_day(
    incidents: Iterable[Incident],
    sent: Iterable[tuple[str, datetime]],
    *,
    start: datetime,
    now: datetime,
) -> charts.Chart:
    """Return incidents and pages a day as a chart of bars."""
    first = start.astimezone(UTC).date()
    count = (now.astimezone(UTC).date() - first).days + 1
    opened = Counter((one.opened_at.astimezone(UTC).date() - first).days for one in incidents)
    paged = Counter((at.astimezone(UTC).date() - first).days for _, at in sent)
    high = max((*opened.values(), *paged.values()), default=0)
    lines = (
        charts.Line(
            name="pages", tone="one", path=charts.columns(paged, count, high=high, lanes=2)
        ),
        charts.Line(
            name="incidents",
            tone="two",
            path=charts.columns(opened, count, high=high, lane=1, lanes=2),
        ),
    )
    start_ms, end_ms = round(start.timestamp() * 1000), round(now.timestamp() * 1000)
    return charts.Chart(
        title="Incidents and pages a day",
        summary=f"at most {high} a day",
        lines=lines,
        highs=(str(high), "", "0"),
        times=charts.times(start_ms, end_ms),
        filled="bars",
    )


def _median(spans: Sequence[timedelta]) -> timedelta | None:
    return timedelta(seconds=median(one.total_seconds() for one in spans)) if spans else None


def _days(text: str) -> int:
    if text not in {str(days) for days in DAYS}:
        raise RequestError(f"days is one of {', '.join(str(days) for days in DAYS)}")
    return int(text)


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return read_time(text)
    except (ValueError, OverflowError):
        raise RequestError("before is a time such as 2026-11-23T12:00:00Z") from None
