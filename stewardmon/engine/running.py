"""Rules made ready: planned once, with their templates, and the alerts that they have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.labels import Labels, metric_name
from stewardmon.domain.rule import AlertRule, RecordingRule, RuleGroup
from stewardmon.domain.template import Template, compile_template
from stewardmon.promql import Plan, plan

MILLISECOND: Final = timedelta(milliseconds=1)


@dataclass(slots=True)
class RunningRule:
    """A rule with its plans and templates made once, and the alerts it has."""

    rule: AlertRule
    group: RuleGroup
    plan: Plan
    clear: Plan | None
    subject: Plan | None
    labels: Mapping[str, Template]
    annotations: Mapping[str, Template]
    active: dict[Labels, Alert] = field(default_factory=dict)
    failures: int = 0
    error: str = ""
    evaluated_at: datetime | None = None
    seconds: float = 0.0
    shown: frozenset[Labels] = frozenset()


@dataclass(slots=True)
class RunningRecording:
    """A recording rule with its plan made once, and the series it last wrote."""

    rule: RecordingRule
    group: RuleGroup
    plan: Plan
    error: str = ""
    evaluated_at: datetime | None = None
    seconds: float = 0.0
    shown: frozenset[Labels] = frozenset()


@dataclass(slots=True)
class RunningGroup:
    """A group with its interval, and its rules in order."""

    group: RuleGroup
    interval_ms: int
    rules: list[RunningRule | RunningRecording]


def prepare(groups: Sequence[RuleGroup], *, interval: timedelta) -> list[RunningGroup]:
    """Plan every rule once. Raises ExpressionError for what the configuration let through."""
    return [
        RunningGroup(
            group=group,
            interval_ms=(group.interval or interval) // MILLISECOND,
            rules=[_prepared(rule, group) for rule in group.rules],
        )
        for group in groups
    ]


def afresh(groups: Iterable[RunningGroup]) -> list[RunningGroup]:
    """Return the same rules, of which none has been evaluated yet."""
    return [
        RunningGroup(group.group, group.interval_ms, [_afresh(one) for one in group.rules])
        for group in groups
    ]


def reaches(groups: Iterable[RunningGroup]) -> Mapping[str, int]:
    """Return how far back rules look, in milliseconds, by metric name: how long windows must be.

    Under "" stands how far selectors look that name no metric: that holds for every metric.
    """
    longest: dict[str, int] = {}
    for group in groups:
        for running in group.rules:
            for planned in _plans(running):
                for matchers, reach_ms in zip(planned.selectors, planned.reaches, strict=True):
                    name = metric_name(matchers)
                    longest[name] = max(longest.get(name, 0), reach_ms)
    return longest


def carry_over(old: Sequence[RunningGroup], new: Sequence[RunningGroup]) -> tuple[Alert, ...]:
    """Move alerts to the new rules of the same identity; return those left without one."""
    orphans = {
        running.rule.key: running.active
        for group in old
        for running in group.rules
        if isinstance(running, RunningRule)
    }
    adopt(new, orphans)
    return tuple(alert for alerts in orphans.values() for alert in alerts.values())


def adopt(groups: Sequence[RunningGroup], by_rule: dict[str, dict[Labels, Alert]]) -> None:
    """Give alerts back to their rules, taking them out of `by_rule`."""
    for group in groups:
        for running in group.rules:
            if isinstance(running, RunningRule):
                running.active.update(by_rule.pop(running.rule.key, {}))


def _afresh(running: RunningRule | RunningRecording) -> RunningRule | RunningRecording:
    if isinstance(running, RunningRecording):
        return RunningRecording(rule=running.rule, group=running.group, plan=running.plan)
    return RunningRule(
        rule=running.rule,
        group=running.group,
        plan=running.plan,
        clear=running.clear,
        subject=running.subject,
        labels=running.labels,
        annotations=running.annotations,
    )


def _prepared(rule: AlertRule | RecordingRule, group: RuleGroup) -> RunningRule | RunningRecording:
    if isinstance(rule, RecordingRule):
        return RunningRecording(rule=rule, group=group, plan=plan(rule.expr))
    return RunningRule(
        rule=rule,
        group=group,
        plan=plan(rule.expr),
        clear=plan(rule.clear_expr) if rule.clear_expr else None,
        subject=plan(rule.subject) if rule.subject else None,
        labels={
            name: compile_template(text) for name, text in group.labels.merged(rule.labels).items()
        },
        annotations={name: compile_template(text) for name, text in rule.annotations},
    )


def _plans(running: RunningRule | RunningRecording) -> tuple[Plan, ...]:
    if isinstance(running, RunningRecording):
        return (running.plan,)
    extra = (one for one in (running.clear, running.subject) if one is not None)
    return (running.plan, *extra)
