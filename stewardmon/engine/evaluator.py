"""Evaluates rules one after the other: what alerts do, what is recorded, what is shown of it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.clock import from_milliseconds, milliseconds
from stewardmon.domain.alert import (
    Alert,
    Finding,
    LimitExceededError,
    advance,
    alert_labels,
)
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import NoData, RuleGroup
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.template import Template
from stewardmon.engine.pace import FILLING_AT_MOST_MS, Pace, rest_ms
from stewardmon.engine.record import Tape
from stewardmon.engine.running import (
    MILLISECOND,
    Running,
    RunningGroup,
    RunningRecording,
    RunningRule,
    alert_series,
    is_mute,
)
from stewardmon.errors import EvaluationError, OverdueError
from stewardmon.promql import Engine, Plan, Result, Scalar, Vector, Windows, plan

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What one evaluation changed: alerts in new states, and pending ones that are no more."""

    changed: tuple[Alert, ...] = ()
    dropped: tuple[Alert, ...] = ()


_NOTHING: Final = Evaluated()


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
        pace: Pace | None = None,
        windows: Windows | None = None,
    ) -> None:
        self.groups = groups
        self._series = series
        self._pace = pace
        self._tape = tape or Tape(series)
        self.engine = Engine(series)
        self.windows = windows or self.engine.windows()
        self.external_labels = dict(external_labels or {})
        self.external_url = external_url

    def rules(self) -> list[RunningRule]:
        """Return the alerting rules in order."""
        return [r for g in self.groups for r in g.rules if isinstance(r, RunningRule)]

    def all_rules(self) -> list[Running]:
        """Return alerting and recording rules in order."""
        return [running for group in self.groups for running in group.rules]

    def passed(self, after_ms: int, at_ms: int) -> list[tuple[RunningGroup, int]]:
        """Return the groups with an aligned instant after one and up to another, and the newest.

        A loop that is late must not leave out a group that is evaluated once an hour.
        """
        newest = ((group, at_ms - at_ms % group.interval_ms) for group in self.groups)
        return [(group, instant) for group, instant in newest if instant > after_ms]

    def evaluate(self, running: Running, at_ms: int) -> Evaluated:
        """Evaluate one rule at an instant; one that fails changes no state, and is counted."""
        steps = self.steps(running, at_ms)
        while True:
            try:
                next(steps)
            except StopIteration as done:
                found: Evaluated = done.value
                return found

    def steps(self, running: Running, at_ms: int) -> Generator[None, None, Evaluated]:
        """Do what `evaluate` does with a stop after each alert, for a loop that others wait for.

        Whoever gives others a turn at a stop calls `resume` after it.
        """
        if at_ms < running.rests_until_ms:
            return _NOTHING  # not tried: no further failure in a row, which would page somebody
        if is_mute(running, self._series):
            running.error, running.failures, running.filling_since_ms = "", 0, None
            running.evaluated_at, running.seconds = from_milliseconds(at_ms), 0.0
            return _NOTHING
        started = perf_counter()
        self.resume()
        try:
            if isinstance(running, RunningRecording):
                self._record(running, at_ms)
                found = Evaluated()
            else:
                found = yield from self._advance(running, at_ms)
            running.error, running.failures, running.filling_since_ms = "", 0, None
        except OverdueError as error:
            found = self._stopped(running, error, at_ms, seconds=perf_counter() - started)
        except LimitExceededError as error:
            found = self._cleared(running, self._failed(running, str(error)))
        except EvaluationError as error:
            found = self._failed(running, str(error))
        running.evaluated_at = from_milliseconds(at_ms)
        running.seconds = perf_counter() - started
        return found

    def resume(self) -> None:
        """Go on after a turn of others: what they did with it is not the rule's time."""
        if self._pace is not None:
            self._pace.begin()

    def forget(self, before_ms: int) -> None:
        """Let go of rolling windows that no rule has asked for since the instant."""
        self.windows.forget(before_ms)

    def instant(self, plan: Plan, at_ms: int) -> Sequence[tuple[Labels, float]]:
        """Return an expression's result as a vector; a scalar is one element without labels."""
        expired = None if self._pace is None else self._pace.expired
        return _vector(self.engine.instant(plan, at_ms, windows=self.windows, expired=expired))

    def _advance(self, running: RunningRule, at_ms: int) -> Generator[None, None, Evaluated]:
        rule = running.rule
        result = self.instant(running.plan, at_ms - _offset_ms(running.group))
        idle = not (result or running.active or running.shown)
        if idle and rule.no_data is not NoData.ALERT:
            return Evaluated()
        now = from_milliseconds(at_ms)
        findings = yield from self._findings(running, result, now)
        if rule.no_data is NoData.ALERT and not result:
            findings += self._missing(running, now, at_ms)
        moved = yield from advance(
            rule,
            running.active,
            findings,
            now=now,
            limit=running.group.limit,
            stays=self._holder(running, at_ms),
        )
        running.active = dict(moved.alerts)
        yield from self._show(running, at_ms)
        return Evaluated(changed=moved.changed, dropped=moved.dropped)

    def _findings(
        self, running: RunningRule, result: Sequence[tuple[Labels, float]], now: datetime
    ) -> Generator[None, None, list[Finding]]:
        """Return the result with its texts; what reads as it did before is not written anew."""
        before = running.found
        findings = []
        for labels, value in result:
            known = before.get(labels)
            if known is None or repr(known.value) != repr(value):  # -0.0 == 0.0 reads otherwise
                known = self._finding(running, labels, value, now)
                known.labels.fingerprint()  # it takes a while too, and everybody asks for it next
                yield
            findings.append(known)
        if running.steady:
            running.found = {
                labels: found for (labels, _), found in zip(result, findings, strict=True)
            }
        return findings

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

    def _failed(self, running: Running, error: str) -> Evaluated:
        name = running.rule.name
        metrics.EVALUATION_FAILURES.labels(name).inc()
        if running.error != error:
            log.warning("rule_failed", rule=name, error=error)
        running.error = error
        running.failures += 1
        return Evaluated()

    def _stopped(
        self, running: Running, error: OverdueError, at_ms: int, *, seconds: float
    ) -> Evaluated:
        """Let a rule that took too long go on filling its windows, or fail and rest."""
        since = running.filling_since_ms = running.filling_since_ms or at_ms
        if error.resumable and at_ms - since < FILLING_AT_MOST_MS:
            running.error = "its windows are being filled from what has been recorded"
            return Evaluated()
        if not error.resumable and running.failures:  # once it may be the garbage collector's doing
            running.rests_until_ms = at_ms + rest_ms(seconds)
        return self._failed(running, str(error))

    def _cleared(self, running: Running, found: Evaluated) -> Evaluated:
        """Clear the alerts of a rule past its group's limit, as Prometheus does.

        They do not resolve there either: nothing is known about them. We end their incidents'
        series, not their pages. ALERTS end with the next evaluation that succeeds.
        """
        if not isinstance(running, RunningRule):
            return found
        cleared, running.active = running.active, {}
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

    def _show(self, running: RunningRule, at_ms: int) -> Iterator[None]:
        """Write the rule's ALERTS and ALERTS_FOR_STATE; those that ended get stale markers."""
        before, shown = running.shown, set()
        for labels, value in alert_series(running.active, running.series):
            shown.add(labels)
            self._tape.append(labels, at_ms, value)
            yield
        running.shown = frozenset(shown)
        self.end(before.difference(shown), at_ms)

    def end(self, series: Iterable[Labels], at_ms: int) -> None:
        """Write stale markers for series that no rule writes any more."""
        for labels in series:
            self._tape.mark_stale(labels, at_ms)

    def _write(
        self, values: Mapping[Labels, float], shown: frozenset[Labels], at_ms: int
    ) -> frozenset[Labels]:
        for labels, value in values.items():
            self._tape.append(labels, at_ms, value)
        self.end(shown.difference(values), at_ms)
        return frozenset(values)


def _vector(result: Result) -> Sequence[tuple[Labels, float]]:
    if isinstance(result, Vector):
        return result.samples
    if isinstance(result, Scalar):
        return [(Labels(), result.value)]
    raise EvaluationError(f"a rule needs a vector or a scalar, not a {type(result).__name__}")


def _offset_ms(group: RuleGroup) -> int:
    """Return how far before the instant the group's expressions are evaluated."""
    return group.query_offset // MILLISECOND
