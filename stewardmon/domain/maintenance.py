"""Maintenance windows: spans in which work is expected, once or every week, by a zone's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.localtime import first_instant
from stewardmon.errors import ExpressionError, StewardmonError

_DAY: Final = timedelta(days=1)


class MaintenanceError(StewardmonError):
    """A window that cannot be, as one sentence."""


@dataclass(frozen=True, slots=True)
class Once:
    """A single span, UTC, end not included."""

    start: datetime
    end: datetime

    def until(self, now: datetime) -> datetime | None:
        """Return when the span that holds `now` ends, None outside of it."""
        return self.end if self.start <= now < self.end else None


@dataclass(frozen=True, slots=True)
class Weekly:
    """The same local hours on some weekdays (Monday is 0); an end before the start is next day's.

    A time that the clocks skip is the first instant after the gap; of one that they show twice
    it is the first.
    """

    days: frozenset[int]
    start: time
    end: time
    timezone: ZoneInfo

    def until(self, now: datetime) -> datetime | None:
        """Return when the span that holds `now` ends, None outside of it."""
        today = now.astimezone(self.timezone).date()
        for day in (today, today - _DAY):
            if day.weekday() not in self.days:
                continue
            ends_on = day if self.end > self.start else day + _DAY
            starts = first_instant(datetime.combine(day, self.start), self.timezone)
            ends = first_instant(datetime.combine(ends_on, self.end), self.timezone)
            if starts <= now < ends:
                return ends
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """Alerts that meet every matcher page nobody while it is open; without matchers, all alerts."""

    id: str
    name: str
    matchers: tuple[Matcher, ...]
    span: Once | Weekly
    created_by: str = ""
    reason: str = ""

    def accepts(self, labels: Labels) -> bool:
        """Say whether the labels meet every matcher."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def ended(self, now: datetime) -> Maintenance | None:
        """Return the window as it was, ended at `now` at the latest; None for a weekly one."""
        if not isinstance(self.span, Once) or self.span.start >= now:
            return None
        return replace(self, span=Once(self.span.start, min(self.span.end, now)))

    def over(self, now: datetime) -> bool:
        """Say whether the window will never open again."""
        return isinstance(self.span, Once) and now >= self.span.end


def record_of(window: Maintenance) -> dict[str, object]:
    """Return a window set at run time as the store keeps it."""
    span = window.span
    body: dict[str, object] = {
        "name": window.name,
        "matchers": [[one.name, one.op.value, one.text] for one in window.matchers],
        "created_by": window.created_by,
        "reason": window.reason,
    }
    if isinstance(span, Once):
        return {**body, "start": span.start.isoformat(), "end": span.end.isoformat()}
    return {
        **body,
        "days": sorted(span.days),
        "from": span.start.isoformat(),
        "to": span.end.isoformat(),
        "timezone": span.timezone.key,
    }


def from_record(ident: str, record: Mapping[str, Any]) -> Maintenance:
    """Return a window that the store kept. Raises MaintenanceError for what is not one."""
    try:
        return Maintenance(
            id=ident,
            name=str(record["name"]),
            matchers=tuple(Matcher(name, Op(op), text) for name, op, text in record["matchers"]),
            span=_span(record),
            created_by=str(record.get("created_by", "")),
            reason=str(record.get("reason", "")),
        )
    except (KeyError, TypeError, ValueError, ExpressionError) as error:
        raise MaintenanceError(
            f"the state holds a maintenance window that cannot be read: {error}"
        ) from None


def _span(record: Mapping[str, Any]) -> Once | Weekly:
    if "start" in record:
        start, end = (datetime.fromisoformat(record[key]) for key in ("start", "end"))
        return Once(start.astimezone(UTC), end.astimezone(UTC))
    return Weekly(
        days=frozenset(record["days"]),
        start=time.fromisoformat(record["from"]),
        end=time.fromisoformat(record["to"]),
        timezone=ZoneInfo(record["timezone"]),
    )
