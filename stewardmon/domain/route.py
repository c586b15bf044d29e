"""Routes: which policy an alert's incident follows, and what it is grouped with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from stewardmon.domain.labels import Labels, Matcher

DEFAULT_GROUP_BY: Final = ("alertname",)
GROUP_WAIT: Final = timedelta(seconds=30)  # Alertmanager's default; never for critical alerts


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Alerts that match go to `policy`, restricted to `levels` where any are named.

    `group_wait` None means the default: none for critical alerts, GROUP_WAIT for others.
    `group_by` of `("...",)` puts every alert into an incident of its own.
    """

    name: str
    policy: str
    matchers: tuple[Matcher, ...] = ()
    levels: tuple[int, ...] = ()
    group_by: tuple[str, ...] = DEFAULT_GROUP_BY
    group_wait: timedelta | None = None

    def accepts(self, labels: Labels) -> bool:
        """Say whether the alert's labels meet every matcher."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def group(self, labels: Labels) -> Labels:
        """Return the labels that the alert shares with its whole incident."""
        return labels if self.group_by == ("...",) else labels.only(*self.group_by)

    def group_key(self, labels: Labels) -> object:
        """Return what is equal for alerts of one group, without making their shared labels."""
        if self.group_by == ("...",):
            return labels
        return tuple(labels.value(name) for name in self.group_by)

    def wait(self, severity: str) -> timedelta:
        """Return how long a new incident gathers alerts before its first page."""
        if self.group_wait is not None:
            return self.group_wait
        return timedelta(0) if severity == "critical" else GROUP_WAIT


def route_for(labels: Labels, routes: Sequence[Route]) -> Route | None:
    """Return the first route that accepts the labels, None where no route does."""
    for route in routes:
        if not route.matchers or route.accepts(labels):
            return route
    return None
