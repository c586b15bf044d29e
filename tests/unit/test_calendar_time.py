"""Set hours of the calendar come once each, on days when the clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.schedule import CalendarTime

BERLIN = ZoneInfo("Europe/Berlin")
NIGHTLY = CalendarTime(at=time(2, 30), zone=BERLIN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_an_hour_is_that_of_the_zone() -> None:
    daily = CalendarTime(at=time(7), zone=BERLIN)
    assert daily.after(utc("2026-11-26 05:59:59")) == utc("2026-11-26 06:00")
    assert daily.after(utc("2026-11-26 06:00")) == utc("2026-11-27 06:00")
    assert daily.after(utc("2026-07-01 00:00")) == utc("2026-07-01 05:00")


def test_weekdays_and_days_of_the_month() -> None:
    weekly = CalendarTime(at=time(8), weekday=0)
    assert weekly.after(utc("2026-11-26 00:00")) == utc("2026-11-30 08:00")
    monthly = CalendarTime(at=time(8), day=31)
    assert monthly.after(utc("2026-01-31 08:00")) == utc("2026-03-31 08:00")


@pytest.mark.parametrize(
    ("night", "fires"),
    [("2026-10-24 12:00", "2026-10-25 00:30"), ("2026-03-28 12:00", "2026-03-29 01:00")],
    ids=["twice on the clock, once for us", "skipped by the clock, at the end of the gap"],
)
def test_nights_in_which_the_clocks_change(night: str, fires: str) -> None:
    first = NIGHTLY.after(utc(night))
    assert first == utc(fires)
    assert NIGHTLY.after(first) - first > timedelta(hours=20)


@given(
    start=st.integers(0, 3 * 365 * 24 * 60).map(lambda n: utc("2025-01-01") + timedelta(minutes=n)),
    days=st.floats(0, 9),
    hour=st.times().map(lambda at: at.replace(microsecond=0)),
)
def test_the_latest_is_the_last_of_all_that_follow(
    start: datetime, days: float, hour: time
) -> None:
    when = CalendarTime(at=hour, zone=BERLIN)
    until = start + timedelta(days=days)
    course, at = [], start
    while (at := when.after(at)) <= until:
        course.append(at)
    assert when.latest(after=start, until=until) == (course[-1] if course else None)
    local = [one.astimezone(BERLIN).date() for one in course]
    assert len(set(local)) == len(local)  # once a day
