"""A plan for one element reads that element's series, and says of it what the whole plan says."""

from __future__ import annotations

import pytest

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import SeriesStore
from stewardmon.promql import Engine, Matrix, Reads, narrowed, plan

HOSTS = 20
END = 600_000


def _store() -> SeriesStore:
    series = SeriesStore(retention_ms=2**50)
    for at_ms in range(0, END + 1, 15_000):
        for host in range(HOSTS):
            labels = Labels({NAME: "latency", "host": str(host), "job": "app"})
            series.append(labels, at_ms, host + at_ms / 1e6)
    return series


def _read(expr: str, labels: Labels | None) -> tuple[Matrix, int]:
    planned = plan(expr) if labels is None else narrowed(plan(expr), labels)
    reads = Reads()
    found = Engine(_store()).range(planned, 0, END, 60_000, reads=reads)
    return found, reads.samples


def _of(found: Matrix, labels: Labels) -> list[object]:
    return [points for known, points in found.series if known.without(NAME) == labels]


@pytest.mark.parametrize(
    "expr",
    [
        "latency",
        'latency{job="app"} offset 1m',
        "(avg_over_time(latency[5m])) * 100",
        "100 - quantile_over_time(0.9, latency[2m])",
        "-rate(latency[5m])",
    ],
)
def test_one_element_takes_one_series(expr: str) -> None:
    labels = Labels({"host": "7", "job": "app"})
    whole, all_read = _read(expr, None)
    part, read = _read(expr, labels)
    assert _of(part, labels) == _of(whole, labels) != []
    assert read * HOSTS == all_read


@pytest.mark.parametrize(
    "expr",
    [
        "max by (job) (latency)",
        "latency / ignoring(host) group_left max by (job) (latency)",
        'label_replace(latency, "job", "x", "", "")',
        "latency or latency",
        "avg_over_time(max by (job) (latency)[5m:1m])",
        "sum(latency) + 1",
    ],
)
def test_what_comes_of_several_is_read_whole(expr: str) -> None:
    planned = plan(expr)
    found, read = _read(expr, Labels({"host": "7", "job": "app"}))
    whole, all_read = _read(planned.text, None)
    assert found.series == whole.series
    assert read == all_read
