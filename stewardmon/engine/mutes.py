"""Which alerts must not page now, and why: silences, maintenance, causes, our own connection."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from stewardmon.clock import from_milliseconds, milliseconds
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.causes import Causes, Knowledge
from stewardmon.domain.inhibition import OWN_JOB, SETTLE, Health
from stewardmon.domain.labels import NAME, Matcher, Op
from stewardmon.domain.maintenance import Maintenance
from stewardmon.domain.muting import Mute, MuteKind
from stewardmon.domain.offline import Connectivity, Outside, judge
from stewardmon.domain.outcome import Outcome
from stewardmon.domain.series import SeriesStore, is_stale
from stewardmon.domain.silence import Silence, SilenceState
from stewardmon.engine.watch import Seen

DOUBTED_FOR: Final = timedelta(minutes=30)  # longer than any rule's window is minded for


@dataclass(frozen=True, slots=True)
class _Standing:
    """What could mute an alert, whatever the time: found once, until the configuration changes."""

    silences: tuple[Silence, ...]
    windows: tuple[Maintenance, ...]
    explained: bool
    watched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteRules:
    """What the configuration says about muting."""

    knowledge: Knowledge = field(default_factory=Knowledge)
    windows: tuple[Maintenance, ...] = ()


class Mutes:
    """The responder's Muting. `saw` keeps it up to date; `why` answers fast for many alerts.

    Most alerts can be muted by nothing: that is found once each, and then costs one look-up.
    """

    def __init__(self, series: SeriesStore, latest: Callable[[], Mapping[str, Seen]]) -> None:
        self._probes = ProbeHistory(series)
        self._latest = latest
        self._alerts: dict[str, Alert] = {}
        self._silences: tuple[Silence, ...] = ()
        self._set_windows: tuple[Maintenance, ...] = ()
        self._rules = MuteRules()
        self._causes = Causes(Knowledge(), health=self._probes.health)
        self._outside = Outside()
        self._idle: set[str] = set()  # fingerprints of alerts that nothing could mute
        self._mutable: dict[str, _Standing] = {}
        self._fresh: list[Alert] = []  # firing, not looked at yet
        self._nothing = True  # that could mute any alert
        self._doubted = False  # whether our own line was cut lately
        self._asked_at: datetime | None = None
        self._open: dict[str, datetime] = {}
        self._offline_at: datetime | None = None
        self._remembers = False
        self.connectivity = Connectivity()

    def change(self, rules: MuteRules) -> None:
        """Judge by this configuration from now on."""
        self._rules = rules
        self._outside = Outside.of(rules.knowledge.probes.values())
        self._causes = Causes(rules.knowledge, health=self._probes.health)
        self._causes.take(self._alerts.values())
        self._forget()

    def set_silences(self, silences: Iterable[Silence]) -> None:
        """Take the silences that are not over."""
        self._silences = tuple(silences)
        self._forget()

    def set_windows(self, windows: Iterable[Maintenance]) -> None:
        """Take the maintenance windows that were opened at run time."""
        self._set_windows = tuple(windows)
        self._forget()

    @property
    def windows(self) -> tuple[Maintenance, ...]:
        """Return the maintenance windows of the files and those of the run time."""
        return (*self._rules.windows, *self._set_windows)

    def saw(self, changed: Sequence[Alert], *, gone: Sequence[str] = ()) -> None:
        """Note alerts in their new states, and those that are no more."""
        for mark in gone:
            self._alerts.pop(mark, None)
            self._forget_one(mark)
        for alert in changed:
            mark = alert.fingerprint
            self._alerts[mark] = alert
            if alert.state is AlertState.FIRING:
                self._fresh.append(alert)
            else:
                self._forget_one(mark)
        self._causes.take(changed, gone=gone)

    def why(self, alert: Alert, *, now: datetime) -> Mute | None:
        """Return why the alert pages nobody at `now`, None where it may."""
        standing = self._stand(alert)
        if standing is None:
            return None
        if now != self._asked_at:
            self._look(now)
        return self._judge(alert, standing, now)

    def cause(self, alert: Alert, *, now: datetime) -> Mute | None:
        """Return what explains the alert at `now`, whether or not something else mutes it too."""
        standing = self._stand(alert)
        if standing is None or not standing.explained:
            return None
        return self._causes.why(alert, now=now)

    def among(self, firing: Mapping[str, Alert], *, now: datetime) -> dict[str, Mute]:
        """Return those of the firing alerts (all that were seen) that are muted at `now`."""
        if now != self._asked_at:
            self._look(now)
        for alert in self._fresh:
            if alert.fingerprint in firing:
                self._stand(alert)
        self._fresh.clear()
        found = {}
        for mark, standing in self._mutable.items():
            if mark not in firing:
                continue
            mute = self._judge(firing[mark], standing, now)
            if mute is not None:
                found[mark] = mute
        return found

    def _stand(self, alert: Alert) -> _Standing | None:
        """Return what could mute the alert, found once; None where nothing could."""
        if self._nothing:
            return None
        mark = alert.fingerprint
        if mark in self._idle:
            return None
        standing = self._mutable.get(mark)
        if standing is None:
            standing = self._find(alert)
            if standing is None:
                self._idle.add(mark)
            else:
                self._mutable[mark] = standing
        return standing

    def _forget_one(self, mark: str) -> None:
        self._idle.discard(mark)
        self._mutable.pop(mark, None)

    def _judge(self, alert: Alert, standing: _Standing, now: datetime) -> Mute | None:
        for silence in standing.silences:
            if silence.state(now) is SilenceState.ACTIVE:
                return Mute(kind=MuteKind.SILENCE, by=silence.id, reason=silence.described())
        for window in standing.windows:
            until = self._open.get(window.id)
            if until is not None:
                reason = f"until {until:%Y-%m-%d %H:%M:%S} UTC"
                return Mute(kind=MuteKind.MAINTENANCE, by=window.name, reason=reason)
        if standing.watched and self._is_ours(alert, now):
            reason = "no probe reaches anything beyond this machine"
            return Mute(kind=MuteKind.OFFLINE, by="connectivity", reason=reason)
        return self._causes.why(alert, now=now) if standing.explained else None

    def _is_ours(self, alert: Alert, now: datetime) -> bool:
        """Say whether the alert is only our own cut line: now, or in what its rule still sees."""
        ended = self._offline_at
        if ended is None or alert.active_at > ended or now - ended >= self._memory(alert):
            return False
        return self.connectivity.concerns(alert.labels)

    def _memory(self, alert: Alert) -> timedelta:
        return self._rules.knowledge.memory.get(alert.rule, timedelta(0)) + SETTLE

    def _find(self, alert: Alert) -> _Standing | None:
        labels = alert.labels
        own = labels.value("job") == OWN_JOB
        found = _Standing(
            silences=tuple(one for one in self._silences if one.accepts(labels)),
            windows=() if own else tuple(one for one in self.windows if one.accepts(labels)),
            explained=self._causes.may_explain(alert),
            # Only our own rules see the world through our line.
            watched=self._doubted and not own and alert.rule in self._rules.knowledge.holds,
        )
        idle = not (found.silences or found.windows or found.explained or found.watched)
        return None if idle else found

    def look(self, now: datetime) -> Connectivity:
        """Judge again what changes with time alone: open windows, our own connection."""
        if now != self._asked_at:
            self._look(now)
        return self.connectivity

    def _look(self, now: datetime) -> None:
        self._asked_at = now
        spans = ((window.id, window.span.until(now)) for window in self.windows)
        self._open = {ident: until for ident, until in spans if until is not None}
        self.connectivity = judge(self._outside, self._outcome)
        if not self._remembers:
            self._remembers = True
            self._offline_at = self._probes.offline_at(now)
        if self.connectivity.offline:
            self._offline_at = now
        doubted = self._offline_at is not None and now - self._offline_at < DOUBTED_FOR
        if doubted != self._doubted:
            self._doubted = doubted
            self._look_anew()

    def _outcome(self, probe: str) -> Outcome | None:
        seen = self._latest().get(probe)
        return seen.outcome if seen is not None else None

    def _forget(self) -> None:
        self._look_anew()
        self._asked_at = None

    def _look_anew(self) -> None:
        self._nothing = not (self._silences or self.windows or self._doubted or self._causes.known)
        self._idle.clear()
        self._mutable.clear()
        self._fresh = [one for one in self._alerts.values() if one.state is AlertState.FIRING]


class ProbeHistory:
    """How probes stand, read from the series that they left: true after a restart too."""

    def __init__(self, series: SeriesStore) -> None:
        self._series = series
        self._asked_at: datetime | None = None
        self._known: dict[str, Health] = {}

    def health(self, probe: str, now: datetime) -> Health:
        """Return how a probe stands at `now`; one that never answered is taken to be well."""
        if now != self._asked_at:
            self._asked_at = now
            self._known.clear()
        if probe not in self._known:
            self._known[probe] = self._read(probe, now)
        return self._known[probe]

    def offline_at(self, now: datetime) -> datetime | None:
        """Return when we were last offline, as a former process saw it; None where it was not."""
        matchers = (Matcher(NAME, Op.EQUAL, "stewardmon_offline"),)
        seen = [
            at_ms
            for series in self._series.select(matchers)
            for at_ms, value in zip(series.times, series.values, strict=True)
            if value == 1.0 and at_ms <= milliseconds(now)
        ]
        return _at(max(seen, default=0))

    def _read(self, probe: str, now: datetime) -> Health:
        matchers = (Matcher(NAME, Op.EQUAL, "probe_success"), Matcher("probe", Op.EQUAL, probe))
        until = milliseconds(now)
        newest, success, failed = 0, True, 0
        for series in self._series.select(matchers):
            for at_ms, value in zip(reversed(series.times), reversed(series.values), strict=True):
                if at_ms > until or is_stale(value):
                    continue
                if at_ms > newest:
                    newest, success = at_ms, value == 1.0
                if value != 1.0:
                    failed = max(failed, at_ms)
                    break
        return Health(success=success, asked_at=_at(newest), failed_at=_at(failed))


def _at(at_ms: int) -> datetime | None:
    return from_milliseconds(at_ms) if at_ms else None
