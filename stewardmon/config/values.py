"""What a configuration is once it has been read: frozen, checked, ready to be built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from stewardmon.domain.inhibition import InhibitRule
from stewardmon.domain.maintenance import Maintenance
from stewardmon.domain.oncall import Roster
from stewardmon.domain.policy import Policy
from stewardmon.domain.route import Route
from stewardmon.domain.rule import AlertRule, RuleGroup
from stewardmon.domain.triage import Flapping
from stewardmon.engine.office import Office
from stewardmon.ports import ChannelSpec, ProbeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All three files, and what was said about them.

    `warnings` are sentences with their places; `digest` changes whenever a file, or a variable
    that a file names, does: what a reload compares.
    """

    probes: tuple[ProbeSpec, ...]
    groups: tuple[RuleGroup, ...]
    channels: tuple[ChannelSpec, ...]
    roster: Roster
    policies: Mapping[str, Policy]
    routes: tuple[Route, ...]
    inhibit_rules: tuple[InhibitRule, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    flapping: Flapping = field(default_factory=Flapping)
    reports: Office = field(default_factory=Office)
    evaluation_interval: timedelta = timedelta(seconds=1)
    external_labels: Mapping[str, str] = field(default_factory=dict)
    retention_raw: timedelta = timedelta(days=30)
    retention_rollups: timedelta = timedelta(days=400)
    files: tuple[Path, ...] = ()
    digest: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def rules(self) -> tuple[AlertRule, ...]:
        """Return the alerting rules of all groups."""
        return tuple(
            rule for group in self.groups for rule in group.rules if isinstance(rule, AlertRule)
        )
