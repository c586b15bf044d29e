"""When reports are made and who gets them: what the configuration says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from zoneinfo import ZoneInfo

from stewardmon.domain.oncall import Contact
from stewardmon.domain.report import ReportKind
from stewardmon.schedule import CalendarTime


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """When reports are made, by whose clock, and who gets them; None is never."""

    zone: ZoneInfo = field(default=ZoneInfo("UTC"))
    times: Mapping[ReportKind, CalendarTime] = field(
        default_factory=lambda: {
            ReportKind.DAILY: CalendarTime(at=time(7)),
            ReportKind.WEEKLY: CalendarTime(at=time(8), weekday=0),
            ReportKind.MONTHLY: CalendarTime(at=time(8), day=1),
        }
    )
    to: tuple[Contact, ...] = ()
