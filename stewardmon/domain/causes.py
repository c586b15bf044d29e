"""The causes at hand: alerts that may explain others, indexed, and the search for the root."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stewardmon.domain.alert import RANK, Alert, AlertState
from stewardmon.domain.inhibition import (
    OWN_JOB,
    PATIENCE,
    SETTLE,
    Dependencies,
    Health,
    InhibitRule,
    Watched,
    compatible,
    scope,
)
from stewardmon.domain.labels import Labels
from stewardmon.domain.muting import Mute, MuteKind

_Group = dict[str, Alert]  # fingerprint → alert
_Place = tuple[bool, tuple[str, ...]]  # also a target?, what source and target have in common


@dataclass(frozen=True, slots=True, kw_only=True)
class Knowledge:
    """What the configuration says about causes.

    `holds` is each rule's hold by key: how long its alerts are pending; `memory` how far back its
    expression looks: for that long after a cause is over its symptoms may still fire. `paging`
    says whether an alert of these labels pages anybody: one that does not stands for no other.
    """

    dependencies: Dependencies = field(default_factory=Dependencies)
    probes: Mapping[str, Watched] = field(default_factory=dict)
    rules: Sequence[InhibitRule] = ()
    holds: Mapping[str, timedelta] = field(default_factory=dict)
    memory: Mapping[str, timedelta] = field(default_factory=dict)
    paging: Callable[[Labels], bool] = lambda _: True


class Causes:
    """Knows the alerts that explain others; `take` keeps it up to date, `why` asks it.

    Answers hold for one instant: they are kept until `now` moves on or an alert changes.
    """

    def __init__(self, knowledge: Knowledge, *, health: Callable[[str, datetime], Health]) -> None:
        self._known = knowledge
        self._health = health
        self._wanted = knowledge.dependencies.wanted
        self._wanted_jobs = {
            knowledge.probes[name].job for name in self._wanted if name in knowledge.probes
        }
        self._by_need: dict[str, _Group] = {}
        self._by_job: dict[str, _Group] = {}
        self._sources: list[dict[_Place, _Group]] = [{} for _ in knowledge.rules]
        self._places: dict[str, list[_Group]] = {}
        self._over: dict[str, datetime] = {}  # causes that have ended, and when
        self._longest = max(knowledge.memory.values(), default=timedelta(0)) + SETTLE
        self._asked_at: datetime | None = None
        self._firing: dict[tuple[str, Labels, int], Alert | None] = {}
        self._roots: dict[str, Alert | None] = {}

    @property
    def known(self) -> bool:
        """Say whether any alert could explain another."""
        return bool(self._known.rules or self._wanted)

    def take(self, alerts: Iterable[Alert], *, gone: Iterable[str] = ()) -> None:
        """Note alerts in their new states (pending, firing, resolved), and forget those `gone`.

        A cause that has ended is remembered for as long as a symptom's window may look back at it.
        """
        for mark in gone:
            if mark not in self._over:
                self._drop(mark)
        if not self.known:
            return
        for alert in alerts:
            self._drop(alert.fingerprint)
            groups = self._groups(alert)
            if groups:
                self._places[alert.fingerprint] = groups
                if alert.state is AlertState.RESOLVED and alert.resolved_at is not None:
                    self._over[alert.fingerprint] = alert.resolved_at
                for group in groups:
                    group[alert.fingerprint] = alert

    def may_explain(self, alert: Alert) -> bool:
        """Say whether anything could ever explain the alert: what does not depend on time."""
        if alert.labels.value("job") == OWN_JOB:
            return False
        if any(rule.is_target(alert.labels) for rule in self._known.rules):
            return True
        return bool(self._known.dependencies.of(alert))

    def why(self, alert: Alert, *, now: datetime) -> Mute | None:
        """Return the cause that keeps the alert from paging at `now`, None where there is none."""
        if now != self._asked_at:
            self._asked_at = now
            self._forget_answers()
            for mark in [one for one, at in self._over.items() if now - at > self._longest]:
                self._drop(mark)
        root = self._root(alert, now)
        if root is not None:
            where = root.labels.value("job") or root.labels.value("instance")
            return Mute(
                kind=MuteKind.INHIBITION,
                by=root.name,
                reason=f"explained by {root.name}{f' ({where})' if where else ''}",
                cause=root.fingerprint,
            )
        waits = (self._wait(alert, need, now) for need in sorted(self._needs(alert)))
        return next((mute for mute in waits if mute is not None), None)

    # The index

    def _groups(self, alert: Alert) -> list[_Group]:
        groups: list[_Group] = []
        labels = alert.labels
        if self._wanted:
            name, probe, job = alert.name, labels.value("probe"), labels.value("job")
            needed = {name, probe} & self._wanted
            of_job = not probe and job in self._wanted_jobs
            if (needed or of_job) and self._known.paging(labels):
                groups += [self._by_need.setdefault(need, {}) for need in needed]
                groups += [self._by_job.setdefault(job, {})] if of_job else []
        if alert.state is AlertState.FIRING:
            for rule, sources in zip(self._known.rules, self._sources, strict=True):
                if rule.is_source(labels):
                    place = (rule.is_target(labels), rule.key(labels))
                    groups.append(sources.setdefault(place, {}))
        return groups

    def _drop(self, mark: str) -> None:
        self._forget_answers()
        self._over.pop(mark, None)
        for group in self._places.pop(mark, ()):
            group.pop(mark, None)

    def _forget_answers(self) -> None:
        if self._firing:
            self._firing.clear()
        if self._roots:
            self._roots.clear()

    # The search

    def _root(self, alert: Alert, now: datetime) -> Alert | None:
        """Return the alert at the end of the causes, None where nothing explains this one."""
        mark = alert.fingerprint
        if mark in self._roots:
            return self._roots[mark]
        found = None
        for cause in self._direct(alert, now):
            if _rank(cause) < _rank(alert) or not self._leads(cause, mark, now):
                found = self._root(cause, now) or cause
                break
        self._roots[mark] = found
        return found

    def _leads(self, start: Alert, mark: str, now: datetime) -> bool:
        """Say whether the causes of `start` lead to the alert `mark`: a circle."""
        seen = {start.fingerprint}
        pending = [start]
        while pending:
            for cause in self._direct(pending.pop(), now):
                if cause.fingerprint == mark:
                    return True
                if cause.fingerprint not in seen:
                    seen.add(cause.fingerprint)
                    pending.append(cause)
        return False

    def _direct(self, alert: Alert, now: datetime) -> list[Alert]:
        """Return the alerts that explain this one by themselves, at most one a reason."""
        if alert.labels.value("job") == OWN_JOB:
            return []
        found = [self._by_rule(place, alert) for place in range(len(self._known.rules))]
        found += [self._by_dependency(alert, need, now) for need in sorted(self._needs(alert))]
        return [cause for cause in found if cause is not None]

    def _by_rule(self, place: int, alert: Alert) -> Alert | None:
        rule = self._known.rules[place]
        if not rule.is_target(alert.labels):
            return None
        # As in Alertmanager: of two alerts that match both sides neither inhibits the other.
        sides = (False,) if rule.is_source(alert.labels) else (False, True)
        groups = (self._sources[place].get((side, rule.key(alert.labels))) for side in sides)
        return next((next(iter(group.values())) for group in groups if group), None)

    def _needs(self, alert: Alert) -> frozenset[str]:
        if alert.labels.value("job") == OWN_JOB:
            return frozenset()
        return self._known.dependencies.of(alert)

    def _by_dependency(self, alert: Alert, need: str, now: datetime) -> Alert | None:
        """Return the firing alert about what is needed, or the one that was just over."""
        memory = self._memory(alert)
        if need in self._known.probes and not self._health(need, now).failing(now, memory=memory):
            return None
        key = (need, scope(alert.labels), RANK.get(alert.severity, 0))
        if key not in self._firing:
            firing = (one for one in self._about(alert, need) if one.state is AlertState.FIRING)
            # One that needs nothing is no part of a circle: it explains whatever it is asked about.
            self._firing[key] = min(
                firing, key=lambda one: (bool(self._needs(one)), _rank(one)), default=None
            )
        cause = self._firing[key]
        if cause is not None and cause.fingerprint != alert.fingerprint:
            return cause
        return next(
            (
                one
                for one in self._about(alert, need)
                if one.resolved_at is not None
                and one.state is AlertState.RESOLVED
                and alert.active_at <= one.resolved_at + self._takes(alert)
                and now - one.resolved_at < memory
            ),
            None,
        )

    def _about(self, alert: Alert, need: str) -> Iterable[Alert]:
        """Return the alerts about a rule or probe that may stand for this one.

        An alert about a probe must be at least as severe: a warning does not stand for a page.
        """
        place = scope(alert.labels)
        probe = self._known.probes.get(need)
        groups = [self._by_need.get(need, {})]
        if probe is not None and probe.job != alert.labels.value("job"):
            groups.append(self._by_job.get(probe.job, {}))
        severity = RANK.get(alert.severity, 0)
        for group in groups:
            for one in group.values():
                named = one.name == need
                severe = named or RANK.get(one.severity, 0) <= severity
                if severe and compatible(place, one.labels) and one.labels != alert.labels:
                    yield one

    def _wait(self, alert: Alert, need: str, now: datetime) -> Mute | None:
        """Let a symptom wait for its cause's page: while that is pending, or not yet looked at."""
        fired_at = alert.fired_at or alert.active_at
        probe = self._known.probes.get(need)
        health = self._health(need, now) if probe is not None else None
        if health is not None and not health.failing(now, memory=timedelta(0)):
            asked = health.asked_at is not None and health.asked_at >= alert.active_at
            patience = timedelta(0) if asked or probe is None else probe.patience
            why = f"{need} has not been asked since this began"
            return _waiting(need, why) if now - fired_at < patience else None
        for one in self._about(alert, need):
            hold = self._known.holds.get(one.rule, timedelta(0))
            if one.state is AlertState.PENDING and now - fired_at < hold + PATIENCE:
                return _waiting(need, f"{one.name} is about to fire and would explain it")
        if health is not None and now - fired_at < PATIENCE:
            return _waiting(need, f"the probe {need} fails and would explain it")
        return None

    def _takes(self, alert: Alert) -> timedelta:
        """Return how long ago the alert's probe may have begun to ask what it tells now."""
        probe = self._known.probes.get(alert.labels.value("probe"))
        return probe.takes if probe is not None else timedelta(0)

    def _memory(self, alert: Alert) -> timedelta:
        return self._known.memory.get(alert.rule, timedelta(0)) + SETTLE


def _waiting(need: str, reason: str) -> Mute:
    return Mute(kind=MuteKind.CAUSE_PENDING, by=need, reason=reason)


def _rank(alert: Alert) -> tuple[datetime, str]:
    """Return the order in which alerts of a circle are causes: the one that fired first leads."""
    return (alert.fired_at or alert.active_at, alert.fingerprint)
