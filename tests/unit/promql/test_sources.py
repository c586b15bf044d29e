"""Which metrics an expression needs before it can say anything: what rule tests may leave out."""

from __future__ import annotations

import pytest

from stewardmon.domain.series import SeriesStore
from stewardmon.promql import Engine, plan


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ("up == 0", {"up"}),
        ("a / b > 1", {"a", "b"}),
        ("a or b", {"a", "b"}),
        ("sum by (job) (rate(requests_total[5m])) > 5", {"requests_total"}),
        ("expiry - time() < 14 * 86400", {"expiry"}),
        ("count(max_over_time(inner[1h:1m]))", {"inner"}),
    ],
)
def test_nothing_comes_of_nothing(expression: str, metrics: set[str]) -> None:
    planned = plan(expression)
    assert planned.sources == frozenset(metrics)
    assert not Engine(SeriesStore()).instant(planned, 0).samples  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "expression",
    [
        "absent(up)",
        "up or vector(0)",
        "up or on () absent_over_time(up[5m])",
        '{job="app"} > 1',
        "hour() > 5",
        "up and on () (day_of_week() == 1)",
        "scalar(up)",
        "1 > bool 0",
    ],
)
def test_what_speaks_of_itself_is_never_left_out(expression: str) -> None:
    assert plan(expression).sources is None
