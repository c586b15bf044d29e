"""Why was somebody paged, or nobody: from the samples to the delivery, and where it stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import ALERT_NAME, AlertState
from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.notification import Delivery
from stewardmon.domain.route import route_for
from stewardmon.domain.rule import AlertRule
from stewardmon.engine.facts import threshold_text
from stewardmon.engine.live import Live
from stewardmon.engine.past import picture
from stewardmon.engine.running import RunningRule
from stewardmon.errors import StewardmonError
from stewardmon.promql import Engine, Plan, Vector, plan

SHOWN: Final = 5  # label sets of one rule


async def why_incident(live: Live, incident: Incident) -> list[str]:
    """Return what led to the incident's pages, and what became of each."""
    lines = [f"{incident.title}: {incident.state.value}, {incident.severity}"]
    for alert in list(incident.alerts.values())[:SHOWN]:
        fired = alert.fired_at or alert.active_at
        lines.append(f"alert: {alert.labels!r} reads {alert.value:g}, fires since {fired:%H:%M:%S}")
    events = await live.ledger.store.events(incident.id)
    lines += _timeline(events)
    lines += _deliveries(await live.ledger.deliveries(incident.id))
    return [*lines, _stands(incident, now=live.clock.now())]


async def why_rule(live: Live, name: str, *, at: datetime) -> list[str]:
    """Return what the rule read at `at`, and how far that went towards a page.

    Raises StewardmonError where no rule has the name.
    """
    running = next((one for one in live.evaluator.rules() if one.rule.name == name), None)
    if running is None:
        known = ", ".join(sorted({one.rule.name for one in live.evaluator.rules()}))
        raise StewardmonError(f"there is no rule {name[:60]!r}; there are {known}")
    lines = [f"{name}: {running.rule.expr}", *await _reading(live, running.rule, at)]
    states = await _states(live, running, at)
    if not states:
        return [*lines, "alert: none was pending or firing: it stopped at the rule"]
    lines += [_state_line(*one) for one in states[:SHOWN]]
    firing = [labels for labels, state, _ in states if state == AlertState.FIRING.value]
    if not firing:
        return [*lines, f"hold: it must last for {running.rule.hold}: it stopped there"]
    lines += _now_muted(live, running) if _is_now(live, at) else _then_muted(live, firing, at)
    return lines + await _incidents(live, name, at)


async def _reading(live: Live, rule: AlertRule, at: datetime) -> list[str]:
    measured = rule.subject or rule.expr
    rows = await _read(live, plan(measured), at)
    if not rows:
        return [f"samples: {measured} had no data at {at:%Y-%m-%d %H:%M:%S} UTC"]
    against = threshold_text(rule)
    return [
        f"samples: {labels!r} read {format_value(value, rule.unit)}"
        + (f", the threshold is {against}" if against else "")
        for labels, value in rows[:SHOWN]
    ]


_State = tuple[Labels, str, timedelta | None]


async def _states(live: Live, running: RunningRule, at: datetime) -> list[_State]:
    """Return where the rule's alerts stood: from ALERTS, which evaluation itself records."""
    quoted = running.rule.name.replace("\\", "\\\\").replace('"', '\\"')
    rows = await _read(live, plan(f'ALERTS{{alertname="{quoted}"}}'), at)
    since = dict(
        await _read(live, plan(f'ALERTS_FOR_STATE{{alertname="{quoted}"}}'), at, bare=True)
    )
    found: list[_State] = []
    for labels, _ in rows:
        own = labels.without(NAME, "alertstate")
        active = since.get(own)
        held = None if active is None else _span(at, active)
        found.append((own, labels.value("alertstate"), held))
    return found


def _state_line(labels: Labels, state: str, held: timedelta | None) -> str:
    since = "" if held is None else f" for {format_since(held)}"
    return f"alert: {labels.without(ALERT_NAME)!r} was {state}{since}"


def _is_now(live: Live, at: datetime) -> bool:
    return live.clock.now() - at <= timedelta(minutes=1)


async def _read(
    live: Live, planned: Plan, at: datetime, *, bare: bool = False
) -> list[tuple[Labels, float]]:
    at_ms = milliseconds(at)
    still = await picture(
        planned,
        series=live.series,
        history=live.history,
        clock=live.clock,
        start_ms=at_ms,
        end_ms=at_ms,
    )
    result = await asyncio.to_thread(Engine(still).instant, planned, at_ms)
    rows = result.samples if isinstance(result, Vector) else []
    return [(labels.without(NAME), value) for labels, value in rows] if bare else list(rows)


def _then_muted(live: Live, firing: Sequence[Labels], at: datetime) -> list[str]:
    """Return what kept alerts from paging at a moment of the past: from what is kept of it."""
    lines = []
    for labels in firing[:SHOWN]:
        if route_for(labels, live.responder.book.routes) is None:
            lines.append(f"route: no route takes {labels!r}: it stopped there")
        lines += [
            f"muted: silence {one.id}: {one.described()}: it stopped there"
            for one in live.silences.listed()
            if one.starts_at <= at < one.ends_at and one.accepts(labels)
        ]
        for window in (*live.silences.windows(), *live.silences.past_windows()):
            until = window.span.until(at)
            if until is not None and window.accepts(labels):
                closed = f"until {until:%Y-%m-%d %H:%M:%S} UTC"
                lines.append(f"muted: maintenance {window.name}: {closed}: it stopped there")
    return lines


def _now_muted(live: Live, running: RunningRule) -> list[str]:
    """Return what mutes the alerts that fire now."""
    lines = []
    for alert in running.active.values():
        if alert.state is not AlertState.FIRING:
            continue
        if route_for(alert.labels, live.responder.book.routes) is None:
            lines.append(f"route: no route takes {alert.labels!r}: it stopped there")
        mute = live.responder.why_muted(alert, now=live.clock.now())
        if mute is not None:
            lines.append(f"muted: {mute}: it stopped there")
    return lines


async def _incidents(live: Live, name: str, at: datetime) -> list[str]:
    recent = await live.ledger.store.incidents(limit=200)
    open_then = [
        one
        for one in recent
        if one.opened_at <= at + timedelta(minutes=1)
        and (one.resolved_at is None or one.resolved_at >= at)
    ]
    lines = [
        f"inhibited: shown as {line} on incident {one.id}, {one.title}: it stopped there"
        for one in open_then
        for line in one.symptoms
        if line == name or line.startswith(f"{name} ")
    ]
    mine = [one for one in open_then if _is_about(one, name)]
    if not mine:
        return [*lines, "incident: none was open for it"]
    for one in mine:
        lines += await why_incident(live, one)
    return lines


def _is_about(incident: Incident, name: str) -> bool:
    """Say whether a rule's alerts belong to the incident, however its route groups."""
    if any(alert.name == name for alert in incident.alerts.values()):
        return True
    return incident.group.value(ALERT_NAME) == name or incident.title.startswith(f"{name} (")


def _timeline(events: Iterable[Event]) -> list[str]:
    return [
        f"{event.at:%H:%M:%S} {event.kind.value.replace('_', ' ')}"
        + (f" by {event.who}" if event.who != "stewardmon" else "")
        + (f": {event.detail}" if event.detail else "")
        for event in events
    ]


def _deliveries(rows: Iterable[Delivery]) -> list[str]:
    return [
        f"delivery: {row.event.value} of level {row.level} to {row.person} over {row.channel}: "
        f"{row.state.value} after {row.attempts} attempts"
        + (f" ({row.error})" if row.error else "")
        for row in rows
    ]


def _stands(incident: Incident, *, now: datetime) -> str:
    """Say what happens next, or why nothing does."""
    if not incident.open:
        return f"it is over: resolved by {incident.resolved_by}"
    if incident.muted_by:
        return f"nobody is paged while it is muted: {incident.muted_by}"
    if incident.acknowledged_by:
        return f"nobody is paged while {incident.acknowledged_by} has it"
    if incident.snoozed_until is not None and now < incident.snoozed_until:
        return f"nobody is paged until the snooze ends at {incident.snoozed_until:%H:%M:%S} UTC"
    if incident.next_step_at is None:
        return "nothing more is due: every level was paged, and the policy repeats none"
    return f"the next step is due at {incident.next_step_at:%H:%M:%S} UTC"


def _span(at: datetime, active: float) -> timedelta:
    return timedelta(seconds=max(0.0, at.timestamp() - active))
