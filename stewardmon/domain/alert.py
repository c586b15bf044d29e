"""The alert machine: Prometheus' own, inactive → pending → firing → resolved."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.rule import AlertRule
from stewardmon.errors import EvaluationError

ZERO: Final = timedelta(0)
RESOLVED_KEPT_FOR: Final = timedelta(minutes=15)  # Prometheus' resolvedRetention
ALERT_NAME: Final = "alertname"
RANK: Final = {
    "critical": 0,
    "error": 1,
    "warning": 2,
    "info": 3,
}  # an unknown severity is critical


class AlertState(StrEnum):
    """Where an alert stands."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One rule × one label set.

    `origin` is the result's label set before the rule's labels were laid over it: what tells
    whether the rule's subject still has data. `rule` is the rule's key; alerts that came in from
    outside carry `external/<name>`, and `ends_at`: when they are over unless they are sent again.
    """

    rule: str
    labels: Labels
    origin: Labels
    annotations: Labels
    state: AlertState
    value: float
    active_at: datetime
    fired_at: datetime | None = None
    resolved_at: datetime | None = None
    keep_firing_since: datetime | None = None
    generator_url: str = ""
    ends_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """Return the identity over restarts: the label set's fingerprint."""
        return self.labels.fingerprint()

    @property
    def name(self) -> str:
        """Return the alert's name."""
        return self.labels.value(ALERT_NAME)

    @property
    def severity(self) -> str:
        """Return the severity; `critical` where no label says otherwise."""
        return self.labels.value("severity") or "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One element of a rule's result, with its labels and annotations already expanded."""

    origin: Labels
    labels: Labels
    annotations: Labels
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """The alerts of one rule after an evaluation, and those among them that changed state."""

    alerts: Mapping[Labels, Alert]
    changed: tuple[Alert, ...]
    dropped: tuple[Alert, ...]


def alert_labels(result: Labels, rule: AlertRule, expanded: Mapping[str, str]) -> Labels:
    """Return an alert's labels: result − name + rule labels (these win) + alertname."""
    return Labels(
        {
            **{name: value for name, value in result.pairs if name != NAME},
            **expanded,
            ALERT_NAME: rule.name,
        }
    )


def advance(
    rule: AlertRule,
    active: Mapping[Labels, Alert],
    findings: Sequence[Finding],
    *,
    now: datetime,
    limit: int = 0,
    stays: Callable[[Alert], bool] = lambda _: False,
) -> Generator[None, None, Advance]:
    """Move the rule's alerts as Prometheus 3 moves them, to after an evaluation at `now`.

    Stops after each alert, of which there may be ten thousand; what it returns in the end counts.
    `stays` says of a firing alert that is absent from the result whether something else holds it
    (missing data, a clear condition not met); it is ours, and never true for Prometheus' rules.
    Raises EvaluationError for two results with equal labels, and where `limit` is exceeded (the
    caller then clears the rule's alerts, as Prometheus does).
    """
    found: dict[Labels, Finding] = {}
    for finding in findings:
        if finding.labels in found:
            raise EvaluationError(
                f"rule {rule.name}: two results have the same labels {finding.labels!r}"
            )
        found[finding.labels] = finding

    after: dict[Labels, Alert] = {}
    changed: list[Alert] = []
    dropped: list[Alert] = []
    for labels, alert in active.items():
        if labels in found:
            continue
        kept = _absent(rule, alert, now=now, stays=stays)
        if kept is None:
            dropped.append(alert)
            continue
        after[labels] = kept
        if kept.state is not alert.state:
            changed.append(kept)
        yield
    for labels, finding in found.items():
        before = active.get(labels)
        alert = _present(rule, before, finding, now=now)
        after[labels] = alert
        if before is None or before.state is not alert.state:
            changed.append(alert)
        yield

    running = sum(alert.state is not AlertState.RESOLVED for alert in after.values())
    if 0 < limit < running:
        raise LimitExceededError(
            f"rule {rule.name}: exceeded limit of {limit} with {running} alerts"
        )
    return Advance(alerts=after, changed=tuple(changed), dropped=tuple(dropped))


class LimitExceededError(EvaluationError):
    """More alerts than the group's `limit`: the rule's alerts are cleared and it is in error."""


def _present(rule: AlertRule, before: Alert | None, finding: Finding, *, now: datetime) -> Alert:
    if before is None or before.state is AlertState.RESOLVED:
        waits = rule.hold > ZERO
        return Alert(
            rule=rule.key,
            labels=finding.labels,
            origin=finding.origin,
            annotations=finding.annotations,
            state=AlertState.PENDING if waits else AlertState.FIRING,
            value=finding.value,
            active_at=now,
            fired_at=None if waits else now,
        )
    alert = (
        before
        if _says(before, finding)
        else replace(
            before,
            value=finding.value,
            annotations=finding.annotations,
            origin=finding.origin,
            keep_firing_since=None,
        )
    )
    if alert.state is AlertState.PENDING and now - alert.active_at >= rule.hold:
        return replace(alert, state=AlertState.FIRING, fired_at=now)
    return alert


def _says(alert: Alert, finding: Finding) -> bool:
    """Say whether the alert stands as it was found: in a storm most do, at every evaluation."""
    return (
        alert.value == finding.value
        and alert.annotations is finding.annotations
        and alert.origin is finding.origin
        and alert.keep_firing_since is None
    )


def _absent(
    rule: AlertRule, alert: Alert, *, now: datetime, stays: Callable[[Alert], bool]
) -> Alert | None:
    if alert.state is AlertState.PENDING:
        return None
    if alert.state is AlertState.RESOLVED:
        gone = alert.resolved_at is not None and now - alert.resolved_at > RESOLVED_KEPT_FOR
        return None if gone else alert
    if stays(alert):
        return alert
    since = alert.keep_firing_since or now
    if now - since < rule.keep_firing_for:
        return replace(alert, keep_firing_since=since)
    return replace(alert, state=AlertState.RESOLVED, resolved_at=now, keep_firing_since=None)
