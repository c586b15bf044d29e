"""Durations: Prometheus' spelling both ways, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.domain.quantity import LONGEST, format_duration, parse_duration
from stewardmon.errors import ExpressionError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("500ms", 0.5),
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1d", 86_400),
        ("1w", 604_800),
        ("1y", 31_536_000),
        ("1y2w3d4h5m6s7ms", 31_536_000 + 14 * 86_400 + 3 * 86_400 + 4 * 3600 + 5 * 60 + 6.007),
    ],
)
def test_prometheus_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("", 1),
        ("5", 1),
        ("-5m", 1),
        ("1.5h", 1),
        (" 5m", 1),
        ("5m ", 3),
        ("5 m", 1),
        ("1m1h", 3),
        ("1m1m", 3),
        ("5min", 3),
        ("5M", 1),
        ("\u0665m", 1),
        ("300y", 1),
        ("9" * 5000 + "ms", 1),
    ],
)
def test_anything_else_is_refused_with_its_column(text: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_duration(text)
    assert caught.value.column == column
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (90, "1m30s"),
        (5400, "1h30m"),
        (7 * 86_400, "1w"),
        (90 * 86_400, "90d"),
        (365 * 86_400, "1y"),
        (-300, "-5m"),
    ],
)
def test_durations_are_printed_as_prometheus_prints_them(seconds: float, text: str) -> None:
    assert format_duration(timedelta(seconds=seconds)) == text


@given(st.integers(min_value=0, max_value=LONGEST // timedelta(milliseconds=1)))
def test_what_is_printed_is_read_back(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@given(st.text(alphabet="0123456789ywdhms .-+", max_size=20))
def test_no_text_raises_anything_but_an_expression_error(text: str) -> None:
    column = refused_at(text)
    assert column is None or 1 <= column <= len(text) + 1


def refused_at(text: str) -> int | None:
    try:
        parse_duration(text)
    except ExpressionError as error:
        return error.column
    return None
