"""Inhibition: which alert explains which, so that one page names the cause of many symptoms.

Two sources of knowledge: `depends_on` of rules and probes (ours), and inhibition rules with
matchers (Alertmanager's). Either way an alert is explained only by one that is not explained by
it in turn: in a circle the alert that fired first pages, so that there is always a page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.alert import Alert
from stewardmon.domain.labels import Labels, Matcher
from stewardmon.domain.rule import AlertRule

OWN_JOB: Final = "stewardmon"
PATIENCE: Final = timedelta(minutes=1)  # how long a symptom waits for its cause beyond its hold
SETTLE: Final = timedelta(seconds=30)  # after its cause is over, beyond the rule's own window
# Labels that say where something runs: two alerts that disagree on one have nothing to do with
# each other. Others (job, instance, team…) differ between cause and symptom by nature.
SCOPE: Final = frozenset(
    {"environment", "env", "region", "zone", "cluster", "location", "namespace", "tenant"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InhibitRule:
    """Alerts that match `target` page nobody while one that matches `source` fires.

    Both must have the same values for the labels in `equal` (Alertmanager's inhibit_rules).
    """

    name: str
    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()

    def is_source(self, labels: Labels) -> bool:
        """Say whether such an alert explains others."""
        return all(matcher.matches(labels) for matcher in self.source)

    def is_target(self, labels: Labels) -> bool:
        """Say whether such an alert can be explained."""
        return all(matcher.matches(labels) for matcher in self.target)

    def key(self, labels: Labels) -> tuple[str, ...]:
        """Return what source and target must have in common."""
        return tuple(labels.value(name) for name in self.equal)


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What muting knows of a probe: where it looks, what it needs, how long to wait for it.

    `takes` is how long its longest ask may last: what it tells is of a time so long ago.
    """

    name: str
    job: str
    instance: str = ""
    depends_on: tuple[str, ...] = ()
    patience: timedelta = PATIENCE
    takes: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a probe stands: when it last answered, whether well, and when it last failed."""

    success: bool = True
    asked_at: datetime | None = None
    failed_at: datetime | None = None

    def failing(self, now: datetime, *, memory: timedelta) -> bool:
        """Say whether it fails, or did so recently enough to be seen in a window of `memory`."""
        recently = self.failed_at is not None and now - self.failed_at <= memory
        return not self.success or recently


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What each rule, probe and job needs, directly or by way of others.

    `rules` maps rule keys, `probes` probe names and `jobs` jobs to names of rules and probes. A job
    needs what all of its probes need: its alerts may be about any of them.
    """

    rules: Mapping[str, frozenset[str]] = field(default_factory=dict)
    probes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    jobs: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def wanted(self) -> frozenset[str]:
        """Return every name that something needs."""
        return frozenset().union(*self.rules.values(), *self.probes.values())

    def of(self, alert: Alert) -> frozenset[str]:
        """Return the names whose failure explains the alert; never its own rule or probe."""
        probe = alert.labels.value("probe")
        needs = self.rules.get(alert.rule, frozenset())
        if probe:
            needs |= self.probes.get(probe, frozenset())
        else:
            needs |= self.jobs.get(alert.labels.value("job"), frozenset())
        return needs - {alert.name, probe}


def dependencies(rules: Iterable[AlertRule], probes: Iterable[Watched]) -> Dependencies:
    """Return what is needed by what, followed to the end."""
    rules, probes = tuple(rules), tuple(probes)
    direct: dict[str, frozenset[str]] = {}
    named = [(one.name, one.depends_on) for one in rules]
    for name, needs in [*named, *((one.name, one.depends_on) for one in probes)]:
        direct[name] = direct.get(name, frozenset()) | set(needs)
    by_probe = {one.name: _closure(one.depends_on, direct) for one in probes}
    by_job: dict[str, frozenset[str]] = {}
    for one in probes:
        by_job[one.job] = by_job.get(one.job, by_probe[one.name]) & by_probe[one.name]
    return Dependencies(
        rules={one.key: _closure(one.depends_on, direct) for one in rules if one.depends_on},
        probes={name: needs for name, needs in by_probe.items() if needs},
        jobs={job: needs for job, needs in by_job.items() if needs},
    )


def _closure(names: Iterable[str], direct: Mapping[str, frozenset[str]]) -> frozenset[str]:
    found: set[str] = set()
    pending = list(names)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(direct.get(name, ()))
    return frozenset(found)


def scope(labels: Labels) -> Labels:
    """Return the labels that say where the alert's subject runs."""
    return labels.only(*SCOPE)


def compatible(one: Labels, other: Labels) -> bool:
    """Say whether two scopes may be the same place: they agree on every label that both have."""
    return all(other.value(name) in {"", value} for name, value in one.pairs)
