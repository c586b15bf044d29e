"""The incident page's view: what broke, since when, how bad, what was done, what to try."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isnan
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import ALERT_NAME
from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.notices import Facts
from stewardmon.domain.notification import Delivery, Notification
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.runbooks import runbook
from stewardmon.engine.facts import threshold_text
from stewardmon.engine.live import Live
from stewardmon.ports import Points
from stewardmon.web import charts, recall
from stewardmon.web.recall import Span
from stewardmon.web.rules import described

BEFORE: Final = timedelta(minutes=15)  # of the chart ahead of the opening: how it used to be
AFTER: Final = timedelta(minutes=5)
SHOWN_LINES: Final = 5
DEPLOYS: Final = 3  # of those before the opening: what changed last is asked first
SHOWN_EVENTS: Final = 300
SHOWN_ALERTS: Final = 50
_TONES: Final = ("one", "two", "three", "four", "five")

WORDS: Final = {
    EventKind.OPENED: "Opened",
    EventKind.REOPENED: "Opened again",
    EventKind.RAISED: "Severity raised",
    EventKind.JOINED: "An alert joined",
    EventKind.LEFT: "An alert resolved",
    EventKind.SYMPTOM: "Affected by it",
    EventKind.PAGED: "Paged",
    EventKind.REMINDED: "Paged again",
    EventKind.SKIPPED: "Level skipped",
    EventKind.UNREACHABLE: "Level could not be reached",
    EventKind.EXHAUSTED: "Nobody could be reached",
    EventKind.SENT: "Delivered",
    EventKind.FAILED: "Could not be delivered",
    EventKind.RETRYING: "Delivery is tried again",
    EventKind.CANCELLED: "Message taken back",
    EventKind.ACKNOWLEDGED: "Acknowledged",
    EventKind.UNACKNOWLEDGED: "Given back",
    EventKind.ACK_TIMEOUT: "Acknowledgement timed out",
    EventKind.SNOOZED: "Snoozed",
    EventKind.WOKE: "Snooze ended",
    EventKind.ESCALATED: "Escalated by hand",
    EventKind.MUTED: "Muted",
    EventKind.UNMUTED: "No longer muted",
    EventKind.FLAPPING: "Comes and goes",
    EventKind.NOTE: "Note",
    EventKind.EVIDENCE: "Evidence",
    EventKind.DEPLOY: "Deploy",
    EventKind.OVERDUE: "A step is overdue",
    EventKind.RESOLVED: "Resolved",
}
_MARKED: Final = {
    EventKind.OPENED: "opened",
    EventKind.ACKNOWLEDGED: "acknowledged",
    EventKind.RESOLVED: "resolved",
    EventKind.DEPLOY: "deploy",
    EventKind.MUTED: "muted",
    EventKind.UNMUTED: "muted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One level of the escalation, and how it stands: reached, next, later or spared."""

    number: int
    role: str
    standing: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the timeline in words."""

    at: datetime
    what: str
    who: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One alert of the incident: its labels, and what is measured."""

    labels: Labels
    value_text: str
    threshold_text: str
    summary: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """Everything on the incident page."""

    incident: Incident
    summary: str
    description: str
    readings: tuple[Reading, ...]
    hidden: int
    runbook: tuple[str, ...]
    runbook_url: str
    evidence: tuple[str, ...]
    ladder: tuple[Rung, ...]
    timeline: tuple[Line, ...]
    deliveries: Sequence[Delivery]
    chart: charts.Chart | None
    rule: AlertRule | None


async def dossier(live: Live, incident: Incident, *, now: datetime) -> Dossier:
    """Return what is known of an incident, open or over."""
    events = await live.ledger.store.events(incident.id)
    deliveries = await live.ledger.deliveries(incident.id)
    last = deliveries[-1].notification if deliveries else None
    readings = _readings(live, incident, last)
    rule = _rule(live, incident, readings)
    facts = _facts(live, incident)
    labels = readings[0].labels if readings else Labels()
    annotations = _annotations(incident, last)
    return Dossier(
        incident=incident,
        summary=annotations.value("summary"),
        description=annotations.value("description"),
        readings=readings[:SHOWN_ALERTS],
        hidden=max(len(readings) - SHOWN_ALERTS, 0),
        runbook=facts.runbook or _runbook(rule, last),
        runbook_url=_link(annotations.value("runbook_url")),
        evidence=_evidence(incident, events, last),
        ladder=ladder(incident, now=now),
        timeline=tuple(_line(event) for event in events[-SHOWN_EVENTS:]),
        deliveries=deliveries[-SHOWN_EVENTS:],
        chart=await _chart(live, incident, rule, labels, events, now=now),
        rule=rule,
    )


def ladder(incident: Incident, *, now: datetime) -> tuple[Rung, ...]:
    """Return the levels with what has become, or becomes, of each."""
    rungs: list[Rung] = []
    waiting = incident.state.value == "open" and not incident.quiet(now)
    for level in incident.policy.levels:
        if level.number <= incident.reached:
            standing = "reached"
        elif not waiting:
            standing = "spared"
        elif any(rung.standing == "next" for rung in rungs):
            standing = "later"
        else:
            standing = "next"
        at = incident.base_at + level.after
        rungs.append(Rung(number=level.number, role=level.role, standing=standing, at=at))
    return tuple(rungs)


def _readings(live: Live, incident: Incident, last: Notification | None) -> tuple[Reading, ...]:
    """Return the alerts that fire; of an incident that is over, those last told."""
    if incident.alerts:
        firing = sorted(incident.alerts.values(), key=lambda one: one.labels.pairs)
        shown = [
            (one, live.responder.facts(one, drawn=False)) for one in firing[: SHOWN_ALERTS + 1]
        ]
        made = [
            Reading(
                labels=one.labels,
                value_text=facts.value_text,
                threshold_text=facts.threshold_text,
                summary=one.annotations.value("summary"),
            )
            for one, facts in shown
        ]
        return tuple(made)
    return tuple(
        Reading(
            labels=one.labels,
            value_text=one.value_text,
            threshold_text=one.threshold_text,
            summary=one.annotations.value("summary"),
        )
        for one in (last.alerts if last is not None else ())
    )


def _facts(live: Live, incident: Incident) -> Facts:
    first = next(iter(incident.alerts.values()), None)
    return Facts() if first is None else live.responder.facts(first)


def _annotations(incident: Incident, last: Notification | None) -> Labels:
    first = next(iter(incident.alerts.values()), None)
    if first is not None:
        return first.annotations
    return last.alerts[0].annotations if last is not None and last.alerts else Labels()


def _rule(live: Live, incident: Incident, readings: Sequence[Reading]) -> AlertRule | None:
    keys = {alert.rule for alert in incident.alerts.values()}
    name = readings[0].labels.value(ALERT_NAME) if readings else incident.group.value(ALERT_NAME)
    rules = [running.rule for running in live.evaluator.rules()]
    by_key = next((rule for rule in rules if rule.key in keys), None)
    return by_key or next((rule for rule in rules if rule.name == name), None)


def _runbook(rule: AlertRule | None, last: Notification | None) -> tuple[str, ...]:
    if last is not None and last.runbook:
        return last.runbook
    return () if rule is None else runbook("", rule.expr)


def _link(url: str) -> str:
    """Return an address that may be linked; anything but the web's own schemes is dropped."""
    return url if url.startswith(("https://", "http://")) else ""


def _evidence(
    incident: Incident, events: Iterable[Event], last: Notification | None
) -> tuple[str, ...]:
    found = [event.detail for event in events if event.kind is EventKind.EVIDENCE]
    gathered = [line for detail in found for line in detail.splitlines()]
    told = list(last.evidence) if last is not None else []
    affected = [f"also affected: {line}" for line in incident.symptoms]
    return tuple(dict.fromkeys((*gathered, *told, *affected)))


def _line(event: Event) -> Line:
    who = "" if event.who == "stewardmon" else event.who
    detail = event.detail
    if event.kind is EventKind.EVIDENCE and "\n" in detail:
        detail = f"{len(detail.splitlines())} lines, shown under Evidence"
    return Line(at=event.at, what=WORDS[event.kind], who=who, detail=detail)


async def _chart(
    live: Live,
    incident: Incident,
    rule: AlertRule | None,
    labels: Labels,
    events: Sequence[Event],
    *,
    now: datetime,
) -> charts.Chart | None:
    """Return the course of what the rule measures, around the incident."""
    rule = None if rule is None else described(rule)
    if rule is None or rule.subject is None:
        return None
    begun = incident.opened_at - max(BEFORE, 2 * rule.hold)
    end = now if incident.open else min(now, (incident.resolved_at or now) + AFTER)
    span = Span.until(end, min(end - begun, recall.LONGEST))
    found = await recall.expression(live, rule.subject, span)
    happened = (*_deploys_before(live, incident), *events)
    return drawn(rule, _nearest(found, labels), happened, span)


def _deploys_before(live: Live, incident: Incident) -> list[Event]:
    """Return the last deploys before an incident: its timeline holds only those since."""
    found = [one for one in live.deploys.listed() if one.at < incident.opened_at]
    return [
        Event(incident=incident.id, at=one.at, kind=EventKind.DEPLOY, detail=one.described())
        for one in found[-DEPLOYS:]
    ]


def drawn(
    rule: AlertRule,
    series: Sequence[tuple[Labels, Points]],
    events: Sequence[Event],
    span: Span,
) -> charts.Chart:
    """Return the chart of a rule's subject with its threshold and what happened meanwhile."""
    measured = [value for _, points in series for _, value in points]
    limits = [] if rule.threshold is None else [rule.threshold]
    scale = charts.scale([*measured, *limits], start_ms=span.start_ms, end_ms=span.end_ms)

    def show(value: float) -> str:
        return format_value(value, rule.unit)

    lines = tuple(
        charts.Line(
            name=_name(labels, rule),
            tone=_TONES[place],
            path=charts.path(points, scale, gap_ms=3 * span.step_ms),
        )
        for place, (labels, points) in enumerate(series)
    )
    return charts.Chart(
        title=rule.name,
        summary=_summary(measured, show),
        lines=lines,
        highs=charts.highs(scale, show),
        times=charts.times(span.start_ms, span.end_ms),
        threshold_y=None if rule.threshold is None else scale.y(rule.threshold),
        threshold_text=threshold_text(rule),
        marks=_marks(events, scale, span),
        bands=_bands(events, scale, span),
    )


def _nearest(
    series: Sequence[tuple[Labels, Points]], labels: Labels
) -> Sequence[tuple[Labels, Points]]:
    """Return the few series that the alert is most likely about, those that share most first."""

    def shared(found: tuple[Labels, Points]) -> int:
        return -sum(1 for name, value in found[0].pairs if labels.value(name) == value)

    return sorted(series, key=shared)[:SHOWN_LINES]


def _name(labels: Labels, rule: AlertRule) -> str:
    own = labels.without(NAME)
    for name in ("probe", "job", "instance"):
        if own.value(name):
            return own.value(name)
    return ", ".join(value for _, value in own.pairs) or rule.name


def _summary(values: Sequence[float], show: Callable[[float], str]) -> str:
    finite = [value for value in values if not isnan(value)]
    if not finite:
        return "no readings"
    return f"from {show(min(finite))} to {show(max(finite))}, last {show(finite[-1])}"


def _marks(events: Iterable[Event], scale: charts.Scale, span: Span) -> tuple[charts.Mark, ...]:
    return tuple(
        charts.Mark(
            x=scale.x(milliseconds(event.at)),
            kind=_MARKED[event.kind],
            text=f"{event.at:%H:%M:%S} {_marked(event)}",
        )
        for event in events
        if event.kind in _MARKED and span.start_ms <= milliseconds(event.at) <= span.end_ms
    )[:12]


def _marked(event: Event) -> str:
    if event.kind is EventKind.DEPLOY:
        return event.detail.partition(": ")[0]  # the version, without the note
    return WORDS[event.kind].lower()


def _bands(events: Iterable[Event], scale: charts.Scale, span: Span) -> tuple[charts.Band, ...]:
    bands = []
    since: Event | None = None
    for event in events:
        if event.kind is EventKind.MUTED:
            since = since or event
        elif event.kind in (EventKind.UNMUTED, EventKind.RESOLVED) and since is not None:
            bands.append(_band(since, milliseconds(event.at), scale))
            since = None
    if since is not None:
        bands.append(_band(since, span.end_ms, scale))
    return tuple(bands[:6])


def _band(since: Event, end_ms: int, scale: charts.Scale) -> charts.Band:
    x = scale.x(milliseconds(since.at))
    width = max(scale.x(end_ms) - x, 1)
    lasted = format_since(timedelta(milliseconds=end_ms - milliseconds(since.at)))
    return charts.Band(x=x, width=width, kind="muted", text=f"muted for {lasted}")
