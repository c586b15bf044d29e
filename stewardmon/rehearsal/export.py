"""Rules for Prometheus: short conditions compiled, everything that it can express kept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import yaml

from stewardmon.domain.quantity import format_duration
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule, RuleGroup

ZERO: Final = timedelta(0)


def export(groups: tuple[RuleGroup, ...], *, interval: timedelta) -> str:
    """Return a rule file that `promtool check rules` accepts.

    `interval` is the evaluation interval of groups that name none, so that both evaluate at the
    same instants. What Prometheus has no word for is said in comments at the top.
    """
    body = {"groups": [_group(group, interval) for group in groups]}
    text = yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=100)
    notes = [f"# {note}" for group in groups for rule in group.rules for note in _lost(rule)]
    return "\n".join(["# Written by `stewardmon rules export`.", *notes, text])


def _group(group: RuleGroup, interval: timedelta) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": group.name,
        "interval": format_duration(group.interval or interval),
    }
    if group.limit:
        found["limit"] = group.limit
    # Prometheus knows `labels` of a group only since 3.0: lay them over the rules instead.
    found["rules"] = [_rule(rule, group) for rule in group.rules]
    return found


def _rule(rule: AlertRule | RecordingRule, group: RuleGroup) -> dict[str, Any]:
    labels = dict(group.labels.merged(rule.labels))
    if isinstance(rule, RecordingRule):
        found: dict[str, Any] = {"record": rule.name, "expr": rule.expr}
    else:
        found = {"alert": rule.name, "expr": rule.expr}
        if rule.hold > ZERO:
            found["for"] = format_duration(rule.hold)
        if rule.keep_firing_for > ZERO:
            found["keep_firing_for"] = format_duration(rule.keep_firing_for)
    if labels:
        found["labels"] = labels
    if isinstance(rule, AlertRule) and rule.annotations:
        found["annotations"] = dict(rule.annotations)
    return found


def _lost(rule: AlertRule | RecordingRule) -> list[str]:
    """Say what of the rule Prometheus will not do."""
    if isinstance(rule, RecordingRule):
        return []
    lost = []
    if rule.no_data is NoData.KEEP and rule.subject:
        lost.append(f"{rule.name}: here missing data keeps it firing; in Prometheus it resolves")
    if rule.no_data is NoData.ALERT:
        lost.append(f"{rule.name}: here missing data fires it; add a rule with absent() there")
    if rule.clear_expr:
        lost.append(f"{rule.name}: here it resolves only when {rule.clear_expr}")
    if rule.depends_on:
        lost.append(f"{rule.name}: here it is quiet while {', '.join(rule.depends_on)} explains it")
    return lost
