"""What people read: values with units, spans of time, courses as blocks."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.display import format_since, format_value, sparkline
from stewardmon.domain.units import WORD_UNITS

INF = math.inf


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.073, "ratio", "7.3 %"),
        (0.05, "%", "5 %"),
        (7.3, "percent", "7.3 %"),
        (1.0, "ratio", "100 %"),
        (0.0001, "ratio", "0.01 %"),
        (5.2, "seconds", "5.2 s"),
        (0.0, "seconds", "0 s"),
        (0.35, "seconds", "350 ms"),
        (0.0004, "seconds", "0.4 ms"),
        (0.99996, "seconds", "1 s"),
        (59.97, "seconds", "1 min"),
        (125, "s", "2 min 5 s"),
        (7500, "seconds", "2 h 5 min"),
        (-90_000, "seconds", "-1 d 1 h"),
        (1500, "milliseconds", "1.5 s"),
        (INF, "seconds", "infinitely slow (timed out)"),
        (1.4e9, "bytes", "1.4 GB"),
        (999_700, "bytes", "1 MB"),
        (512, "bytes", "512 B"),
        (3.2, "per_second", "3.2/s"),
        (60, "/m", "1/s"),
        (4.2, "usd", "4.20 USD"),
        (0, "up", "down"),
        (1, "up", "up"),
        (1234567, "", "1,234,567"),
        (12.34, "count", "12.3"),
        (INF, "ratio", "infinite %"),
        (3, "apples", "3 apples"),
        (None, "ratio", "no data"),
        (math.nan, "seconds", "no data"),
    ],
)
def test_values_read_as_people_say_them(value: float | None, unit: str, text: str) -> None:
    assert format_value(value, unit) == text


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=-5), "0 s"),
        (timedelta(seconds=45.9), "45 s"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(hours=2, minutes=5, seconds=59), "2 h 5 min"),
        (timedelta(days=3, minutes=5), "3 d"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
    ],
)
def test_spans_show_their_two_largest_units(duration: timedelta, text: str) -> None:
    assert format_since(duration) == text


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([], ""),
        ([0, 0, 0], "▁▁▁"),
        ([5, 5], "▄▄"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([None, 1, math.nan, 2], "·▁·█"),
        ([1, INF, 2, -INF], "▁██▁"),
        ([None], "·"),
        ([INF], "█"),
        ([-1.7e308, 1.7e308], "▁█"),
    ],
)
def test_courses_are_drawn_as_blocks(values: list[float | None], text: str) -> None:
    assert sparkline(values) == text


def test_a_long_course_is_averaged_into_the_width() -> None:
    assert sparkline([float(n) for n in range(800)], width=8) == "▁▂▃▄▅▆▇█"


@given(st.lists(st.none() | st.floats(), max_size=200), st.integers(min_value=1, max_value=60))
def test_any_course_fits_its_width(values: list[float | None], width: int) -> None:
    assert len(sparkline(values, width)) == min(len(values), width)


@given(st.none() | st.floats(), st.sampled_from([*WORD_UNITS, "things"]))
def test_any_value_has_a_text(value: float | None, unit: str) -> None:
    assert format_value(value, unit)
