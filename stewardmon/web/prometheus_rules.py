"""Rules, alerts and targets as Prometheus' API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from stewardmon import __version__
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.outcome import State
from stewardmon.engine.live import Live
from stewardmon.engine.running import RunningGroup, RunningRecording, RunningRule
from stewardmon.web.prometheus_json import number

NEVER: Final = "0001-01-01T00:00:00Z"
LANGUAGE: Final = "3.0.0"  # the PromQL that is offered, RULES.md


def groups_json(live: Live, *, kind: str = "") -> list[dict[str, Any]]:
    """Return every group with its rules; `kind` alert or record leaves the others out."""
    return [_group(group, kind) for group in live.evaluator.groups]


def alerts_json(live: Live) -> list[dict[str, Any]]:
    """Return pending and firing alerts of all rules."""
    return [
        _alert(alert)
        for running in live.evaluator.rules()
        for alert in running.active.values()
        if alert.state is not AlertState.RESOLVED
    ]


def targets_json(live: Live) -> list[dict[str, Any]]:
    """Return probes as targets; the instance stands for the address, never a URL with secrets."""
    found = []
    for spec in live.config.probes:
        seen = live.observations.latest.get(spec.name)
        labels = {"job": spec.job, "instance": spec.instance, "probe": spec.name}
        healths = {State.UP: "up", State.UNKNOWN: "unknown"}
        found.append(
            {
                "discoveredLabels": {**labels, "__address__": spec.instance},
                "labels": labels,
                "scrapePool": spec.job,
                "scrapeUrl": spec.instance,
                "globalUrl": spec.instance,
                "lastError": "" if seen is None or seen.outcome.success else seen.outcome.detail,
                "lastScrape": NEVER if seen is None else _time(seen.at),
                "lastScrapeDuration": 0 if seen is None else seen.outcome.duration,
                "health": "unknown" if seen is None else healths.get(seen.outcome.state, "down"),
                "scrapeInterval": f"{spec.every.total_seconds():g}s",
                "scrapeTimeout": f"{spec.timeout.total_seconds():g}s",
            }
        )
    return found


def build_json() -> dict[str, str]:
    """Return what Grafana asks to know which PromQL it may write."""
    return {
        "version": LANGUAGE,
        "revision": f"stewardmon-{__version__}",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }


def _group(group: RunningGroup, kind: str) -> dict[str, Any]:
    rules = [
        _recording(one) if isinstance(one, RunningRecording) else _alerting(one)
        for one in group.rules
        if kind in {"", "record" if isinstance(one, RunningRecording) else "alert"}
    ]
    evaluated = [one.evaluated_at for one in group.rules if one.evaluated_at is not None]
    return {
        "name": group.group.name,
        "file": group.group.source.partition(":")[0],
        "interval": group.interval_ms / 1000,
        "limit": group.group.limit,
        "rules": rules,
        "evaluationTime": sum(one.seconds for one in group.rules),
        "lastEvaluation": _time(max(evaluated)) if evaluated else NEVER,
    }


def _alerting(running: RunningRule) -> dict[str, Any]:
    rule = running.rule
    states = {one.state for one in running.active.values()}
    state = next(
        (one.value for one in (AlertState.FIRING, AlertState.PENDING) if one in states), "inactive"
    )
    return {
        "type": "alerting",
        "name": rule.name,
        "query": rule.expr,
        "duration": rule.hold.total_seconds(),
        "keepFiringFor": rule.keep_firing_for.total_seconds(),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "alerts": [
            _alert(one) for one in running.active.values() if one.state is not AlertState.RESOLVED
        ],
        "state": state,
        **_health(running),
    }


def _recording(running: RunningRecording) -> dict[str, Any]:
    rule = running.rule
    return {
        "type": "recording",
        "name": rule.name,
        "query": rule.expr,
        "labels": dict(rule.labels),
        **_health(running),
    }


def _health(running: RunningRule | RunningRecording) -> dict[str, Any]:
    at = running.evaluated_at
    health = {
        "health": "unknown" if at is None else ("err" if running.error else "ok"),
        "evaluationTime": running.seconds,
        "lastEvaluation": NEVER if at is None else _time(at),
    }
    return {**health, "lastError": running.error} if running.error else health


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "activeAt": _time(alert.active_at),
        "value": number(alert.value),
    }


def _time(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
