"""The hours of a rotation's layer, as people write them."""

from __future__ import annotations

from datetime import time

import pytest

from stewardmon.config.hours import read_hours
from stewardmon.domain.oncall import Hours

NIGHT = Hours(days=frozenset(range(7)), start=time(22), end=time(6))


@pytest.mark.parametrize(
    ("text", "days", "start", "end"),
    [
        ("Mon-Fri 09:00-17:00", {0, 1, 2, 3, 4}, time(9), time(17)),
        ("Fri-Mon 18:00-24:00", {4, 5, 6, 0}, time(18), time(0)),
        ("Sat,Sun", {5, 6}, time(0), time(0)),
        ("22:00-06:00", set(range(7)), time(22), time(6)),
    ],
)
def test_hours_are_read(text: str, days: set[int], start: time, end: time) -> None:
    assert read_hours(text) == (Hours(days=frozenset(days), start=start, end=end),)


@pytest.mark.parametrize("text", ["", "Mon 9-5", "Mon 09:00", "Funday 09:00-10:00", "Mon 09:00 x"])
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write|one of Mon"):
        read_hours([text])
