"""Gathers evidence for pages, ahead of them and beside them: no page ever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

import structlog

from stewardmon.clock import from_milliseconds, milliseconds
from stewardmon.domain import evidence
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.display import format_since
from stewardmon.domain.evidence import Reading, Sighting
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.labels import NAME, Labels, Matcher, Op
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.runbooks import topic
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.step import Step
from stewardmon.engine.responder import Responder
from stewardmon.engine.watch import Seen, Target
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock, Witness
from stewardmon.promql import Engine, Plan, Vector, plan

log = structlog.get_logger()

BOUND: Final = 2.0  # seconds that witnesses have, all at once
AHEAD: Final = timedelta(seconds=5)  # how long before an alert fires its evidence is gathered
FRESH_FOR: Final = timedelta(seconds=10)  # how long one gathering serves: a storm asks once
KNOWN_FOR: Final = timedelta(seconds=1)  # how long what memory says is not looked up again
DEEPEST: Final = "postgres_depth"  # the kind whose role may see all of a database
WITNESSES: Final = 3  # asked at once for one page
LONGEST_WAIT: Final = 1.0  # seconds
REMEMBERED: Final = 1000  # incidents


@dataclass(frozen=True, slots=True)
class Gathered:
    """Lines, and when they were complete."""

    at: datetime
    lines: tuple[str, ...]


class Gatherer:
    """Answers at once with what is known; asks further what has to be asked, within BOUND.

    An alert that waits out its `for` is heard of before it fires: by then the witnesses have been
    asked. What comes later than the page goes to the incident's timeline and to later messages.
    """

    def __init__(
        self,
        responder: Responder,
        clock: Clock,
        *,
        series: SeriesStore,
        latest: Callable[[], Mapping[str, Seen]],
        targets: Callable[[], Mapping[str, Target]],
        beat: Callable[[], None] = lambda: None,
        bug: Callable[[str, Exception], None] = lambda _name, _error: None,
    ) -> None:
        self._responder = responder
        self._clock = clock
        self._series = series
        self._engine = Engine(series)
        self._latest = latest
        self._targets = targets
        self._beat = beat
        self._bug = bug
        self._news = asyncio.Event()
        self.rules: Mapping[str, AlertRule] = {}
        self._waiting: dict[str, tuple[str, datetime]] = {}  # pending alerts: list, firing time
        self._fresh: dict[str, Gathered] = {}  # by list, from witnesses
        self._known: dict[str, Gathered] = {}  # by list, from memory
        self._asking: set[str] = set()
        self._asked: set[str] = set()  # witnesses that have not answered yet
        self._told: dict[str, tuple[int, tuple[str, ...]]] = {}  # incident: its return, lines
        self._unwritten: dict[str, datetime] = {}  # incidents whose evidence is still to come

    # What others tell

    def saw(self, changed: Sequence[Alert], *, gone: Sequence[Alert] = ()) -> None:
        """Note alerts that wait, so that what they need is asked for before they fire."""
        for alert in changed:
            rule = self.rules.get(alert.rule)
            if alert.state is AlertState.PENDING and rule is not None:
                place = (self._topic(alert), alert.active_at + rule.hold)
                self._waiting[alert.fingerprint] = place
                self._news.set()
            else:
                self._waiting.pop(alert.fingerprint, None)
        for alert in gone:
            self._waiting.pop(alert.fingerprint, None)

    def heard(self, step: Step) -> None:
        """Note an incident that has just opened, and is durable."""
        begun = {EventKind.OPENED, EventKind.REOPENED}
        if step.incident.alerts and any(event.kind in begun for event in step.events):
            self._unwritten[step.incident.id] = self._clock.now()
            self._news.set()

    def of(self, incident: Incident) -> tuple[str, ...]:
        """Return what can be said at once: for the message that is being written."""
        flips, lines = self._told.get(incident.id, (-1, ()))
        if flips == incident.flips or not incident.alerts:
            return lines
        try:
            lines = self._at_once(next(iter(incident.alerts.values())))
        except Exception as error:  # noqa: BLE001 - a bug here must not cost the page
            self._bug("evidence", error)
            return ()
        self._told[incident.id] = (incident.flips, lines)
        return lines

    # The loop

    async def run(self) -> None:
        """Run until cancelled."""
        await self._restore()
        self._asking.clear()
        self._asked.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                self._news.clear()
                for name in self._wanted():
                    self._asking.add(name)
                    group.create_task(self._ask(name, group), name=f"evidence:{name}")
                await self._write()
                self._beat()
                await self._clock.wait(self._news, LONGEST_WAIT)

    async def _restore(self) -> None:
        """Take up what was written for open incidents; one without any is gathered for now."""
        for incident in self._responder.open():
            if incident.id in self._told or not incident.alerts:
                continue
            try:
                events = await self._responder.ledger.store.events(incident.id)
            except StewardmonError as error:
                log.warning("evidence_unreadable", incident=incident.id, error=str(error))
                continue
            lines = [
                line
                for event in events
                if event.kind is EventKind.EVIDENCE
                for line in event.detail.splitlines()
            ]
            if lines:
                self._told[incident.id] = (incident.flips, tuple(lines))
            else:
                self._unwritten[incident.id] = self._clock.now()

    def _wanted(self) -> set[str]:
        """Return the lists whose witnesses should be asked now."""
        now = self._clock.now()
        soon = {name for name, fires_at in self._waiting.values() if fires_at - now <= AHEAD}
        soon |= {self._topic_of(ident) for ident in self._unwritten}
        return {name for name in soon if name not in self._asking and not self._is_fresh(name, now)}

    async def _ask(self, name: str, group: asyncio.TaskGroup) -> None:
        """Ask every witness of a list at once; who has not answered in time is named."""
        tasks = {
            group.create_task(self._hear(probe, witness, name), name=f"witness:{probe}"): probe
            for probe, witness in self._witnesses(name)
        }
        late: set[asyncio.Task[tuple[str, ...]]] = set()
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=BOUND)
        lines: list[str] = []
        for task, probe in tasks.items():
            if task in late:
                task.cancel()
                lines.append(f"{probe} could not be asked: no answer within {BOUND:g} s")
            else:
                lines += task.result()
        self._fresh[name] = Gathered(self._clock.now(), evidence.shown(lines))
        self._asking.discard(name)
        self._news.set()

    async def _hear(self, probe: str, witness: Witness, name: str) -> tuple[str, ...]:
        self._asked.add(probe)
        try:
            return await witness.testify(name)
        except Exception as error:  # noqa: BLE001 - nor may a probe's
            self._bug(f"evidence:{probe}", error)
            return (f"{probe} could not be asked: {type(error).__name__} inside stewardmon",)
        finally:
            self._asked.discard(probe)

    async def _write(self) -> None:
        """Add to the timeline what is complete: what the page had, and what came after it."""
        now = self._clock.now()
        for ident in tuple(self._unwritten):
            incident = self._responder.incidents.get(ident)
            if incident is None or not incident.alerts:
                del self._unwritten[ident]  # over before anything was gathered
                continue
            name = self._topic_of(ident)
            if not self._is_fresh(name, now):
                continue
            lines = evidence.joined(self.of(incident), self._further(name, now))
            del self._unwritten[ident]
            if not lines:
                continue
            self._told[ident] = (incident.flips, lines)
            await self._responder.answer(ident, _noted(lines, now), now=now)
        if len(self._told) > REMEMBERED:
            known = self._responder.incidents
            self._told = {ident: told for ident, told in self._told.items() if ident in known}

    # What is known

    def _at_once(self, alert: Alert) -> tuple[str, ...]:
        now = self._clock.now()
        name = self._topic(alert)
        sightings = [
            Sighting(
                probe=one.spec.name,
                kind=one.spec.kind,
                job=one.spec.job,
                outcome=one.outcome,
                at=one.at,
            )
            for one in self._latest().values()
        ]
        lines = evidence.told(
            name,
            alert.labels,
            sightings,
            readings=self._readings(name, now),
            deploy=self._deploy(now),
            now=now,
        )
        return evidence.joined(lines, self._further(name, now))

    def _further(self, name: str, now: datetime) -> tuple[str, ...]:
        """Return what witnesses have said of late."""
        return self._fresh[name].lines if self._is_fresh(name, now) else ()

    def _readings(self, name: str, now: datetime) -> tuple[str, ...]:
        known = self._known.get(name)
        if known is not None and now - known.at < KNOWN_FOR:
            return known.lines
        values: dict[Reading, Sequence[tuple[Labels, float]]] = {}
        for reading in evidence.READINGS.get(name, ()):
            try:
                result = self._engine.instant(_planned(reading.expr), milliseconds(now))
            except StewardmonError:
                continue  # it is then named among what is not measured
            values[reading] = result.samples if isinstance(result, Vector) else ()
        lines = evidence.read(name, values)
        self._known[name] = Gathered(now, lines)
        return lines

    def _deploy(self, now: datetime) -> str:
        """Return which deployment answers, and since when, where that is within memory."""
        running = [
            one
            for one in self._series.select([Matcher(NAME, Op.EQUAL, "stewardmon_deployment_info")])
            if one.times
        ]
        if not running:
            return ""
        newest = max(running, key=lambda one: (one.times[-1], one.times[0]))
        name = newest.labels.value("version") or newest.labels.value("deployment")
        older = [one for one in running if one is not newest and one.times[0] < newest.times[0]]
        if not older:
            return f"deployment {name}: unchanged for as long as is remembered"
        since = now - from_milliseconds(newest.times[0])
        return f"deployment {name} answers since {format_since(since)}: a deploy just before?"

    def _witnesses(self, name: str) -> Sequence[tuple[str, Witness]]:
        """Return whom to ask: who sees deepest, one of each server, none that owes an answer."""
        if not name:
            return []
        able = [
            (target.spec, target.probe)
            for probe, target in self._targets().items()
            if isinstance(target.probe, Witness) and probe not in self._asked
        ]
        deep = any(spec.kind == DEEPEST for spec, _ in able)
        best: dict[str, tuple[str, Witness]] = {}
        for spec, witness in able:
            if spec.kind == DEEPEST or not deep:
                best.setdefault(spec.instance or spec.name, (spec.name, witness))
        return list(best.values())[:WITNESSES]

    def _is_fresh(self, name: str, now: datetime) -> bool:
        fresh = self._fresh.get(name)
        return fresh is not None and now - fresh.at <= FRESH_FOR

    def _topic_of(self, ident: str) -> str:
        incident = self._responder.incidents.get(ident)
        alerts = {} if incident is None else incident.alerts
        return self._topic(next(iter(alerts.values()))) if alerts else ""

    def _topic(self, alert: Alert) -> str:
        rule = self.rules.get(alert.rule)
        return topic(alert.annotations.value("runbook"), "" if rule is None else rule.expr)


def _noted(lines: Sequence[str], now: datetime) -> Callable[[Incident], Step]:
    """Return the act that writes the lines into a timeline, as one entry."""

    def note(incident: Incident) -> Step:
        detail = "\n".join(lines)
        event = Event(incident=incident.id, at=now, kind=EventKind.EVIDENCE, detail=detail)
        return Step(incident=incident, events=(event,))

    return note


def plans() -> tuple[Plan, ...]:
    """Return every expression that evidence may ask: what memory must reach back for."""
    readings = (reading for found in evidence.READINGS.values() for reading in found)
    return tuple(_planned(reading.expr) for reading in readings)


@lru_cache(maxsize=64)
def _planned(text: str) -> Plan:
    return plan(text)
