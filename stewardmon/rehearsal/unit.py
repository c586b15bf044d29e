"""promtool's unit tests of rules, for short rules too, and for the pages that follow.

Source of the format and of its semantics:
prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/. Ours is `page_test`: who has
been paged by an instant, under the `oncall` file that the test names.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from pydantic import Field

from stewardmon.clock import from_milliseconds
from stewardmon.config.alerts import load_rule_file
from stewardmon.config.binding import bind
from stewardmon.config.nodes import Entries, Items
from stewardmon.config.notes import Notes
from stewardmon.config.oncall import OnCall, read_oncall
from stewardmon.config.reader import read
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry
from stewardmon.domain.alert import ALERT_NAME
from stewardmon.domain.labels import Labels
from stewardmon.domain.rule import RuleGroup
from stewardmon.domain.triage import Book
from stewardmon.engine.running import (
    RunningGroup,
    afresh,
    prepare,
)
from stewardmon.errors import EvaluationError, ExpressionError
from stewardmon.promql import Result, Scalar, Vector, plan
from stewardmon.promql.notation import describe, read_metric
from stewardmon.rehearsal.stage import Stage

MINUTE: Final = timedelta(minutes=1)
_MS: Final = timedelta(milliseconds=1)


class SeriesEntry(Entry):
    """One written series."""

    series: str
    values: str


class AlertEntry(Entry):
    """One alert that is expected."""

    exp_labels: dict[str, str] = Field(default_factory=dict)
    exp_annotations: dict[str, str] = Field(default_factory=dict)


class AlertTest(Entry):
    """The alerts of one name that fire at an instant."""

    eval_time: Duration
    alertname: str
    exp_alerts: list[AlertEntry] = Field(default_factory=list)


class SampleEntry(Entry):
    """One sample that an expression must give."""

    labels: str = "{}"
    value: float


class ExprTest(Entry):
    """What an expression reads at an instant."""

    expr: str
    eval_time: Duration = timedelta(0)
    exp_samples: list[SampleEntry] = Field(default_factory=list)


class PageEntry(Entry):
    """One level that has been paged."""

    level: int
    role: str = ""


class PageTest(Entry):
    """Who has been paged by an instant, in order; reminders count as their level."""

    eval_time: Duration
    pages: list[PageEntry] = Field(default_factory=list)


class TestEntry(Entry):
    """One test group."""

    __test__ = False

    interval: Duration = MINUTE
    name: str = ""
    input_series: list[SeriesEntry] = Field(default_factory=list)
    alert_rule_test: list[AlertTest] = Field(default_factory=list)
    promql_expr_test: list[ExprTest] = Field(default_factory=list)
    page_test: list[PageTest] = Field(default_factory=list)
    external_labels: dict[str, str] = Field(default_factory=dict)
    external_url: str = ""


class FileEntry(Entry):
    """A test file."""

    rule_files: list[str] = Field(default_factory=list)
    evaluation_interval: Duration = MINUTE
    group_eval_order: list[str] = Field(default_factory=list)
    fuzzy_compare: bool = False
    oncall: str = ""
    tests: list[TestEntry] = Field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """One expectation that was not met, where it stands."""

    place: str
    what: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.place}: {self.what}\n    exp: {self.expected}\n    got: {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one test file."""

    file: str
    checked: int
    failures: tuple[Failure, ...] = ()


@dataclass(slots=True)
class _Setting:
    """What all tests of a file share."""

    entry: FileEntry
    file: str
    groups: list[RunningGroup]
    book: Book | None
    inhibit: tuple[Any, ...] = ()
    lines: dict[tuple[int, str, int], int] = field(default_factory=dict)


async def run_file(path: Path) -> Outcome:
    """Run one test file. Raises ConfigError where it, or a rule file of it, cannot be read."""
    setting = _read(path)
    failures: list[Failure] = []
    checked = 0
    for number, test in enumerate(setting.entry.tests):
        run = _Run(setting, number, test)
        failures += await run.play()
        checked += run.checked
    return Outcome(file=str(path), checked=checked, failures=tuple(failures))


class _Run:
    """One test group: series loaded, time played, expectations compared as their time comes."""

    def __init__(self, setting: _Setting, number: int, test: TestEntry) -> None:
        self.checked = 0
        self._setting = setting
        self._number = number
        self._test = test
        self._step = setting.entry.evaluation_interval
        self._stage = Stage(
            afresh(setting.groups),
            book=setting.book,
            inhibit_rules=setting.inhibit,
            external_labels=test.external_labels,
            external_url=test.external_url,
        )

    async def play(self) -> list[Failure]:
        try:
            samples = deque(_samples(self._test))
        except ExpressionError as error:
            return [self._failure("input_series", 0, "a series cannot be read", "", str(error))]
        failures: list[Failure] = []
        rules = [running for group in self._ordered() for running in group.rules]
        at = timedelta(0)
        while at <= self._last():
            at_ms = at // _MS
            while samples and samples[0][0] <= at_ms:
                when, labels, value = samples.popleft()
                self._stage.series.append(labels, when, value)
            await self._stage.evaluate(at_ms, rules)
            failures += await self._check(at)
            at += self._step
        failures += [
            self._failure("input_series", 0, f"rule {name} failed", "a result", error)
            for name, error in self._stage.errors.items()
        ]
        for when, labels, value in samples:
            self._stage.series.append(labels, when, value)
        return failures + self._check_expressions()

    def _ordered(self) -> list[RunningGroup]:
        order = self._setting.entry.group_eval_order
        known = {
            group.group.name: place for place, group in enumerate(self._stage.evaluator.groups)
        }
        rank = {name: place for place, name in enumerate(order)}
        return sorted(
            self._stage.evaluator.groups,
            key=lambda one: (rank.get(one.group.name, len(order)), known[one.group.name]),
        )

    def _last(self) -> timedelta:
        times = [one.eval_time for one in self._test.alert_rule_test]
        times += [one.eval_time for one in self._test.promql_expr_test]
        times += [one.eval_time for one in self._test.page_test]
        return max(times, default=timedelta(0))

    async def _check(self, at: timedelta) -> list[Failure]:
        found: list[Failure] = []
        for place, alert in enumerate(self._test.alert_rule_test):
            if at <= alert.eval_time < at + self._step:
                found += self._check_alert(place, alert)
        for place, page in enumerate(self._test.page_test):
            if at <= page.eval_time < at + self._step:
                await self._stage.until(from_milliseconds(page.eval_time // _MS + 1))
                found += self._check_page(place, page)
        return found

    def _check_alert(self, place: int, test: AlertTest) -> list[Failure]:
        self.checked += 1
        got = _plain_alerts(
            (one.labels, one.annotations) for one in self._stage.firing(test.alertname)
        )
        expected = _plain_alerts(
            (
                Labels({**one.exp_labels, ALERT_NAME: test.alertname}),
                Labels(one.exp_annotations),
            )
            for one in test.exp_alerts
        )
        if got == expected:
            return []
        what = f"alertname {test.alertname}, time {test.eval_time}"
        return [self._failure("alert_rule_test", place, what, _listed(expected), _listed(got))]

    def _check_page(self, place: int, test: PageTest) -> list[Failure]:
        self.checked += 1
        by = from_milliseconds(test.eval_time // _MS)
        paged = [one for one in self._stage.paged if one.at <= by]
        roles = any(one.role for one in test.pages)
        got = [f"L{one.level}{f' {one.role}' if roles else ''}" for one in paged]
        expected = [f"L{one.level}{f' {one.role}' if roles else ''}" for one in test.pages]
        if got == expected:
            return []
        what = f"pages by {test.eval_time}"
        return [self._failure("page_test", place, what, _listed(expected), _listed(got))]

    def _check_expressions(self) -> list[Failure]:
        failures = []
        for place, test in enumerate(self._test.promql_expr_test):
            self.checked += 1
            try:
                result = self._stage.evaluator.engine.instant(
                    plan(test.expr), test.eval_time // _MS
                )
                got = _plain_samples(result)
            except (ExpressionError, EvaluationError) as error:
                failures.append(
                    self._failure("promql_expr_test", place, f"expr {test.expr}", "", str(error))
                )
                continue
            expected = sorted(
                ((read_metric(one.labels)[0].pairs, one.value) for one in test.exp_samples),
                key=str,
            )
            if not _same(got, expected, fuzzy=self._setting.entry.fuzzy_compare):
                what = f"expr {test.expr!r}, time {test.eval_time}"
                failures.append(
                    self._failure("promql_expr_test", place, what, _listed(expected), _listed(got))
                )
        return failures

    def _failure(self, kind: str, place: int, what: str, expected: str, got: str) -> Failure:
        line = self._setting.lines.get((self._number, kind, place), 0)
        named = f" ({self._test.name})" if self._test.name else ""
        return Failure(
            place=f"{self._setting.file}:{line}" if line else self._setting.file,
            what=what + named,
            expected=expected,
            got=got,
        )


def _samples(test: TestEntry) -> Iterator[tuple[int, Labels, float]]:
    """Return the written samples in order of time."""
    found = []
    for entry in test.input_series:
        described = describe(f"{entry.series} {entry.values}")
        for step, value in enumerate(described.values):
            if value is not None:
                found.append((step * (test.interval // _MS), described.labels, value))
    found.sort(key=lambda one: one[0])
    yield from found


def _plain_alerts(alerts: Any) -> list[str]:
    return sorted(f"Labels:{labels!r} Annotations:{notes!r}" for labels, notes in alerts)


def _plain_samples(result: Result) -> list[tuple[tuple[tuple[str, str], ...], float]]:
    match result:
        case Vector(samples=samples):
            return sorted(((labels.pairs, value) for labels, value in samples), key=str)
        case Scalar(value=value):
            return [((), value)]
        case other:
            raise EvaluationError(f"the expression gives a {type(other).__name__}, not samples")


def _same(got: Sequence[Any], expected: Sequence[Any], *, fuzzy: bool) -> bool:
    if len(got) != len(expected):
        return False
    near = 1e-13 if fuzzy else 0.0
    return all(
        one[0] == other[0]
        and (
            one[1] == other[1]
            or (math.isnan(one[1]) and math.isnan(other[1]))
            or math.isclose(one[1], other[1], rel_tol=near)
        )
        for one, other in zip(got, expected, strict=True)
    )


def _listed(items: Sequence[Any]) -> str:
    return "[" + ", ".join(str(one) for one in items) + "]"


def _read(path: Path) -> _Setting:
    notes = Notes()
    document = read(path, notes, name=str(path))
    notes.check()
    assert document is not None  # noqa: S101 - a file that cannot be read is a mistake above
    source = Source(file=str(path), lines=document.lines, notes=notes)
    entry = bind(FileEntry, document.root, source, what="a test file")
    notes.check()
    assert entry is not None  # noqa: S101 - what cannot be bound is a mistake above
    groups: list[RuleGroup] = []
    for pattern in entry.rule_files:
        named = path.parent / pattern  # an absolute pattern stays as it is
        matched = sorted(named.parent.glob(named.name)) or [named]
        for rule_file in matched:
            groups += load_rule_file(rule_file).groups
    oncall = _oncall(path, entry, notes)
    return _Setting(
        entry=entry,
        file=str(path),
        groups=prepare(groups, interval=entry.evaluation_interval),
        book=None if oncall is None else _book(oncall),
        inhibit=() if oncall is None else tuple(oncall.inhibit_rules),
        lines=dict(_lines(document.root)),
    )


def _oncall(path: Path, entry: FileEntry, notes: Notes) -> OnCall | None:
    """Return the on-call file that the tests name, else one beside them, where pages are tested."""
    if not any(test.page_test for test in entry.tests):
        return None
    file = path.parent / (entry.oncall or "oncall.yml")
    document = read(file, notes, name=str(file))
    notes.check()
    assert document is not None  # noqa: S101 - a file that cannot be read is a mistake above
    from stewardmon.channels import KINDS  # noqa: PLC0415 - only page tests know channels

    source = Source(file=str(file), lines=document.lines, notes=notes)
    oncall = read_oncall(document.root, source, KINDS)
    notes.check()
    return oncall


def _book(oncall: OnCall) -> Book:
    return Book(
        routes=oncall.routes,
        policies=oncall.policies,
        roster=oncall.roster,
        flapping=oncall.flapping,
    )


def _lines(root: Entries) -> Iterator[tuple[tuple[int, str, int], int]]:
    """Return the line of every expectation: (test, kind, place) → line."""
    tests = root.nodes.get("tests")
    for number, test in enumerate(tests.nodes if isinstance(tests, Items) else ()):
        if not isinstance(test, Entries):
            continue
        for kind, node in test.nodes.items():
            for place, one in enumerate(node.nodes if isinstance(node, Items) else ()):
                yield (number, kind, place), one.place.line
