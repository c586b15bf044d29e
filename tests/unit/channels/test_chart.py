"""The picture in a mail: gaps stay gaps, the threshold has its line, and nothing stops a mail."""

from __future__ import annotations

import math
import re

import pytest

from stewardmon.channels.chart import HEIGHT, png, svg

NAN, INF = math.nan, math.inf


def curves(drawn: str) -> list[list[tuple[float, float]]]:
    """Return the points of each curve."""
    found = re.findall(r'points="([^"]+)"', drawn)
    return [[tuple(map(float, pair.split(","))) for pair in one.split()] for one in found]  # type: ignore[misc]


def test_what_rises_goes_up_and_the_threshold_lies_between() -> None:
    drawn = svg((1.0, 2.0, 3.0), 2.0)
    ((_, low), (_, middle), (_, high)) = curves(drawn)[0]
    assert low > middle > high
    (limit,) = re.findall(r'<line x1="0" y1="([\d.]+)"', drawn)
    assert float(limit) == middle


def test_without_a_threshold_there_is_no_line() -> None:
    assert "<line" not in svg((1.0, 2.0), None)


@pytest.mark.parametrize("gap", [None, NAN])
def test_a_gap_stays_a_gap(gap: float | None) -> None:
    assert [len(one) for one in curves(svg((1.0, 2.0, gap, 3.0, 4.0, 5.0), None))] == [2, 3]


def test_a_lone_value_is_a_dot() -> None:
    assert len(curves(svg((1.0, 2.0, None, 3.0), None))[1]) == 2


@pytest.mark.parametrize(
    "course", [(INF, 1.0, -INF), (1e308, -1e308, 0.0), (5.0, 5.0), (INF, INF), (0.0, -0.0)]
)
def test_every_point_stays_in_the_picture(course: tuple[float, ...]) -> None:
    points = [y for one in curves(svg(course, None)) for _, y in one]
    assert points
    assert all(0 <= y <= HEIGHT for y in points)
    assert png(course, None).startswith(b"\x89PNG")


@pytest.mark.parametrize("course", [(), (1.0,), (None, None, 1.0), (NAN, NAN)])
def test_of_fewer_than_two_values_there_is_no_chart(course: tuple[float | None, ...]) -> None:
    assert png(course, 5.0) == b""
