"""The evaluation loop: rules over series at aligned instants; hands on what changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import gcd
from time import perf_counter
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.clock import from_milliseconds, milliseconds
from stewardmon.domain.alert import (
    Alert,
    AlertState,
    Finding,
    LimitExceededError,
    advance,
    alert_labels,
)
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import NoData, RuleGroup
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.template import Template
from stewardmon.engine.record import Tape
from stewardmon.engine.running import (
    MILLISECOND,
    RunningGroup,
    RunningRecording,
    RunningRule,
)
from stewardmon.errors import EvaluationError
from stewardmon.ports import Clock
from stewardmon.promql import Engine, Plan, Result, Scalar, Vector, plan

log = structlog.get_logger()

PRIMING: Final = 0.05  # seconds between looks whether the first outcomes are in
YIELD_AFTER: Final = 0.02  # seconds of evaluation after which the event loop gets a turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What one evaluation changed: alerts in new states, and pending ones that are no more."""

    changed: tuple[Alert, ...] = ()
    dropped: tuple[Alert, ...] = ()


class Evaluator:
    """Evaluates rules one by one, writes ALERTS and recordings, and says what changed."""

    def __init__(
        self,
        groups: list[RunningGroup],
        series: SeriesStore,
        *,
        external_labels: Mapping[str, str] | None = None,
        external_url: str = "",
        tape: Tape | None = None,
    ) -> None:
        self.groups = groups
        self._tape = tape or Tape(series)
        self.engine = Engine(series)
        self._windows = self.engine.windows()
        self.external_labels = dict(external_labels or {})
        self.external_url = external_url

    def rules(self) -> list[RunningRule]:
        """Return the alerting rules in order."""
        return [r for g in self.groups for r in g.rules if isinstance(r, RunningRule)]

    def due(self, at_ms: int) -> list[RunningGroup]:
        """Return the groups whose aligned instant `at_ms` is."""
        return [group for group in self.groups if at_ms % group.interval_ms == 0]

    def evaluate(self, running: RunningRule | RunningRecording, at_ms: int) -> Evaluated:
        """Evaluate one rule at an instant; one that fails changes no state, and is counted."""
        started = perf_counter()
        try:
            if isinstance(running, RunningRecording):
                self._record(running, at_ms)
                found = Evaluated()
            else:
                found = self._advance(running, at_ms)
            running.error = ""
        except EvaluationError as error:
            found = self._failed(running, error, at_ms)
        if isinstance(running, RunningRule):
            running.failures = running.failures + 1 if running.error else 0
        running.evaluated_at = from_milliseconds(at_ms)
        running.seconds = perf_counter() - started
        return found

    def forget(self, before_ms: int) -> None:
        """Let go of rolling windows that no rule has asked for since the instant."""
        self._windows.forget(before_ms)

    def instant(self, plan: Plan, at_ms: int) -> Sequence[tuple[Labels, float]]:
        """Return an expression's result as a vector; a scalar is one element without labels."""
        return _vector(self.engine.instant(plan, at_ms, windows=self._windows))

    def _advance(self, running: RunningRule, at_ms: int) -> Evaluated:
        rule = running.rule
        result = self.instant(running.plan, at_ms - _offset_ms(running.group))
        if not result and not running.active and rule.no_data is not NoData.ALERT:
            return Evaluated()
        now = from_milliseconds(at_ms)
        findings = [self._finding(running, labels, value, now) for labels, value in result]
        if rule.no_data is NoData.ALERT and not result:
            findings += self._missing(running, now, at_ms)
        moved = advance(
            rule,
            running.active,
            findings,
            now=now,
            limit=running.group.limit,
            stays=self._holder(running, at_ms),
        )
        running.active = dict(moved.alerts)
        self._show(running, at_ms)
        return Evaluated(changed=moved.changed, dropped=moved.dropped)

    def _finding(
        self, running: RunningRule, labels: Labels, value: float, now: datetime
    ) -> Finding:
        def expand(templates: Mapping[str, Template]) -> dict[str, str]:
            return {
                name: template.expand(
                    labels,
                    value,
                    external_labels=self.external_labels,
                    external_url=self.external_url,
                    query=lambda text: list(self.instant(plan(text), milliseconds(now))),
                    now=now,
                    name=running.rule.name,
                )
                for name, template in templates.items()
            }

        return Finding(
            origin=labels.without(NAME),
            labels=alert_labels(labels, running.rule, expand(running.labels)),
            annotations=Labels(expand(running.annotations)),
            value=value,
        )

    def _missing(self, running: RunningRule, now: datetime, at_ms: int) -> list[Finding]:
        """Return the finding of a rule that alerts on missing data, when its subject has none."""
        if running.subject is None or self.instant(running.subject, at_ms):
            return []
        return [self._finding(running, Labels({"reason": "no_data"}), float("nan"), now)]

    def _holder(self, running: RunningRule, at_ms: int) -> Callable[[Alert], bool]:
        """Return what keeps an alert firing although its condition no longer reads true.

        Missing data (`no_data: keep`), and a `clear` condition that does not hold yet.
        """
        if running.clear is None and (
            running.subject is None or running.rule.no_data is NoData.RESOLVE
        ):
            return lambda _: False
        cleared: set[Labels] | None = None
        present: set[Labels] | None = None

        def stays(alert: Alert) -> bool:
            nonlocal cleared, present
            if running.rule.no_data is NoData.KEEP and running.subject is not None:
                if present is None:
                    present = self._label_sets(running.subject, at_ms)
                if alert.origin not in present:
                    return True
            if running.clear is None:
                return False
            if cleared is None:
                cleared = self._label_sets(running.clear, at_ms)
            return alert.origin not in cleared

        return stays

    def _label_sets(self, plan: Plan, at_ms: int) -> set[Labels]:
        return {labels.without(NAME) for labels, _ in self.instant(plan, at_ms)}

    def _failed(
        self, running: RunningRule | RunningRecording, error: EvaluationError, at_ms: int
    ) -> Evaluated:
        metrics.EVALUATION_FAILURES.labels(running.rule.name).inc()
        if running.error != str(error):
            log.warning("rule_failed", rule=running.rule.name, error=str(error))
        running.error = str(error)
        if not isinstance(error, LimitExceededError) or not isinstance(running, RunningRule):
            return Evaluated()
        # Prometheus clears a rule's alerts when its limit is exceeded. They do not resolve there
        # either: nothing is known about them. We end their incidents' series, not their pages.
        cleared, running.active = running.active, {}
        self._show(running, at_ms)
        return Evaluated(dropped=tuple(cleared.values()))

    def _record(self, running: RunningRecording, at_ms: int) -> None:
        rule = running.rule
        written: dict[Labels, float] = {}
        for labels, value in self.instant(running.plan, at_ms - _offset_ms(running.group)):
            extra = running.group.labels.merged(rule.labels)
            named = Labels({**labels, **extra, NAME: rule.name})
            if named in written:
                raise EvaluationError(f"rule {rule.name}: two results have the same labels")
            written[named] = value
        limit = running.group.limit
        if 0 < limit < len(written):
            raise EvaluationError(
                f"rule {rule.name}: exceeded limit of {limit} with {len(written)} series"
            )
        running.shown = self._write(written, running.shown, at_ms)

    def _show(self, running: RunningRule, at_ms: int) -> None:
        """Write the rule's ALERTS and ALERTS_FOR_STATE; those that ended get stale markers."""
        values: dict[Labels, float] = {}
        for labels, alert in running.active.items():
            if alert.state is AlertState.RESOLVED:
                continue
            state = {NAME: "ALERTS", "alertstate": alert.state.value}
            values[labels.merged(state)] = 1.0
            values[labels.merged({NAME: "ALERTS_FOR_STATE"})] = alert.active_at.timestamp()
        running.shown = self._write(values, running.shown, at_ms)

    def _write(
        self, values: Mapping[Labels, float], shown: frozenset[Labels], at_ms: int
    ) -> frozenset[Labels]:
        for labels, value in values.items():
            self._tape.append(labels, at_ms, value)
        for labels in shown.difference(values):
            self._tape.mark_stale(labels, at_ms)
        return frozenset(values)


class Evaluating:
    """The loop: evaluates at aligned instants of wall time, and hands on what changed."""

    def __init__(
        self,
        evaluator: Evaluator,
        clock: Clock,
        *,
        interval: timedelta,
        report: Callable[[Evaluated, datetime], Awaitable[None]],
        beat: Callable[[], None] = lambda: None,
        primed: Callable[[], bool] = lambda: True,
    ) -> None:
        self._primed = primed
        self._clock = clock
        self.change(evaluator, interval=interval)
        self._report = report
        self._beat = beat

    def change(self, evaluator: Evaluator, *, interval: timedelta) -> None:
        """Evaluate these rules from the next tick on."""
        self.evaluator = evaluator
        self._interval_ms = _tick_ms(evaluator.groups, interval)

    async def run(self) -> None:
        """Run until cancelled; a tick that comes too late is skipped and counted."""
        while not self._primed():
            self._beat()
            await self._clock.sleep(PRIMING)
        last_ms = milliseconds(self._clock.now())
        while True:
            step_ms = self._interval_ms
            now_ms = milliseconds(self._clock.now())
            due_ms = now_ms - now_ms % step_ms
            if due_ms <= last_ms:
                await self._clock.sleep((due_ms + step_ms - now_ms) / 1000)
                continue
            missed = (due_ms - last_ms - 1) // step_ms
            if missed:
                metrics.MISSED_TICKS.labels("evaluate").inc(missed)
            last_ms = due_ms
            await self.evaluate(due_ms)
            self._beat()

    async def evaluate(self, at_ms: int) -> None:
        """Evaluate what is due at one aligned instant, in turns that let other loops run."""
        started = turn = perf_counter()
        changed: list[Alert] = []
        dropped: list[Alert] = []
        for group in self.evaluator.due(at_ms):
            for running in group.rules:
                found = self.evaluator.evaluate(running, at_ms)
                changed += found.changed
                dropped += found.dropped
                if perf_counter() - turn > YIELD_AFTER:
                    await self._clock.sleep(0)
                    turn = perf_counter()
        metrics.EVALUATION.observe(perf_counter() - started)
        evaluated = Evaluated(changed=tuple(changed), dropped=tuple(dropped))
        await self._report(evaluated, from_milliseconds(at_ms))


def _vector(result: Result) -> Sequence[tuple[Labels, float]]:
    if isinstance(result, Vector):
        return result.samples
    if isinstance(result, Scalar):
        return [(Labels(), result.value)]
    raise EvaluationError(f"a rule needs a vector or a scalar, not a {type(result).__name__}")


def _offset_ms(group: RuleGroup) -> int:
    """Return how far before the instant the group's expressions are evaluated."""
    return group.query_offset // MILLISECOND


def _tick_ms(groups: Sequence[RunningGroup], interval: timedelta) -> int:
    """Return the loop's own step: the greatest that meets every group's interval."""
    return gcd(interval // MILLISECOND, *(group.interval_ms for group in groups))
