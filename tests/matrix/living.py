"""A daemon's life with one fault: healthy, then broken until all is said, then healthy again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stewardmon.clock import SystemClock
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.incident import Incident
from stewardmon.domain.notification import NotificationEvent
from stewardmon.ports import ProbeSpec
from stewardmon.probes import KINDS
from tests.matrix.looking import ALERTS, PROBES, RENEWED, Looked, Tape, Watched
from tests.support.daemon import ONCALL, Daemon, running
from tests.support.unhurried import Forgetful, unhurried
from tests.support.virtual import VirtualClock

# A second is finer than any of the shipped rules needs, and costs thirty times as much.
COARSE: Final = "evaluation_interval: 30s\n" + ALERTS
CALM: Final = timedelta(minutes=2)
SEEN: Final = timedelta(minutes=6)  # by then every rule that a fault concerns is at least pending
LONGEST: Final = timedelta(minutes=80)  # the longest hold of a shipped rule is an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Paged:
    """An incident that paged: severity, its probes' reasons and longest interval, how soon."""

    severity: str
    reasons: frozenset[str]
    interval: timedelta
    took: timedelta
    shown: frozenset[str]
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What became of one fault: who was paged for which alert, what else fired, what stayed."""

    paged: Mapping[str, Paged]
    fired: frozenset[str]
    left: tuple[str, ...]

    @property
    def shown(self) -> frozenset[str]:
        """Return the alerts that fired and paged nobody."""
        return self.fired - frozenset(self.paged)


async def live(
    watched: Watched,
    healthy: Looked,
    broken: Looked,
    after: Looked,
    *,
    ages: frozenset[str] = RENEWED,
    later: timedelta = timedelta(0),
) -> Life:
    """Let a daemon live through it on virtual time; nobody answers.

    `later` is how much later than usual the first alerts may be pending.
    """
    tape = Tape(watched, healthy)
    async with living(tape) as daemon:
        await daemon.after(seconds=CALM.total_seconds())
        assert not alerts(daemon), f"not calm before: {[one.name for one in alerts(daemon)]}"
        began = daemon.clock.now()
        tape.show(broken, ages=ages)
        fired = await _broken(daemon, SEEN + later)
        paged = {_name(one): _paged(daemon, one, broken, began) for one in _told(daemon)}
        tape.show(after)
        left = await _mended(daemon)
    return Life(paged=paged, fired=fired, left=left)


@asynccontextmanager
async def living(
    tape: Tape, *, start: datetime | None = None, beside: str = ""
) -> AsyncIterator[Daemon]:
    """A daemon with the shipped rules over what is on the tape, from `start` (now) on.

    `beside` are probes of kind `heartbeat`, which hear and do not ask: those are real.
    """
    with unhurried():
        async with running(
            probes=PROBES + beside,
            alerts=COARSE,
            oncall=ONCALL,
            clock=VirtualClock(start or SystemClock().now()),
            kinds={**tape.kinds(), "heartbeat": KINDS["heartbeat"]},
            environ=tape.watched.environ,
            history=Forgetful(),
        ) as daemon:
            yield daemon


def alerts(daemon: Daemon) -> list[Alert]:
    """Return the alerts that are pending or firing."""
    rules = daemon.running.live.evaluator.rules()
    found = (one for rule in rules for one in rule.active.values())
    return [one for one in found if one.state in (AlertState.PENDING, AlertState.FIRING)]


async def _broken(daemon: Daemon, seen: timedelta) -> frozenset[str]:
    """Wait until nothing is pending any more; return the alerts that fired meanwhile."""
    fired: set[str] = set()
    began = daemon.clock.now()
    while (passed := daemon.clock.now() - began) < LONGEST:
        await daemon.after(minutes=1)
        now = alerts(daemon)
        fired |= {one.name for one in now if one.state is AlertState.FIRING}
        if passed >= seen and all(one.state is AlertState.FIRING for one in now):
            await daemon.after(minutes=1)  # a warning gathers company before it pages
            break
    return frozenset(fired)


async def _mended(daemon: Daemon) -> tuple[str, ...]:
    """Wait until everything has resolved; return the names of what has not."""
    began = daemon.clock.now()
    responder = daemon.running.live.responder
    while (alerts(daemon) or responder.open()) and daemon.clock.now() - began < LONGEST:
        await daemon.after(minutes=1)
    return (*(one.name for one in alerts(daemon)), *(one.title for one in responder.open()))


def _told(daemon: Daemon) -> Iterator[Incident]:
    heard = {said.incident for _, _, said in daemon.pager.sent}
    return (one for one in daemon.incidents if one.id in heard)


def _paged(daemon: Daemon, incident: Incident, broken: Looked, began: datetime) -> Paged:
    specs = [spec for one in incident.alerts.values() for spec in _behind(one, daemon)]
    pages = [
        said
        for _, _, said in daemon.pager.sent
        if said.incident == incident.id and said.event is NotificationEvent.PAGE
    ]
    return Paged(
        severity=incident.severity,
        reasons=frozenset(broken[spec.name].reason.value for spec in specs),
        interval=max((spec.interval for spec in specs), default=timedelta(0)),
        took=incident.opened_at - began,
        shown=frozenset(incident.symptoms),
        times=len(pages),
    )


def _behind(alert: Alert, daemon: Daemon) -> list[ProbeSpec]:
    """Return the probe that an alert is about, or those of its job."""
    probe, job = alert.labels.value("probe"), alert.labels.value("job")
    specs = daemon.running.live.config.probes
    return [one for one in specs if one.name == probe or (not probe and one.job == job)]


def _name(incident: Incident) -> str:
    return incident.group.value("alertname")
