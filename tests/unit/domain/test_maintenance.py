"""Maintenance windows: once, weekly, over midnight, on days when the clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.domain.maintenance import (
    Maintenance,
    MaintenanceError,
    Once,
    Weekly,
    from_record,
    record_of,
)

BERLIN = ZoneInfo("Europe/Berlin")


def weekly(start: str, end: str, *days: int) -> Weekly:
    return Weekly(frozenset(days), time.fromisoformat(start), time.fromisoformat(end), BERLIN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("span", "now", "until"),
    [
        # Thursday 2026-11-26, an hour later in Berlin.
        (weekly("20:00", "21:00", 3), "2026-11-26 18:59", None),
        (weekly("20:00", "21:00", 3), "2026-11-26 19:00", "2026-11-26 20:00"),
        (weekly("20:00", "21:00", 3), "2026-11-26 20:00", None),
        (weekly("20:00", "21:00", 3), "2026-11-27 19:30", None),
        # Over midnight the window belongs to the day on which it begins.
        (weekly("23:00", "02:00", 3), "2026-11-27 00:30", "2026-11-27 01:00"),
        (weekly("23:00", "02:00", 3), "2026-11-26 00:30", None),
        # In summer, two hours later; the same local hours.
        (weekly("20:00", "21:00", 3), "2026-07-02 18:30", "2026-07-02 19:00"),
        # Clocks go forward at 02:00: a window of 02:30 to 04:00 is one of an hour.
        (weekly("02:30", "04:00", 6), "2026-03-29 00:59", None),
        (weekly("02:30", "04:00", 6), "2026-03-29 01:00", "2026-03-29 02:00"),
        # Clocks go back at 03:00: from the first 02:30 to 04:00 it is two and a half hours.
        (weekly("02:30", "04:00", 6), "2026-10-25 00:30", "2026-10-25 03:00"),
        (weekly("02:30", "04:00", 6), "2026-10-25 02:59", "2026-10-25 03:00"),
    ],
)
def test_a_weekly_window_follows_the_clock_of_its_zone(
    span: Weekly, now: str, until: str | None
) -> None:
    assert span.until(utc(now)) == (None if until is None else utc(until))


def test_a_window_without_matchers_is_for_everything() -> None:
    span = Once(utc("2026-11-26 10:00"), utc("2026-11-26 11:00"))
    anything = Maintenance(id="", name="all", matchers=(), span=span)
    assert anything.accepts(Labels({"job": "app"}))
    assert span.until(utc("2026-11-26 10:59")) == span.end
    assert not anything.over(utc("2026-11-26 10:59"))
    assert anything.over(span.end)


@pytest.mark.parametrize(
    "span",
    [
        Once(utc("2026-11-26 10:00"), utc("2026-11-26 10:00") + timedelta(minutes=20)),
        weekly("20:00", "21:30", 3, 5),
    ],
)
def test_a_record_brings_back_the_same_window(span: Once | Weekly) -> None:
    app = Matcher("job", Op.MATCHES, "app|web")
    known = Maintenance(
        id="m", name="deploy", matchers=(app,), span=span, created_by="ci", reason="version 1.5"
    )
    assert from_record("m", record_of(known)) == known
    with pytest.raises(MaintenanceError, match="cannot be read"):
        from_record("m", {"name": "x", "matchers": [], "start": "soon", "end": "later"})
