"""Rules as the engine runs them: one shape for short conditions and for Prometheus' groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from stewardmon.domain.labels import Labels

ZERO = timedelta(0)


class NoData(StrEnum):
    """What missing data does to an alert that fires."""

    KEEP = "keep"
    ALERT = "alert"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """When to worry: a PromQL expression, a hold time, labels and annotations.

    `subject`, `threshold`, `comparison` and `unit` describe the expression's first comparison, for
    messages and charts. `condition` is the short spelling where the rule was written so, `also` a
    second one that must hold too.
    `source` is `file:line`. `twin` counts the rules before this one that share its name and labels
    within the group, as Prometheus allows.
    """

    name: str
    expr: str
    group: str
    hold: timedelta = ZERO
    keep_firing_for: timedelta = ZERO
    labels: Labels = field(default_factory=Labels)
    annotations: tuple[tuple[str, str], ...] = ()
    condition: str | None = None
    also: str | None = None
    clear_expr: str | None = None
    no_data: NoData = NoData.RESOLVE
    depends_on: tuple[str, ...] = ()
    level: int | None = None
    subject: str | None = None
    comparison: str | None = None
    threshold: float | None = None
    unit: str = ""
    window: timedelta | None = None
    source: str = ""
    twin: int = 0

    @property
    def key(self) -> str:
        """Return the identity by which state is carried over a reload or a restart."""
        return f"{self.group}/{self.name}/{self.labels.fingerprint()}{_twin(self.twin)}"

    @property
    def written(self) -> str:
        """Return when it fires, as somebody wrote it: the short condition, else the PromQL."""
        if self.condition is None:
            return self.expr
        return f"{self.condition}, and {self.also}" if self.also else self.condition

    @property
    def severity(self) -> str:
        """Return the static severity; `critical` where the rule names none."""
        return self.labels.value("severity") or "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingRule:
    """A series computed from others under a name of its own."""

    name: str
    expr: str
    group: str
    labels: Labels = field(default_factory=Labels)
    source: str = ""
    twin: int = 0

    @property
    def key(self) -> str:
        """Return the identity by which state is carried over a reload."""
        return f"{self.group}/{self.name}/{self.labels.fingerprint()}{_twin(self.twin)}"


def _twin(number: int) -> str:
    return f"/{number + 1}" if number else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """Rules that are evaluated together, in order, at one instant.

    `interval` is zero where the daemon's evaluation interval holds; `limit` zero is no limit.
    """

    name: str
    rules: tuple[AlertRule | RecordingRule, ...]
    interval: timedelta = ZERO
    limit: int = 0
    query_offset: timedelta = ZERO
    labels: Labels = field(default_factory=Labels)
    source: str = ""
