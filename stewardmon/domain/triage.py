"""Triage: which incident each alert belongs to, when one opens, reopens, is muted or over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from stewardmon.domain import escalation
from stewardmon.domain.alert import RANK, Alert
from stewardmon.domain.answers import By, resolve
from stewardmon.domain.incident import Event, EventKind, Incident, IncidentState, Members
from stewardmon.domain.labels import Labels
from stewardmon.domain.muting import Mute
from stewardmon.domain.oncall import Roster
from stewardmon.domain.policy import Policy
from stewardmon.domain.route import Route, route_for
from stewardmon.domain.step import Step, still

NAMED_AT_MOST: Final = 5  # alerts named one by one in a timeline line


@dataclass(frozen=True, slots=True, kw_only=True)
class Flapping:
    """What makes an outage that comes back the same incident, and when it is only flapping.

    One that comes back within `reopen_within` of its end is the same incident; after more than
    `limit` returns one summary page is sent, and then none until it has fired for `reopen_within`
    without a break.
    """

    reopen_within: timedelta = timedelta(minutes=2)
    limit: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """The configuration that decisions about incidents need, as one value."""

    routes: tuple[Route, ...] = ()
    policies: Mapping[str, Policy] = field(default_factory=dict)
    roster: Roster = field(default_factory=Roster)
    flapping: Flapping = field(default_factory=Flapping)
    levels: Mapping[str, int] = field(default_factory=dict)  # a rule's key → where it starts


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Firing alerts of one group that no incident holds yet."""

    route: Route
    group: Labels
    alerts: tuple[Alert, ...]

    @property
    def key(self) -> str:
        """Return the group's key: the same for every alert that belongs together."""
        return f"{self.route.name}:{self.group!r}"


def arrivals(alerts: Iterable[Alert], routes: Sequence[Route]) -> tuple[Arrival, ...]:
    """Return firing alerts by the incident group they belong to, less those no route wants."""
    groups: dict[tuple[str, object], list[Alert]] = defaultdict(list)
    by_name: dict[str, Route] = {}
    for alert in alerts:
        route = route_for(alert.labels, routes)
        if route is not None:
            by_name[route.name] = route
            groups[route.name, route.group_key(alert.labels)].append(alert)
    return tuple(
        Arrival(
            route=by_name[name],
            group=by_name[name].group(members[0].labels),
            alerts=tuple(members),
        )
        for (name, _), members in groups.items()
    )


def admit(arrival: Arrival, known: Incident | None, *, book: Book, now: datetime) -> Step:
    """Open, reopen or join: `known` is the group's newest incident, where there is one."""
    if known is not None and known.open:
        return _join(known, arrival, now=now)
    if known is not None and _is_the_same(known, book.flapping, now):
        return _reopen(known, arrival, book=book, now=now)
    return _open(arrival, book=book, now=now)


def depart(incident: Incident, over: Sequence[Alert], *, flapping: Flapping, now: datetime) -> Step:
    """Let resolved alerts leave; with the last one the incident is over, and people are told."""
    gone = {alert.fingerprint for alert in over}
    left = {mark: alert for mark, alert in incident.alerts.items() if mark not in gone}
    if len(left) == len(incident.alerts):
        return still(incident)
    event = Event(incident=incident.id, at=now, kind=EventKind.LEFT, detail=_names(over))
    moved = Step(incident=replace(incident, alerts=left), events=(event,))
    if left or not incident.open:
        return moved
    by = By(who="stewardmon", at=now, reason="no alert fires any more")
    last = replace(incident, alerts={})
    told = incident.flips <= flapping.limit
    ended = Step(incident=last, events=(event,)).then(lambda one: resolve(one, by, told=told))
    return ended if told else escalation.tell_later(ended, at=now + flapping.reopen_within)


def mute(incident: Incident, mutes: Mapping[str, Mute], *, now: datetime) -> Step:
    """Rest while every firing alert is muted; when that ends, the matrix begins anew."""
    if not incident.open or not incident.alerts:
        return still(incident)
    first = mutes.get(next(iter(incident.alerts)))
    if first is not None and all(mark in mutes for mark in incident.alerts):
        if incident.muted_by:
            return still(incident)
        event = Event(incident=incident.id, at=now, kind=EventKind.MUTED, detail=str(first))
        muted = replace(incident, muted_by=str(first))
        return escalation.settled(
            Step(incident=muted, events=(event,), cancels=f"muted by {first}")
        )
    if not incident.muted_by:
        return still(incident)
    event = Event(incident=incident.id, at=now, kind=EventKind.UNMUTED, detail=incident.muted_by)
    heard = replace(incident, muted_by="")
    if incident.state is IncidentState.OPEN:
        heard = escalation.begin_again(heard, now=now)
    return escalation.settled(Step(incident=heard, events=(event,)))


def symptom(incident: Incident, alert: Alert, why: Mute, *, now: datetime) -> Step:
    """Show an alert that this incident's cause explains, without paging anybody for it."""
    line = f"{alert.name} {alert.labels.value('job') or alert.labels.value('instance')}".strip()
    if line in incident.symptoms:
        return still(incident)
    event = Event(
        incident=incident.id, at=now, kind=EventKind.SYMPTOM, detail=f"{line}: {why.reason}"
    )
    return Step(incident=replace(incident, symptoms=(*incident.symptoms, line)), events=(event,))


def _is_the_same(known: Incident, flapping: Flapping, now: datetime) -> bool:
    ended = known.resolved_at
    return ended is not None and now - ended < flapping.reopen_within


def _join(incident: Incident, arrival: Arrival, *, now: datetime) -> Step:
    members = Members.grown(incident.alerts, _by_fingerprint(arrival.alerts))
    event = Event(
        incident=incident.id, at=now, kind=EventKind.JOINED, detail=_names(arrival.alerts)
    )
    joined = Step(incident=replace(incident, alerts=members), events=(event,))
    severity = _worst((incident.severity, *(alert.severity for alert in arrival.alerts)))
    if severity == incident.severity:
        return joined
    return joined.then(lambda one: _raise(one, severity, arrival.route, now=now))


def _raise(incident: Incident, severity: str, route: Route, *, now: datetime) -> Step:
    """Begin the matrix anew: whoever waited for, or acknowledged, the lesser does not know this."""
    taken = f"; {incident.acknowledged_by} had the lesser" if incident.acknowledged_by else ""
    event = Event(
        incident=incident.id,
        at=now,
        kind=EventKind.RAISED,
        detail=f"from {incident.severity} to {severity}{taken}",
    )
    worse = replace(incident, severity=severity)
    again = escalation.begin_again(worse, now=now + route.wait(severity))
    return escalation.settled(Step(incident=again, events=(event,)))


def _reopen(known: Incident, arrival: Arrival, *, book: Book, now: datetime) -> Step:
    flips = known.flips + 1
    again = escalation.begin_again(known, now=now)
    again = replace(
        again,
        alerts=_by_fingerprint(arrival.alerts),
        flips=flips,
        resolved_at=None,
        resolved_by="",
        symptoms=(),
    )
    event = Event(incident=known.id, at=now, kind=EventKind.REOPENED, detail=_names(arrival.alerts))
    if flips <= book.flapping.limit:
        return escalation.settled(Step(incident=again, events=(event,)))
    steady = book.flapping.reopen_within
    if flips > book.flapping.limit + 1:
        quiet = replace(again, base_at=now + steady)
        return escalation.settled(Step(incident=quiet, events=(event,)))
    detail = (
        f"came back {flips} times: this is the last page until it has fired for "
        f"{steady.total_seconds():.0f} s without a break"
    )
    flaps = Event(incident=known.id, at=now, kind=EventKind.FLAPPING, detail=detail)
    return escalation.settled(Step(incident=again, events=(event, flaps)))


def _open(arrival: Arrival, *, book: Book, now: datetime) -> Step:
    severity = _worst(alert.severity for alert in arrival.alerts)
    starts = [book.levels[alert.rule] for alert in arrival.alerts if alert.rule in book.levels]
    policy = book.policies[arrival.route.policy].narrowed(
        levels=arrival.route.levels, start=min(starts) if starts else None
    )
    incident = Incident(
        id=_identity(arrival.key, now),
        group_key=arrival.key,
        group=arrival.group,
        title=_title(arrival),
        severity=severity,
        state=IncidentState.OPEN,
        opened_at=now,
        base_at=now + arrival.route.wait(severity),
        policy=policy,
        alerts=_by_fingerprint(arrival.alerts),
    )
    event = Event(
        incident=incident.id, at=now, kind=EventKind.OPENED, detail=_names(arrival.alerts)
    )
    nobody = Event(
        incident=incident.id,
        at=now,
        kind=EventKind.EXHAUSTED,
        detail=f"policy {policy.name} has no levels: nobody is paged",
    )
    events = (event,) if policy.levels else (event, nobody)
    return escalation.settled(Step(incident=incident, events=events))


def _identity(key: str, now: datetime) -> str:
    """Return an id that a replayed decision would choose again, sorted by day for people."""
    digest = blake2b(f"{key}@{now.isoformat()}".encode(), digest_size=5).hexdigest()
    return f"{now:%Y%m%d}-{digest}"


def _title(arrival: Arrival) -> str:
    """Return the alert's name, and where it is when all members agree on that."""
    name = arrival.group.value("alertname") or arrival.alerts[0].name
    jobs = {alert.labels.value("job") for alert in arrival.alerts}
    where = next(iter(jobs)) if len(jobs) == 1 else ""
    return f"{name} ({where})" if where else name


def _by_fingerprint(alerts: Iterable[Alert]) -> Members:
    return Members((alert.fingerprint, alert) for alert in alerts)


def _shown(labels: Labels) -> str:
    inside = ", ".join(f'{name}="{value}"' for name, value in labels.pairs if name != "severity")
    return f"{{{inside}}}"


def _names(alerts: Sequence[Alert]) -> str:
    shown = ", ".join(_shown(alert.labels) for alert in alerts[:NAMED_AT_MOST])
    more = len(alerts) - NAMED_AT_MOST
    return f"{shown} and {more} more" if more > 0 else shown


def _worst(severities: Iterable[str]) -> str:
    return min(severities, key=lambda severity: RANK.get(severity, 0))
