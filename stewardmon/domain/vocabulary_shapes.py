"""What most words of the vocabulary have in common: one metric, averaged, or its percentile."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from types import MappingProxyType

from stewardmon.domain.units import Unit
from stewardmon.domain.word import Shape, Word


def averaged(metric: str) -> str:
    """Return the PromQL of a series averaged over the window, one value a job."""
    return f"avg by (job) (avg_over_time({metric}{{$selector}}[$window]))"


def p95(metric: str) -> str:
    """Return the PromQL of a series' 95th percentile in the window."""
    return f"quantile_over_time(0.95, {metric}{{$selector}}[$window])"


def gauge(
    name: str,
    metric: str,
    unit: Unit,
    about: str,
    *,
    expr: str,
    high: float = inf,
    matchers: Mapping[str, str] = MappingProxyType({}),
    note: str = "",
) -> Word:
    """Return a word over one metric that is never negative, ready for functions and counting."""
    return Word(
        name=name,
        expr=expr,
        unit=unit,
        about=about,
        low=0.0,
        high=high,
        series=f"{metric}{{$selector}}",
        counted=f"{metric}{{$selector}}",
        matchers=matchers,
        shape=Shape.JOB if " by (job) " in expr else Shape.SERIES,
        metrics=(metric,),
        note=note,
    )
