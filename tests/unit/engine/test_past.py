"""A picture for a query holds all that the query can look at, wherever offset and @ lead."""

from __future__ import annotations

import pytest

from stewardmon.clock import SystemClock
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.past import picture
from stewardmon.promql import Engine, Vector, plan
from stewardmon.stores.memory import MemoryHistory

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("expr", "minutes_ago"),
    [
        ("x", 60),  # an instant in the past, which memory has let go
        ("x offset 1h", 0),
        ("x offset -1h", 120),
        ("x @ {hour_ago}", 0),
        ("max_over_time(x[1m] @ {hour_ago})", 0),
        ("max_over_time((x offset 30m)[1m:10s] offset 30m)", 0),
        ("x offset -30m", 90),
    ],
)
async def test_a_query_sees_what_offset_and_at_lead_to(expr: str, minutes_ago: int) -> None:
    clock = SystemClock()
    now = round(clock.now().timestamp() * 1000)
    labels, hour_ago = Labels({NAME: "x"}), now - HOUR
    history = MemoryHistory()
    await history.write([(labels, [(hour_ago - 30_000, 7.0)])])
    series = SeriesStore()
    series.append(labels, now - 1000, 8.0)
    planned = plan(expr.format(hour_ago=f"{hour_ago / 1000:.3f}"))
    at_ms = now - minutes_ago * 60_000
    still = await picture(
        planned, series=series, history=history, clock=clock, start_ms=at_ms, end_ms=at_ms
    )
    result = Engine(still).instant(planned, at_ms)
    assert isinstance(result, Vector)
    assert [value for _, value in result.samples] == [7.0]
