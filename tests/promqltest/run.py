"""Runs Prometheus' PromQL test scripts against our engine, one verdict for each `eval`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.series import SeriesStore
from stewardmon.errors import EvaluationError, ExpressionError
from stewardmon.promql import Engine, Matrix, Plan, Result, Scalar, String, Vector, plan
from stewardmon.promql.notation import Described, describe, read_metric
from stewardmon.promql.numbers import nearly
from tests.promqltest.script import Clear, Eval, Load, Text, commands

TOLERANCE: Final = 1e-6
_FOREVER_MS: Final = 2**60
_MINUTE_MS: Final = 60_000
_EXPERIMENTAL: Final = ("experimental", "native histogram")
_QUERY_CONTEXT: Final = re.compile(r"\b(range|step|start|end)\s*\(")


class Verdict(StrEnum):
    """How a case went."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One case: where it stands, how it went, and why it failed or was skipped."""

    place: str
    verdict: Verdict
    why: str = ""


class _Skip(Exception):  # noqa: N818  # not an error: the case is about what we do not have
    """A case about native histograms or experimental syntax."""


class _Wrong(Exception):  # noqa: N818  # not a program's error: the engine's answer differs
    """The result is not what the script expects."""


def run_file(path: Path) -> Iterator[Outcome]:
    """Run one script; yield an outcome for each `eval`, in order."""
    bench = _Bench()
    for command in commands(path):
        match command:
            case Clear():
                bench = _Bench()
            case Load():
                bench.load(command)
            case Eval():
                place = f"{path.name}:{command.line}"
                yield _outcome(bench, command, place)


def _outcome(bench: _Bench, case: Eval, place: str) -> Outcome:
    try:
        bench.check(case)
    except _Skip as skip:
        return Outcome(place, Verdict.SKIPPED, str(skip))
    except _Wrong as wrong:
        return Outcome(place, Verdict.FAILED, f"{case.text}: {wrong}")
    return Outcome(place, Verdict.PASSED)


class _Bench:
    """The loaded series and an engine over them; what is native is kept apart, by name only."""

    def __init__(self) -> None:
        self._store = SeriesStore(retention_ms=_FOREVER_MS)
        self._native = SeriesStore(retention_ms=_FOREVER_MS)
        self._started = SeriesStore(retention_ms=_FOREVER_MS)
        # Upstream's own runner turns delayed name removal on.
        self._engine = Engine(self._store, delayed_names=True)

    def load(self, command: Load) -> None:
        for _, line in command.series:
            labels, end = read_metric(line)
            if line[end:].startswith("@st"):
                self._started.append(labels, 0, 1.0)
        # Within one load, the last line about a series is the one that counts.
        lines = {read_metric(line)[0]: line for _, line in command.series}
        for line in lines.values():
            labels, end = read_metric(line)
            if "{{" in line:
                self._native.append(labels, 0, 1.0)
                continue
            if command.with_nhcb:
                self._native.append(_without_bucket(labels), 0, 1.0)
            for index, value in enumerate(describe(line).values):
                if value is not None:
                    self._store.append(labels, index * command.step_ms, value)

    def check(self, case: Eval) -> None:
        """Raise _Wrong where the case does not hold, _Skip where it is not about us."""
        if any("{{" in line for _, line in case.series) or "{{" in case.text:
            raise _Skip("native histograms in the expectation")
        try:
            planned = plan(case.text)
        except ExpressionError as error:
            if any(word in str(error) for word in _EXPERIMENTAL):
                raise _Skip(str(error)) from None
            _check_failure(case, error)
            return
        for matchers in planned.selectors:
            if self._native.select(matchers):
                raise _Skip("reads a native histogram")
            if self._started.select(matchers):
                raise _Skip("reads start timestamps, which are experimental")
        try:
            result = self._run(planned, case)
        except (EvaluationError, ExpressionError) as error:
            _check_failure(case, error)
            return
        if case.fails is not None:
            raise _Wrong(f"expected an error, got {result}")
        _check_notes(case, result)
        _check_result(case, result)
        if case.step_ms is None and not case.range_vector and case.string is None:
            self._check_as_range(planned, case, result)

    def _run(self, planned: Plan, case: Eval) -> Result:
        if case.step_ms is None:
            return self._engine.instant(planned, case.start_ms)
        return self._engine.range(planned, case.start_ms, case.end_ms, case.step_ms)

    def _check_as_range(self, planned: Plan, case: Eval, result: Result) -> None:
        """Check that the middle of a range of three steps says what the instant says."""
        if case.ordered or _QUERY_CONTEXT.search(case.text):
            return
        at = case.start_ms
        matrix = self._engine.range(planned, at - _MINUTE_MS, at + _MINUTE_MS, _MINUTE_MS)
        points = [
            (labels, value)
            for labels, column in matrix.series
            for when, value in column
            if when == at
        ]
        middle: Result = Vector(at, points)
        if isinstance(result, Scalar):
            middle = Scalar(at, points[0][1])
        try:
            _check_result(case, middle)
        except _Wrong as wrong:
            raise _Wrong(f"as the middle of a range: {wrong}") from None


def _without_bucket(labels: Labels) -> Labels:
    name = labels.value(NAME).removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
    return labels.without("le").merged({NAME: name})


def _check_failure(case: Eval, error: Exception) -> None:
    if case.fails is None:
        raise _Wrong(f"failed: {error}")
    if not case.fails.accepts(str(error)):
        raise _Wrong(f"expected the error {case.fails}, got: {error}")


def _check_notes(case: Eval, result: Result) -> None:
    notes = result.notes
    _check_messages("warning", case.warns, notes.warnings)
    _check_messages("info", case.informs, notes.infos)
    if case.no_warn and notes.warnings:
        raise _Wrong(f"unexpected warnings {notes.warnings}")
    if case.no_info and notes.infos:
        raise _Wrong(f"unexpected infos {notes.infos}")


def _check_messages(kind: str, expected: list[Text], found: tuple[str, ...]) -> None:
    if not expected:
        return
    for condition in expected:
        if not any(map(condition.accepts, found)):
            raise _Wrong(f"no {kind} meets {condition}, found {found}")
    for message in found:
        if not any(condition.accepts(message) for condition in expected):
            raise _Wrong(f"unexpected {kind}: {message}")


def _check_result(case: Eval, result: Result) -> None:
    match result:
        case Scalar(value=value):
            if case.scalar is None or not nearly(case.scalar, value, TOLERANCE):
                raise _Wrong(f"expected {case.scalar}, got the scalar {value}")
        case String(value=text):
            if text != case.string:
                raise _Wrong(f"expected {case.string!r}, got {text!r}")
        case Vector(samples=samples):
            _check_vector(case, samples)
        case Matrix(series=series):
            _check_matrix(case, series)


def _expected(case: Eval) -> dict[Labels, Described]:
    described = [describe(line) for _, line in case.series]
    return {one.labels: one for one in described}


def _check_vector(case: Eval, samples: list[tuple[Labels, float]]) -> None:
    if case.scalar is not None:
        raise _Wrong(f"expected a scalar, got {samples}")
    expected = _expected(case)
    for labels, value in samples:
        one = expected.get(labels)
        if one is None:
            raise _Wrong(f"unexpected {labels!r} {value}")
        wanted = one.values[0] if one.values else None
        if wanted is None or not nearly(wanted, value, TOLERANCE):
            raise _Wrong(f"expected {wanted} for {labels!r}, got {value}")
    found = [labels for labels, _ in samples]
    for labels in expected:
        if labels not in found:
            raise _Wrong(f"{labels!r} is missing")
    if case.ordered and found != list(expected):
        raise _Wrong(f"expected the order {list(expected)}, got {found}")


def _check_matrix(case: Eval, series: list[tuple[Labels, list[tuple[int, float]]]]) -> None:
    expected = _expected(case)
    start, _, step = case.range_vector or (case.start_ms, case.end_ms, case.step_ms or 0)
    for labels, points in series:
        one = expected.pop(labels, None)
        if one is None:
            raise _Wrong(f"unexpected {labels!r} {points}")
        wanted = [
            (start + index * step, value)
            for index, value in enumerate(one.values)
            if value is not None
        ]
        same = len(wanted) == len(points) and all(
            at == when and nearly(value, got, TOLERANCE)
            for (at, value), (when, got) in zip(wanted, points, strict=True)
        )
        if not same:
            raise _Wrong(f"expected {wanted} for {labels!r}, got {points}")
    if expected:
        raise _Wrong(f"missing: {list(expected)}")
