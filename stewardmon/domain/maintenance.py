"""Maintenance windows: spans in which work is expected, once or every week, by a zone's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.localtime import first_instant
from stewardmon.errors import ExpressionError, StewardmonError

_DAY: Final = timedelta(days=1)


class MaintenanceError(StewardmonError):
    """A window that cannot be, as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """A single span, UTC, end not included."""

    start: datetime
    end: datetime

    def until(self, now: datetime) -> datetime | None:
        """Return when the span that holds `now` ends, None outside of it."""
        return self.end if self.start <= now < self.end else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recurring:
    """The same local time on some weekdays (Monday is 0), for so long.

    A start that the clocks skip is the first instant after the gap; of one that they show twice
    it is the first.
    """

    at: time
    weekdays: frozenset[int]
    timezone: ZoneInfo
    duration: timedelta

    def until(self, now: datetime) -> datetime | None:
        """Return when the span that holds `now` ends, None outside of it; the latest of several."""
        today = now.astimezone(self.timezone).date()
        for back in range(self.duration // _DAY + 2):
            day = today - back * _DAY
            if day.weekday() not in self.weekdays:
                continue
            start = first_instant(datetime.combine(day, self.at), self.timezone)
            if start <= now < start + self.duration:
                return start + self.duration
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class MaintenanceWindow:
    """Alerts that meet every matcher page nobody while it is open; without matchers, all alerts.

    `id` is set for windows that were opened at run time.
    """

    name: str
    when: Once | Recurring
    matchers: tuple[Matcher, ...] = ()
    comment: str = ""
    created_by: str = ""
    id: str = ""

    def accepts(self, labels: Labels) -> bool:
        """Say whether the labels meet every matcher."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def over(self, now: datetime) -> bool:
        """Say whether the window will never open again."""
        return isinstance(self.when, Once) and now >= self.when.end


def record_of(window: MaintenanceWindow) -> dict[str, object]:
    """Return a window set at run time as the store keeps it."""
    when = window.when
    body: dict[str, object] = {
        "name": window.name,
        "matchers": [[one.name, one.op.value, one.text] for one in window.matchers],
        "comment": window.comment,
        "created_by": window.created_by,
    }
    if isinstance(when, Once):
        return {**body, "start": when.start.isoformat(), "end": when.end.isoformat()}
    return {
        **body,
        "at": when.at.isoformat(),
        "weekdays": sorted(when.weekdays),
        "timezone": when.timezone.key,
        "seconds": when.duration.total_seconds(),
    }


def from_record(ident: str, record: Mapping[str, Any]) -> MaintenanceWindow:
    """Return a window that the store kept. Raises MaintenanceError for what is not one."""
    try:
        return MaintenanceWindow(
            id=ident,
            name=str(record["name"]),
            when=_when(record),
            matchers=tuple(Matcher(name, Op(op), text) for name, op, text in record["matchers"]),
            comment=str(record.get("comment", "")),
            created_by=str(record.get("created_by", "")),
        )
    except (KeyError, TypeError, ValueError, ExpressionError) as error:
        raise MaintenanceError(
            f"the state holds a maintenance window that cannot be read: {error}"
        ) from None


def _when(record: Mapping[str, Any]) -> Once | Recurring:
    if "start" in record:
        start, end = (datetime.fromisoformat(record[key]) for key in ("start", "end"))
        return Once(start=start.astimezone(UTC), end=end.astimezone(UTC))
    return Recurring(
        at=time.fromisoformat(record["at"]),
        weekdays=frozenset(record["weekdays"]),
        timezone=ZoneInfo(record["timezone"]),
        duration=timedelta(seconds=record["seconds"]),
    )
