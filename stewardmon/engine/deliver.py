"""The delivery loop: claims what the outbox holds, sends it, records what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import random
from typing import Final

import structlog

from stewardmon import metrics
from stewardmon.domain.delivery import (
    Circuit,
    RateLimit,
    Verdict,
    after_failure,
    may_wait,
    while_resting,
)
from stewardmon.domain.incident import Event, EventKind
from stewardmon.domain.notification import Delivery, DeliveryState, Receipt
from stewardmon.domain.oncall import Contact
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.responder import Responder
from stewardmon.errors import DeliveryError
from stewardmon.ports import Channel, ChannelSpec, Clock

log = structlog.get_logger()

LEASE: Final = timedelta(seconds=60)  # longer than any send may take
SEND_TIMEOUT: Final = 35.0  # seconds: longer than any channel's own timeout may be
STALLED_AFTER: Final = timedelta(seconds=60)
AT_ONCE: Final = 32  # sends in flight over all channels
PER_CHANNEL: Final = 8  # sends in flight over one: a hanging channel holds up no other
LONGEST_WAIT: Final = 1.0  # seconds between looks, for rows that another process left behind
UNREACHABLE_AFTER: Final = 3  # failures of a person's last contact before the level moves on
RESTED_BEFORE: Final = 4  # a channel whose rest was in vain this often is nobody's hope either
PER_MINUTE: Final = 60  # messages over one channel that names no rate of its own

Links = Callable[[Delivery], tuple[str, str]]


def rates(channels: Iterable[ChannelSpec]) -> dict[str, int]:
    """Return how many messages a minute each channel takes, where its settings say so."""
    found = ((one.name, getattr(one.settings, "per_minute", None)) for one in channels)
    return {name: rate for name, rate in found if rate is not None}


class Delivering:
    """Sends what is due, each channel bounded, each failure answered as `domain.delivery` says."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        responder: Responder,
        channels: Mapping[str, Channel],
        clock: Clock,
        links: Links,
        beat: Callable[[], None] = lambda: None,
        bug: Callable[[str, Exception], None] = lambda _name, _error: None,
        chance: Callable[[], float] = random,
    ) -> None:
        self.channels = channels
        self.per_minute: Mapping[str, int] = {}
        self._ledger = ledger
        self._responder = responder
        self._clock = clock
        self._links = links
        self._beat = beat
        self._bug = bug
        self._chance = chance
        self._circuits: dict[str, Circuit] = {}
        self._limits: dict[str, RateLimit] = {}
        self._sending: set[str] = set()
        self._passed_at = clock.now()
        self._busy: Counter[str] = Counter()

    async def run(self) -> None:
        """Run until cancelled; a send that is cut off is repeated by whoever comes next."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._passed_at = self._clock.now()
                self._ledger.news.clear()
                if not await self._send_due(group):
                    self._beat()
                    await self._clock.wait(self._ledger.news, self._wait())

    def stalled(self, now: datetime) -> bool:
        """Say whether the loop has stopped passing: no send holds it up for so long."""
        return now - self._passed_at > STALLED_AFTER

    async def rescue(self, row: Delivery) -> None:
        """Send an overdue page over the person's other contacts, past outbox and loop.

        Whoever has one contact only is called there. A failure is logged: when the loop works
        again, it takes the row up as if nothing had been sent.
        """
        roster = self._responder.book.roster
        person = roster.people.get(row.person)
        contacts = () if person is None else roster.contacts(person)
        now = self._clock.now()
        beside = [moved(row, *one, now=now) for one in contacts if one[1].channel != row.channel]
        for other in beside or [row]:
            try:
                await self._send(replace(other, attempts=other.attempts + 1))
            except DeliveryError as error:
                log.error("rescue_failed", key=other.dedup_key, error=str(error))
            else:
                log.error("page_rescued", key=row.dedup_key, over=other.channel)

    async def _send_due(self, group: asyncio.TaskGroup) -> bool:
        """Start sending what is due; return whether anything was."""
        room = AT_ONCE - len(self._sending)
        now = self._clock.now()
        full = frozenset(name for name, count in self._busy.items() if count >= PER_CHANNEL)
        ready = (
            row.due_at <= now and row.channel not in full and row.dedup_key not in self._sending
            for row in self._ledger.waiting()
        )
        if room <= 0 or not any(ready):
            return False
        rows = await self._ledger.claim(now=now, lease=LEASE, limit=room, busy=full)
        fresh = [row for row in rows if row.dedup_key not in self._sending]
        for row in fresh:
            self._sending.add(row.dedup_key)
            self._busy[row.channel] += 1
            group.create_task(self._deliver(row), name=f"deliver:{row.dedup_key}")
            # Each begins in a turn of its own (writing takes a while), after those who answer.
            await self._clock.sleep(0)
            await self._responder.turns.after_people()
        return bool(fresh)

    def _wait(self) -> float:
        waiting = [row for row in self._ledger.waiting() if row.dedup_key not in self._sending]
        metrics.OUTBOX.set(len(self._ledger.waiting()))
        soonest = min((row.due_at for row in waiting), default=None)
        if soonest is None:
            return LONGEST_WAIT
        until = (soonest - self._clock.now()).total_seconds()
        # A row that is due but was not handed out waits for another of its address: news tells.
        return LONGEST_WAIT if until <= 0 else min(LONGEST_WAIT, until)

    async def _deliver(self, row: Delivery) -> None:
        try:
            await self._responder.turns.after_people()  # a message takes the loop for some ms
            if not self._circuit(row).allows(self._clock.now()):
                await self._rest(row)
            elif (held_until := self._held_until(row)) is not None:
                await self._responder.settle(
                    replace(row, due_at=held_until, lease_until=None), now=self._clock.now()
                )
            else:
                await self._attempt(row)
        except Exception as error:
            # One message's bug must not cut off the others; its lease ends, and it is tried again.
            log.exception("delivery_died", key=row.dedup_key)
            self._bug(f"deliver:{row.channel}", error)
        finally:
            self._sending.discard(row.dedup_key)
            self._busy[row.channel] -= 1
            self._ledger.news.set()

    def _held_until(self, row: Delivery) -> datetime | None:
        """Return until when the channel's rate limit holds the row back, None where it may go."""
        now = self._clock.now()
        rate = self.per_minute.get(row.channel, PER_MINUTE)
        limit = self._limits.get(row.channel) or RateLimit.per_minute(rate, now=now)
        self._limits[row.channel], until = limit.take(now=now, may_wait=may_wait(row))
        return until

    async def _attempt(self, row: Delivery) -> None:
        self._circuits[row.channel] = self._circuit(row).started(self._clock.now())
        tried = replace(row, attempts=row.attempts + 1, lease_until=None)
        try:
            receipt = await self._send(tried)
        except DeliveryError as error:
            await self._failed(tried, error)
        except asyncio.CancelledError:
            self._circuits[row.channel] = self._circuit(row).released()
            raise
        else:
            await self._sent(tried, receipt)

    async def _send(self, row: Delivery) -> Receipt:
        channel = self.channels.get(row.channel)
        if channel is None:
            raise DeliveryError(f"there is no channel {row.channel} any more", temporary=False)
        ack_url, incident_url = self._links(row)
        notification = row.notification.addressed(
            attempt=row.attempts, ack_url=ack_url, incident_url=incident_url
        )
        try:
            async with asyncio.timeout(SEND_TIMEOUT):
                return await channel.send(notification, to=row.to)
        except TimeoutError:
            text = f"no answer within {SEND_TIMEOUT:.0f} s"
            raise DeliveryError(text, temporary=True) from None
        except (DeliveryError, asyncio.CancelledError):
            raise
        except Exception as error:
            # A bug in an adapter must not lose the page: it is told, and tried again.
            self._bug(f"channel:{row.channel}", error)
            text = f"the channel failed with {type(error).__name__}"
            raise DeliveryError(text, temporary=True) from error

    async def _sent(self, row: Delivery, receipt: Receipt) -> None:
        now = self._clock.now()
        self._circuits[row.channel] = self._circuit(row).succeeded()
        metrics.DELIVERIES.labels(row.channel, "sent").inc()
        metrics.DELIVERY_DELAY.observe((now - row.created_at).total_seconds())
        done = replace(row, state=DeliveryState.SENT, settled_at=now, receipt=receipt.text)
        await self._responder.settle(done, self._event(row, EventKind.SENT, receipt.text), now=now)

    async def _failed(self, row: Delivery, error: DeliveryError) -> None:
        now = self._clock.now()
        circuit = self._circuit(row)
        self._circuits[row.channel] = circuit.failed(now) if error.temporary else Circuit()
        metrics.DELIVERIES.labels(
            row.channel, "temporary_failure" if error.temporary else "permanent_failure"
        ).inc()
        log.warning("delivery_failed", channel=row.channel, key=row.dedup_key, error=str(error))
        verdict = after_failure(
            row, error, now=now, more_contacts=self._next(row) is not None, rng=self._chance
        )
        await self._follow(row, verdict, str(error))

    async def _rest(self, row: Delivery) -> None:
        """Leave a row for later because its channel rests, and page the next contact meanwhile."""
        now = self._clock.now()
        circuit = self._circuit(row)
        verdict = while_resting(
            row, circuit=circuit, now=now, more_contacts=self._next(row) is not None
        )
        await self._follow(row, verdict, "the channel rests after failures in a row", quiet=True)

    async def _follow(
        self, row: Delivery, verdict: Verdict, why: str, *, quiet: bool = False
    ) -> None:
        now = self._clock.now()
        if verdict.retry_at is None:
            kind = EventKind.FAILED
            row = replace(row, state=DeliveryState.FAILED, settled_at=now, error=why)
        else:
            kind = EventKind.RETRYING
            row = replace(row, due_at=verdict.retry_at, error=why, lease_until=None)
        contact = self._next(row) if verdict.falls_back else None
        then = () if contact is None else (moved(row, *contact, now=now),)
        events = () if quiet and not then else self._event(row, kind, why)
        if contact is None and self._next(row) is None and self._is_hopeless(row):
            await self._responder.unreachable(row, events, now=now)
        else:
            await self._responder.settle(row, events, now=now, then=then)

    def _next(self, row: Delivery) -> tuple[int, Contact] | None:
        """Return the person's next contact after the row's, with its place."""
        roster = self._responder.book.roster
        person = roster.people.get(row.person)
        if person is None:
            return None
        later = (one for one in roster.contacts(person) if one[0] > row.contact)
        return next(later, None)

    def _is_hopeless(self, row: Delivery) -> bool:
        """Say whether the level should not wait for this contact any longer."""
        failures = max(row.attempts, self._circuit(row).failures - RESTED_BEFORE)
        return row.state is DeliveryState.FAILED or failures >= UNREACHABLE_AFTER

    def _circuit(self, row: Delivery) -> Circuit:
        return self._circuits.get(row.channel, Circuit())

    def _event(self, row: Delivery, kind: EventKind, text: str) -> tuple[Event, ...]:
        whom = f"{row.event.value} to {row.person} over {row.channel}, attempt {row.attempts}"
        return (
            Event(
                incident=row.incident,
                at=self._clock.now(),
                kind=kind,
                detail=f"{whom}: {text}" if text else whom,
            ),
        )


def moved(row: Delivery, place: int, contact: Contact, *, now: datetime) -> Delivery:
    """Return the same message for another contact of the person."""
    stem = row.dedup_key.rsplit(":", 1)[0]
    key = f"{stem}:{row.person}.{place}.{contact.channel}"
    return replace(
        row,
        dedup_key=key,
        contact=place,
        channel=contact.channel,
        to=contact.to,
        notification=replace(row.notification, dedup_key=key, to=contact.to),
        due_at=now,
        created_at=now,
        order=0,
        attempts=0,
        lease_until=None,
        state=DeliveryState.PENDING,
        settled_at=None,
        error="",
    )
