"""A whole daemon on virtual time: scripted targets, a recording pager, everything else real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stewardmon.app import App, Parts
from stewardmon.config.loading import load
from stewardmon.domain import answers
from stewardmon.domain.answers import By
from stewardmon.domain.external import Posted
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.labels import Labels
from stewardmon.domain.notification import Notification, Receipt
from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.engine.deadman import Ping
from stewardmon.errors import DeliveryError
from stewardmon.ports import Context, History, Kind, Store
from stewardmon.settings import Settings
from stewardmon.stores.memory import MemoryHistory, MemoryStore
from tests.support.virtual import VirtualClock

PROBES = """
defaults: {interval: 1s, timeout: 500ms}
probes:
  - {name: app, kind: scripted, job: app, target: app}
  - {name: database, kind: scripted, job: database, target: database}
  - {name: openai, kind: scripted, job: openai, target: openai}
"""
ALERTS = """
alerts:
  - {name: "High Error Rate", condition: "error_rate > 5%", duration: "5m"}
  - {name: "Database Issues", condition: "db_connection_failed", duration: "1m"}
  - {name: "AI Service Down", condition: "openai_api_error", duration: "1m"}
"""
# For journeys whose alerts are posted: nothing to ask, nothing to evaluate, hours cost little.
IDLE = """
probes:
  - {name: idle, kind: scripted, job: idle, target: idle, interval: 1h, timeout: 500ms}
"""
NO_RULES = "evaluation_interval: 1m\ngroups: []\n"
ONCALL = """
channels:
  pager: {kind: recorded}
  mail: {kind: recorded}
people:
  dev-a:
    name: A
    timezone: Europe/Berlin
    contacts: [{channel: pager, to: dev-a}, {channel: mail, to: a@x}]
  senior: {name: S, timezone: Europe/Berlin, contacts: [{channel: pager, to: senior}]}
  lead:   {name: L, timezone: Europe/Berlin, contacts: [{channel: pager, to: lead}]}
  cto:    {name: C, timezone: Europe/Berlin, contacts: [{channel: pager, to: cto}]}
policies:
  matrix:
    levels:
      - {level: 1, role: "On-call developer",  after: 0m,  page: [dev-a]}
      - {level: 2, role: "Senior developer",   after: 30m, page: [senior]}
      - {level: 3, role: "Engineering lead",   after: 1h,  page: [lead]}
      - {level: 4, role: "CTO/VP Engineering", after: 2h,  page: [cto]}
    repeat_last: 30m
    ack_timeout: 1h
routes:
  - {match: {severity: warning}, policy: matrix, levels: [1]}
  - {policy: matrix}
"""


# The same matrix ten times as fast: levels after 3, 6 and 12 minutes, again every 3, given up by
# whoever took it after 6. A virtual hour costs seconds.
QUICK = (
    ONCALL.replace("after: 30m", "after: 3m")
    .replace("after: 1h", "after: 6m")
    .replace("after: 2h", "after: 12m")
    .replace("repeat_last: 30m", "repeat_last: 3m")
    .replace("ack_timeout: 1h", "ack_timeout: 6m")
)
A_MONTH = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class ScriptedSettings(Settings):
    """The name of the target in the test's world."""

    target: str


@dataclass(frozen=True, kw_only=True)
class RecordedSettings(Settings):
    """How many messages a minute the channel takes, as every channel's settings say it."""

    per_minute: int | None = None


@dataclass
class Target:
    """One thing in the test's world; goes down and comes back when the test says so."""

    name: str
    outcome: Outcome = field(default_factory=lambda: Outcome(state=State.UP))
    testimony: tuple[str, ...] = ()
    testifies_after: float = 0.0  # seconds

    def goes_down(self, reason: Reason = Reason.REFUSED) -> None:
        self.outcome = Outcome(state=State.DOWN, reason=reason, detail="refused")

    def comes_back(self) -> None:
        self.outcome = Outcome(state=State.UP)


@dataclass
class World:
    """The targets that scripted probes ask."""

    targets: dict[str, Target] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Target:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.targets.setdefault(name, Target(name))


class Scripted:
    """A probe whose answer the test writes."""

    def __init__(self, target: Target) -> None:
        self._target = target

    async def ask(self) -> Outcome:
        outcome = self._target.outcome
        if self._target.name != "database":
            return outcome
        up = Measurement("pg_up", float(outcome.success))
        return replace(outcome, measurements=(up, *outcome.measurements))

    async def testify(self, topic: str) -> tuple[str, ...]:
        await asyncio.sleep(self._target.testifies_after)
        return tuple(f"{line} ({topic})" for line in self._target.testimony)

    async def close(self) -> None:
        return None


@dataclass
class Pager:
    """Records what arrives; `fails` holds what each send to a channel raises instead."""

    clock: VirtualClock
    sent: list[tuple[datetime, str, Notification]] = field(default_factory=list)
    fails: dict[str, DeliveryError] = field(default_factory=dict)
    tries: int = 0

    def kind(self) -> Kind:
        return Kind(settings=RecordedSettings, make=lambda _settings, context: _Line(self, context))


class _Line:
    """One recorded channel; it does not know its own name, so failures go by address."""

    def __init__(self, pager: Pager, _context: Context) -> None:
        self._pager = pager

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        self._pager.tries += 1
        await asyncio.sleep(0)
        if to in self._pager.fails:
            raise self._pager.fails[to]
        self._pager.sent.append((self._pager.clock.now(), to, notification))
        return Receipt(text="recorded")

    async def close(self) -> None:
        return None


class Severable(MemoryHistory):
    """A history that SIGKILL can cut off: what comes after is never written."""

    severed = False

    async def write(self, batch: Any) -> None:
        if not self.severed:
            await super().write(batch)


class Daemon:
    """A running app, and the verbs with which journeys are told."""

    def __init__(
        self,
        *,
        store: Store | None = None,
        history: History | None = None,
        probes: str = PROBES,
        alerts: str = ALERTS,
        oncall: str = ONCALL,
        clock: VirtualClock | None = None,
        world: World | None = None,
        signs_of_life: tuple[Ping, ...] = (),
        kinds: Mapping[str, Kind] | None = None,
        channels: Mapping[str, Kind] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.signs_of_life = signs_of_life
        self.kinds = kinds or {"scripted": self._scripted()}
        self.environ = environ or {}
        self.clock = clock or VirtualClock()
        self.platform = world or World()
        self.pager = Pager(self.clock)
        self.channels = {"recorded": self.pager.kind(), **(channels or {})}
        self.store = store or MemoryStore()
        self.history = history or Severable()
        self.files = {"probes.yml": probes, "alerts.yml": alerts, "oncall.yml": oncall}
        self.app: App | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start, or start again after `killed`, on the same state."""
        self.app = App(
            Parts(
                clock=self.clock,
                store=self.store,
                history=self.history,
                config=self._load(),
                load=self._load,
                signs_of_life=self.signs_of_life,
                links=lambda row: (f"http://ack/{row.incident}", f"http://incident/{row.incident}"),
                probe_kinds=self.kinds,
                channel_kinds=self.channels,
            )
        )
        await self.app.start()
        self._task = asyncio.get_running_loop().create_task(self.app.run())

    async def killed(self) -> None:
        """End as SIGKILL does: nothing is flushed, nothing is said."""
        assert self._task is not None
        if isinstance(self.history, Severable):
            self.history.severed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        if isinstance(self.history, Severable):
            self.history.severed = False

    async def restarts(self) -> None:
        """Die and come back at once."""
        await self.killed()
        await self.start()

    async def stop(self) -> None:
        """End in order."""
        if self._task is not None:
            await self.killed()
            assert self.app is not None
            await self.app.close()

    async def after(self, **time: float) -> None:
        """Let that much time pass, and whatever happens in it, happen."""
        await self.clock.sleep(timedelta(**time).total_seconds())
        for _ in range(20):
            await asyncio.sleep(0)

    async def fires(self, name: str, *, severity: str = "critical", **labels: str) -> None:
        """Let another program's alert fire until it `ends`."""
        await self._post(name, {"severity": severity, **labels}, self.clock.now() + A_MONTH)

    async def ends(self, name: str, *, severity: str = "critical", **labels: str) -> None:
        """Let an alert that was posted end."""
        await self._post(name, {"severity": severity, **labels}, self.clock.now())

    async def _post(self, name: str, labels: Mapping[str, str], ends_at: datetime) -> None:
        named = Labels({"alertname": name, **labels})
        posted = Posted(labels=named, annotations=Labels(), ends_at=ends_at)
        await self.running.live.external.take((posted,), now=self.clock.now())
        await self.after(seconds=1)

    async def acknowledge(self, *, by: str, reason: str = "") -> Incident:
        """Acknowledge the oldest open incident."""
        return await self._answer(lambda one: answers.acknowledge(one, self._by(by, reason)))

    async def unacknowledge(self, *, by: str, reason: str = "") -> Incident:
        """Give the oldest open incident back."""
        roster = self.running.live.responder.book.roster
        return await self._answer(
            lambda one: answers.unacknowledge(one, self._by(by, reason), roster=roster)
        )

    async def escalate(self, *, by: str, reason: str = "") -> Incident:
        """Page the next level of the oldest open incident now."""
        roster = self.running.live.responder.book.roster
        return await self._answer(
            lambda one: answers.escalate(one, self._by(by, reason), roster=roster)
        )

    async def note(self, *, by: str, text: str) -> Incident:
        """Write a line into the oldest open incident's timeline."""
        return await self._answer(lambda one: answers.note(one, self._by(by, text)))

    async def resolve(self, *, by: str, reason: str = "") -> Incident:
        """Resolve the oldest open incident by hand."""
        return await self._answer(lambda one: answers.resolve(one, self._by(by, reason)))

    async def snooze(self, *, by: str, **time: float) -> Incident:
        """Snooze the oldest open incident."""
        until = self.clock.now() + timedelta(**time)
        return await self._answer(lambda one: answers.snooze(one, self._by(by, ""), until=until))

    async def reload(self, **files: str) -> str:
        """Replace files (`alerts=…`) and reload; return what is wrong."""
        self.files.update({f"{name}.yml": text for name, text in files.items()})
        return await self.running.reload()

    @property
    def running(self) -> App:
        """The app, which must have been started."""
        assert self.app is not None
        return self.app

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """All incidents in memory, oldest first."""
        return tuple(self.running.live.responder.incidents.values())

    @property
    def paged(self) -> list[str]:
        """Who was asked to act, in order: `L1`, `L2`…"""
        asks = {"page", "escalated", "reminder"}
        return [f"L{one.level}" for _, _, one in self.pager.sent if one.event.value in asks]

    @property
    def said(self) -> list[str]:
        """Everything that arrived: `page dev-a`, `resolved dev-a`…"""
        return [f"{one.event.value} {to}" for _, to, one in self.pager.sent]

    async def timeline(self) -> list[Event]:
        """The newest incident's timeline."""
        return list(await self.store.events(self.incidents[-1].id))

    async def story(self) -> list[str]:
        """The newest incident's timeline in words: kind, by whom, detail; without deliveries."""
        return [
            f"{one.kind.value}{'' if one.who == 'stewardmon' else f' by {one.who}'}: {one.detail}"
            for one in await self.timeline()
            if one.kind is not EventKind.SENT
        ]

    async def _answer(self, act: Any) -> Incident:
        responder = self.running.live.responder
        return await responder.answer(responder.open()[0].id, act, now=self.clock.now())

    def _by(self, who: str, reason: str) -> By:
        return By(who=who, at=self.clock.now(), reason=reason)

    def _scripted(self) -> Kind:
        return Kind(
            settings=ScriptedSettings,
            make=lambda settings, _context: Scripted(getattr(self.platform, settings.target)),
            instance=lambda settings: settings.target,
        )

    def _load(self) -> Any:
        with TemporaryDirectory() as folder:
            for name, text in self.files.items():
                Path(folder, name).write_text(text)
            return load(
                Path(folder),
                self.environ,
                probe_kinds=self.kinds,
                channel_kinds=self.channels,
            )


def posting(**options: Any) -> AbstractAsyncContextManager[Daemon]:
    """A started daemon with the quick matrix, whose alerts are posted: `fires` and `ends`."""
    return running(**{"probes": IDLE, "alerts": NO_RULES, "oncall": QUICK, **options})


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[Daemon]:
    """A started daemon that is stopped at the end."""
    daemon = Daemon(**options)
    await daemon.start()
    try:
        yield daemon
    finally:
        await daemon.stop()
