"""Every seam of the daemon on one page: what the engine asks of the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

from stewardmon.domain.alert import Alert
from stewardmon.domain.change import Change
from stewardmon.domain.heartbeat import Pulse
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.labels import Labels, Matcher
from stewardmon.domain.notification import Delivery, Notification, Receipt
from stewardmon.domain.outcome import Cost, Outcome
from stewardmon.domain.restoration import Restored
from stewardmon.settings import Settings


class Clock(Protocol):
    """Wall time for people, monotonic seconds for schedules, and waiting."""

    @property
    def speed(self) -> float:
        """How many of its seconds pass in one of the world's: 1, but in the demo."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, in UTC; it never jumps when the clock is set."""

    def offset(self) -> timedelta:
        """Return how far the machine's clock is ahead of `now`."""

    def monotonic(self) -> float:
        """Return seconds on a clock that no one can set."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of monotonic time."""

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Return when the event is set, or after `seconds` of monotonic time."""


class Probe(Protocol):
    """One question asked of one target.

    The caller owns the timeout and measures the whole duration; a probe that is cut off is
    reported as a timeout, with the phases that it had stored in its `Progress` by then.
    """

    async def ask(self) -> Outcome:
        """Ask once. A failing target is an Outcome; only a failing stewardmon raises."""

    async def close(self) -> None:
        """Let go of whatever is kept between asks."""


@runtime_checkable
class Witness(Protocol):
    """A probe that can say more of its target when somebody is paged."""

    async def testify(self, topic: str) -> tuple[str, ...]:
        """Return lines for the list `topic` of domain.runbooks; what cannot be told is a line too.

        The caller owns the time it may take.
        """


class Channel(Protocol):
    """One way to reach a person."""

    async def send(self, notification: Notification, *, to: str) -> Receipt:
        """Deliver, or raise DeliveryError saying whether trying again can help."""

    async def close(self) -> None:
        """Let go of whatever is kept between sends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How to build one kind of probe or channel: its settings' model, its maker, its cost.

    `make` is called with (settings, context); `cost` tells what one ask spends, `instance` what
    the series' instance label shows (never a query, a user or a password).
    """

    settings: type[Settings]
    make: Callable[[Any, Any], Any]
    cost: Callable[[Any], Cost] = lambda _: Cost()
    instance: Callable[[Any], str] = lambda _: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec:
    """One entry of probes.yml, ready to be built: names, schedule, and the kind's own settings.

    `labels` are laid over every series of the probe; `depends_on` names probes whose failure
    explains this one's. `confirm`: a failure is believed once a second ask, right after it, fails
    too: for probes that ask so seldom that nobody wants to wait for the next tick. `flexible`: its
    interval is a default that may give way to a budget, and `widened` is what it became.
    """

    name: str
    kind: str
    job: str
    instance: str
    interval: timedelta
    timeout: timedelta
    settings: Settings
    labels: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    confirm: bool = False
    flexible: bool = False
    widened: timedelta | None = None
    source: str = ""

    @property
    def every(self) -> timedelta:
        """Return how often it is asked: its interval, or the longer one that a budget allows."""
        return self.widened or self.interval


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSpec:
    """One entry of `channels:` in oncall.yml, ready to be built."""

    name: str
    kind: str
    settings: Settings
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What adapters may share: the clock, and the words that identify this daemon.

    `probe` is the name of the probe that is built, empty outside of a daemon; `pulse` returns what
    a job has pushed, `restored` what the last drill of a restore showed.
    """

    clock: Clock
    user_agent: str = "stewardmon"
    external_url: str = ""
    probe: str = ""
    pulse: Callable[[str], Pulse | None] = lambda _: None
    restored: Callable[[str], Restored | None] = lambda _: None


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What a store held when it was opened: all that a restart goes on from."""

    alerts: tuple[Alert, ...] = ()
    incidents: tuple[Incident, ...] = ()
    records: Mapping[tuple[str, str], Mapping[str, object]] = field(default_factory=dict)


class Store(Protocol):
    """The state: decisions in transactions, an outbox with leases, an append-only timeline.

    Every method is a coroutine that does its work off the event loop; all raise StoreError.
    """

    async def open(self) -> None:
        """Connect, check integrity, migrate."""

    async def close(self) -> None:
        """Flush and let go."""

    async def load(self) -> Saved:
        """Return alerts, incidents (all open ones and the recently resolved), and records."""

    async def commit(self, change: Change) -> None:
        """Make the whole change durable in one transaction, or raise and keep nothing of it."""

    async def claim(
        self, *, now: datetime, lease: timedelta, limit: int, busy: frozenset[str] = frozenset()
    ) -> Sequence[Delivery]:
        """Lease the rows that are due, oldest first, none of channels in `busy`.

        A row is never claimed before an earlier unsettled row of the same incident to the same
        channel and address.
        """

    async def release(self) -> None:
        """Let every lease go: whoever held one is no more, and its row may be claimed at once."""

    async def deliveries(self, incident: str) -> Sequence[Delivery]:
        """Return the outbox rows of one incident, oldest first."""

    async def unsettled(self) -> Sequence[Delivery]:
        """Return every row that is still to be sent, oldest first."""

    async def incident(self, ident: str) -> Incident | None:
        """Return one incident, open or resolved."""

    async def incidents(
        self, *, limit: int, before: datetime | None = None, only_open: bool = False
    ) -> Sequence[Incident]:
        """Return incidents by opening time, newest first."""

    async def events(self, incident: str) -> Sequence[Event]:
        """Return one incident's timeline in order."""

    async def events_between(self, start: datetime, end: datetime) -> Sequence[Event]:
        """Return all timeline lines of a span in order: for reports and `why`."""

    async def prune(self, *, now: datetime) -> None:
        """Forget incidents that ended long ago, with their timelines and messages."""


Points = Sequence[tuple[int, float]]


class History(Protocol):
    """Samples of the past, for windows after a restart, charts, replay and reports."""

    async def open(self) -> None:
        """Connect and migrate."""

    async def write(self, batch: Sequence[tuple[Labels, Points]]) -> None:
        """Append samples (milliseconds, value); stale markers are kept, a series may come again."""

    async def read(
        self, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int
    ) -> Sequence[tuple[Labels, Points]]:
        """Return samples with start ≤ t ≤ end by series, in time order."""

    async def prune(self, *, now: datetime) -> None:
        """Roll up and delete what is older than the retention."""

    async def close(self) -> None:
        """Finish what was asked for and let go."""
