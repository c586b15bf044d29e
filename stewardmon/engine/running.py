"""Rules made ready: planned once, with their templates, and the alerts that they have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.alert import Alert, AlertState, Finding
from stewardmon.domain.labels import NAME, Labels, metric_name
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule, RuleGroup
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.template import Template, compile_template
from stewardmon.promql import Plan, plan

MILLISECOND: Final = timedelta(milliseconds=1)
_CHANGING: Final = re.compile(r"\b(query|now)\b")
"""What a template calls whose text depends on more than labels and value."""


@dataclass(slots=True, kw_only=True)
class Evaluation:
    """How a rule's evaluations went lately, and the series that it last wrote (`shown`).

    `rests_until_ms`: an expensive rule is not tried before. `filling_since_ms`: since when its
    windows are being filled for the first time. `mute_at`: the version of the series at which
    there was none that it could speak of.
    """

    failures: int = 0
    error: str = ""
    evaluated_at: datetime | None = None
    seconds: float = 0.0
    shown: frozenset[Labels] = frozenset()
    rests_until_ms: int = 0
    filling_since_ms: int | None = None
    mute_at: int = -1


@dataclass(slots=True)
class RunningRule(Evaluation):
    """A rule with its plans and templates made once, and the alerts it has.

    `found` holds the findings of the last evaluation by the labels of the result, where they would
    read the same again (`steady`); `series` the labels of what the rule writes.
    """

    rule: AlertRule
    group: RuleGroup
    plan: Plan
    clear: Plan | None
    subject: Plan | None
    labels: Mapping[str, Template]
    annotations: Mapping[str, Template]
    active: dict[Labels, Alert] = field(default_factory=dict)
    found: Mapping[Labels, Finding] = field(default_factory=dict)
    series: dict[Labels, tuple[AlertState, Labels, Labels]] = field(default_factory=dict)
    steady: bool = field(init=False)

    def __post_init__(self) -> None:
        templates = (*self.labels.values(), *self.annotations.values())
        self.steady = not any(_CHANGING.search(template.text) for template in templates)


@dataclass(slots=True)
class RunningRecording(Evaluation):
    """A recording rule with its plan made once."""

    rule: RecordingRule
    group: RuleGroup
    plan: Plan


Running = RunningRule | RunningRecording


def is_mute(running: Running, series: SeriesStore) -> bool:
    """Say whether an evaluation would find nothing and change nothing: there is nothing to find.

    A daemon asks dozens of rules about what it does not watch, every few seconds.
    """
    version = series.version()
    if running.mute_at != version:
        sources = running.plan.sources
        if sources is None or any(series.holds(name) for name in sources):
            return False
        running.mute_at = version
    if isinstance(running, RunningRule):
        no_data = running.rule.no_data is NoData.ALERT
        return not (no_data or running.active or running.shown)
    return not running.shown


@dataclass(slots=True)
class RunningGroup:
    """A group with its interval, and its rules in order."""

    group: RuleGroup
    interval_ms: int
    rules: list[Running]


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
    return reaches_of(
        (planned, group.group.query_offset // MILLISECOND)
        for group in groups
        for running in group.rules
        for planned in plans_of(running)
    )


def reaches_of(plans: Iterable[tuple[Plan, int]]) -> Mapping[str, int]:
    """Return how far back expressions look, asked so many milliseconds late, by metric name."""
    longest: dict[str, int] = {}
    for planned, late_ms in plans:
        for matchers, reach_ms in zip(planned.selectors, planned.reaches, strict=True):
            name = metric_name(matchers)
            longest[name] = max(longest.get(name, 0), reach_ms + late_ms)
    return longest


def carry_over(
    old: Sequence[RunningGroup], new: Sequence[RunningGroup]
) -> tuple[tuple[Alert, ...], frozenset[Labels]]:
    """Move what rules have to the new ones of the same identity.

    Returns the alerts left without a rule, and the series that nobody writes any more.
    """
    left = {running.rule.key: running for group in old for running in group.rules}
    for group in new:
        for running in group.rules:
            before = left.pop(running.rule.key, None)
            if before is None or type(before) is not type(running):
                continue
            running.shown, running.failures = before.shown, before.failures
            running.rests_until_ms = before.rests_until_ms
            if isinstance(running, RunningRule) and isinstance(before, RunningRule):
                running.active = before.active
    orphans = (one.active.values() for one in left.values() if isinstance(one, RunningRule))
    still = {labels for group in new for running in group.rules for labels in running.shown}
    gone = frozenset[Labels]().union(*(one.shown for one in left.values())) - still
    return tuple(alert for alerts in orphans for alert in alerts), gone


def adopt(groups: Sequence[RunningGroup], by_rule: dict[str, dict[Labels, Alert]]) -> None:
    """Give alerts back to their rules after a restart, taking them out of `by_rule`."""
    for group in groups:
        for running in group.rules:
            if isinstance(running, RunningRule):
                running.active.update(by_rule.pop(running.rule.key, {}))
                running.shown = frozenset(
                    labels for labels, _ in alert_series(running.active, running.series)
                )


def _afresh(running: Running) -> Running:
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


def alert_series(
    active: Mapping[Labels, Alert], known: dict[Labels, tuple[AlertState, Labels, Labels]]
) -> Iterator[tuple[Labels, float]]:
    """Yield ALERTS and ALERTS_FOR_STATE of a rule's alerts; resolved ones have none.

    `known` holds the labels of both from one evaluation to the next.
    """
    for labels, alert in active.items():
        if alert.state is AlertState.RESOLVED:
            known.pop(labels, None)
            continue
        series = known.get(labels)
        if series is None or series[0] is not alert.state:
            shown = labels.merged({NAME: "ALERTS", "alertstate": alert.state.value})
            series = alert.state, shown, labels.merged({NAME: "ALERTS_FOR_STATE"})
            known[labels] = series
        _, shown, for_state = series
        yield shown, 1.0
        yield for_state, float(int(alert.active_at.timestamp()))  # seconds, as Prometheus
    if len(known) > len(active):
        for labels in known.keys() - active.keys():
            del known[labels]


def _prepared(rule: AlertRule | RecordingRule, group: RuleGroup) -> Running:
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


def plans_of(running: Running) -> tuple[Plan, ...]:
    """Return every plan that evaluating the rule may need."""
    if isinstance(running, RunningRecording):
        return (running.plan,)
    extra = (one for one in (running.clear, running.subject) if one is not None)
    return (running.plan, *extra)
