"""Alerts that other programs send: Prometheus and amtool, in Alertmanager's terms."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from stewardmon.domain.alert import ALERT_NAME, Alert, AlertState
from stewardmon.domain.labels import Labels

EXTERNAL: Final = "external/"  # the rule of alerts that came in over an interface
RESOLVE_TIMEOUT: Final = timedelta(minutes=5)  # Alertmanager's default resolve_timeout
NOTHING: Final = Labels()


class Posted(NamedTuple):
    """One alert as it was sent; times are None where the sender left them out."""

    labels: Labels
    annotations: Labels = NOTHING
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    generator_url: str = ""


def is_external(alert: Alert) -> bool:
    """Say whether the alert came in over an interface, not from a rule of ours."""
    return alert.rule.startswith(EXTERNAL)


def lasts(posted: Posted, now: datetime) -> datetime:
    """Return when the alert ends unless it is sent again: its own end, or some time from now."""
    return posted.ends_at or _timeout(now)


@lru_cache(maxsize=1)
def _timeout(now: datetime) -> datetime:
    """Return when what came now ends: one value for all that came together."""
    return now + RESOLVE_TIMEOUT


@lru_cache(maxsize=1024)
def _rule(name: str) -> str:
    """Return the rule of alerts of that name: one text for them all."""
    return EXTERNAL + name


def heard(posted: Posted, known: Alert | None, *, now: datetime) -> Alert | None:
    """Return the alert after it was sent (again); None where there is nothing to know.

    Without an end it lasts `RESOLVE_TIMEOUT` from now; an end that has come resolves it. What was
    never known and is over already is nobody's concern.
    """
    ends_at = lasts(posted, now)
    running = known if known is not None and known.state is AlertState.FIRING else None
    if ends_at <= now:
        return None if running is None else over(running, at=ends_at, now=now)
    if running is not None:
        return replace(
            running,
            annotations=posted.annotations,
            generator_url=posted.generator_url,
            ends_at=ends_at,
        )
    return Alert(
        rule=_rule(posted.labels.value(ALERT_NAME)),
        labels=posted.labels,
        origin=posted.labels,
        annotations=posted.annotations,
        state=AlertState.FIRING,
        value=1.0,
        active_at=min(posted.starts_at or now, now),
        fired_at=now,
        generator_url=posted.generator_url,
        ends_at=ends_at,
    )


def over(alert: Alert, *, at: datetime, now: datetime) -> Alert:
    """Return the alert resolved: at the end that its sender named, never in the future."""
    ended = min(max(at, alert.active_at), now)
    return replace(alert, state=AlertState.RESOLVED, resolved_at=ended, ends_at=ended)
