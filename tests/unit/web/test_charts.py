"""Charts: paths that a browser draws as meant, short enough for hundreds on a page."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stewardmon.web import charts

VALUES = st.floats(allow_nan=True, allow_infinity=True, width=32)


def _numbers(path: str) -> list[float]:
    return [float(one) for one in re.findall(r"-?\d+(?:\.\d+)?", path)]


@given(st.lists(st.none() | VALUES, min_size=1, max_size=charts.SPARK_CELLS))
def test_a_spark_stays_within_its_frame(values: list[float | None]) -> None:
    line, over = charts.spark([None if v is None or math.isnan(v) else abs(v) for v in values])
    assert "nan" not in line + over
    x = y = 0.0
    for letter, rest in re.findall(r"([Ml])([^Mlh]*)", line):
        dx, dy = _numbers(rest)[:2]
        x, y = (dx, dy) if letter == "M" else (x + dx, y + dy)
        assert 0 <= x <= charts.SPARK_WIDTH
        assert 0 <= y <= charts.SPARK_HEIGHT


def test_a_spark_marks_answers_that_never_came() -> None:
    line, over = charts.spark([1.0, math.inf, 1.0])
    assert line.count("l") == 1
    assert over.count("M") == 1


def test_equal_days_are_one_stroke() -> None:
    assert charts.bars(["fine"] * 90) == (("fine", "M0 0h359"),)
    assert charts.bars(["none", "fine", "bad", "fine"]) == (
        ("none", "M0 0h3"),
        ("fine", "M4 0h3M12 0h3"),
        ("bad", "M8 0h3"),
    )


@given(st.lists(VALUES, max_size=40))
def test_a_scale_holds_every_finite_value(values: list[float]) -> None:
    scale = charts.scale(values, start_ms=0, end_ms=1000)
    for value in values:
        if not math.isnan(value):
            assert 0 <= scale.y(value) <= charts.HEIGHT
        if math.isfinite(value):
            slack = max(abs(value), 1.0) * 1e-6
            assert scale.low - slack <= value <= scale.high + slack


def test_a_line_breaks_where_readings_are_missing() -> None:
    points = [(0, 1.0), (10, 2.0), (20, math.nan), (30, 2.0), (500, 1.0)]
    scale = charts.scale([1.0, 2.0], start_ms=0, end_ms=1000)
    assert charts.path(points, scale, gap_ms=100).count("M") == 3


def test_a_long_line_keeps_its_peaks() -> None:
    points = [(at, 9.0 if at == 50_000 else 1.0) for at in range(100_000)]
    scale = charts.scale([1.0, 9.0], start_ms=0, end_ms=100_000)
    path = charts.path(points, scale, gap_ms=100)
    assert len(path) < 20_000
    assert f" {scale.y(9.0)}L" in path


@pytest.mark.parametrize(
    ("points", "cells"),
    [
        ([], [None, None]),
        ([(0, 1.0), (499, 3.0), (500, 2.0)], [3.0, 2.0]),
        ([(-1, 9.0), (1000, 9.0), (700, math.nan)], [None, None]),
    ],
)
def test_cells_hold_the_highest_of_their_span(
    points: list[tuple[int, float]], cells: list[float | None]
) -> None:
    assert charts.cells(points, start_ms=0, end_ms=1000, count=2) == cells


def test_lanes_stand_abreast() -> None:
    first = charts.columns({1: 2}, 10, high=2, lanes=2)
    second = charts.columns({1: 1}, 10, high=2, lane=1, lanes=2)
    assert first == "M60 160v-160h29v160z"
    assert second == "M90 160v-80h29v80z"
