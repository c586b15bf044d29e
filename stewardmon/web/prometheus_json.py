"""Results in Prometheus' JSON: timestamps as seconds, values as text."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stewardmon.promql import Matrix, Notes, Result, Scalar, String, Vector


def answered(data: Any) -> dict[str, Any]:
    """Return the envelope of a success; warnings and infos stand beside the data."""
    if isinstance(data, Noted):
        body: dict[str, Any] = {"status": "success", "data": data.data}
        if data.notes.warnings:
            body["warnings"] = list(data.notes.warnings)
        if data.notes.infos:
            body["infos"] = list(data.notes.infos)
        return body
    return {"status": "success", "data": data}


class Noted:
    """Data with what Prometheus would warn of."""

    def __init__(self, data: Any, notes: Notes) -> None:
        self.data = data
        self.notes = notes


def result_json(result: Result, *, limit: int = 0) -> Noted:
    """Return a result as `{"resultType": …, "result": …}`; `limit` series at most, 0 for all."""
    match result:
        case Vector(at_ms=at_ms, samples=samples, notes=notes):
            kept = samples[: limit or None]
            rows: Any = [
                {"metric": dict(labels), "value": [seconds(at_ms), number(value)]}
                for labels, value in kept
            ]
            return Noted({"resultType": "vector", "result": rows}, notes)
        case Matrix(series=series, notes=notes):
            rows = [
                {
                    "metric": dict(labels),
                    "values": [[seconds(at_ms), number(value)] for at_ms, value in points],
                }
                for labels, points in sorted(series, key=lambda one: one[0].pairs)[: limit or None]
            ]
            return Noted({"resultType": "matrix", "result": rows}, notes)
        case Scalar(at_ms=at_ms, value=value, notes=notes):
            row = [seconds(at_ms), number(value)]
            return Noted({"resultType": "scalar", "result": row}, notes)
        case String(at_ms=at_ms, value=text, notes=notes):
            return Noted({"resultType": "string", "result": [seconds(at_ms), text]}, notes)


@dataclass(slots=True, kw_only=True)
class Timings:
    """When a query began, was prepared, got its thread and was done: seconds of one counter."""

    began: float
    ready: float
    started: float = 0.0
    done: float = 0.0


def stats_json(timings: Timings, samples: int) -> dict[str, Any]:
    """Return `stats` as Prometheus has it, less what is not measured here.

    That is: sorting and the inner evaluation by themselves, the most samples held at once, samples
    by step.
    """
    return {
        "timings": {
            "evalTotalTime": timings.done - timings.started,
            "queryPreparationTime": timings.ready - timings.began,
            "execQueueTime": timings.started - timings.ready,
            "execTotalTime": timings.done - timings.began,
        },
        "samples": {"totalQueryableSamples": samples},
    }


def seconds(at_ms: int) -> float | int:
    """Return a timestamp as Prometheus prints it: whole seconds without a fraction."""
    return at_ms // 1000 if at_ms % 1000 == 0 else at_ms / 1000


def number(value: float) -> str:
    """Return a value as Go prints it with format 'f' and the fewest digits."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    if "e" in text:
        text = format(Decimal(text), "f")
    return text.removesuffix(".0")
