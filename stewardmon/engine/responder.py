"""Where alerts and people meet: every decision about incidents is committed here, in one place."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, Protocol

import structlog

from stewardmon import metrics
from stewardmon.domain import answers, escalation, triage
from stewardmon.domain.alert import Alert, AlertState
from stewardmon.domain.change import Change
from stewardmon.domain.incident import Address, Event, EventKind, Incident
from stewardmon.domain.muting import Mute
from stewardmon.domain.notices import Desk, Facts, FindFacts, change, no_facts
from stewardmon.domain.notification import Delivery, DeliveryState, NotificationEvent
from stewardmon.domain.step import Step
from stewardmon.engine.caseload import Caseload
from stewardmon.engine.draft import Draft
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.turns import Turns
from stewardmon.errors import StoreError
from stewardmon.ports import Saved

log = structlog.get_logger()

BATCH: Final = 256  # alerts a transaction
SMALL_BATCH: Final = 8  # while people answer: an acknowledgement waits for no more than one
NOTED: Final = 1_000  # alerts noted between two turns of the loop: a millisecond or two
_MANY: Final = frozenset({EventKind.JOINED, EventKind.LEFT, EventKind.SYMPTOM})


class Muting(Protocol):
    """What tells the responder which alerts must not page now."""

    def why(self, alert: Alert, *, now: datetime) -> Mute | None:
        """Return why the alert pages nobody at `now`, None where it may."""

    def among(self, firing: Mapping[str, Alert], *, now: datetime) -> dict[str, Mute]:
        """Return those of the firing alerts (all that were seen) that are muted at `now`."""

    def saw(self, changed: Sequence[Alert], *, gone: Sequence[str] = ()) -> None:
        """Note alerts in their new states, and the fingerprints of those that are no more."""


class Audible:
    """The muting that mutes nothing."""

    def among(self, firing: Mapping[str, Alert], *, now: datetime) -> dict[str, Mute]:
        """Return nothing."""
        return {}

    def saw(self, changed: Sequence[Alert], *, gone: Sequence[str] = ()) -> None:
        """Take no note."""

    def why(self, alert: Alert, *, now: datetime) -> Mute | None:
        """Return None."""
        return None


class Responder:
    """Holds the incidents; takes what alerts and people do; commits before anything is visible.

    Decisions are made one after the other, those of people first. What is in `incidents` has been
    handed to the ledger.
    """

    def __init__(
        self,
        *,
        ledger: Ledger,
        book: triage.Book,
        muting: Muting | None = None,
        facts: FindFacts = no_facts,
        external_url: str = "",
        turns: Turns | None = None,
    ) -> None:
        self.ledger = ledger
        self.book = book
        self.muting: Muting = muting or Audible()
        self.facts = facts
        self.evidence: Callable[[Incident], tuple[str, ...]] = lambda _: ()
        self.listeners: list[Callable[[Step], None]] = []  # told what is durable
        self.external_url = external_url
        self._cases = Caseload()
        self.incidents = self._cases.incidents
        self.firing = self._cases.firing
        self.moved = asyncio.Event()
        self.turns = turns or Turns()

    def restore(self, saved: Saved) -> None:
        """Go on where a former process stopped."""
        self._cases.restore(saved.incidents, saved.alerts)
        self.muting.saw(saved.alerts)

    async def report(
        self, changed: Sequence[Alert], *, now: datetime, forgotten: Sequence[Alert] = ()
    ) -> None:
        """Take alerts that changed state, page what must be paged, in bounded transactions."""
        # Alerts of one rule side by side: each incident is in few transactions of a storm.
        queue = iter(sorted(changed, key=_rule_of))
        gone = tuple(alert.fingerprint for alert in forgotten)
        self.muting.saw((), gone=gone)
        for start in range(0, len(changed), NOTED):  # all first: a symptom may precede its cause
            self.muting.saw(changed[start : start + NOTED])
            if len(changed) > NOTED:
                await self.turns.rest()
        bugs: list[Exception] = []
        while (batch := tuple(islice(queue, self._batch()))) or gone:
            bugs += await self._take_in_all(batch, gone, now=now)
            gone = ()
        if bugs:
            raise bugs[0]  # for whoever keeps the loop alive to tell

    async def tick(self, *, now: datetime) -> None:
        """Do what time alone brings: due levels, ended snoozes, mutes that begin or end."""
        async with self.turns.turn():
            mutes = self.muting.among(self.firing, now=now)
            draft = Draft(self.incidents)
            self._admit(draft, self._cases.homeless(), mutes, now=now)
            self._mute(draft, mutes, now=now)
            self._advance(draft, now=now)
            await self._commit(draft, now=now)
        self._cases.forget_old(now)

    async def answer(
        self, ident: str, act: Callable[[Incident], Step], *, now: datetime
    ) -> Incident:
        """Let a person act on an incident; returns it as it then stands.

        Raises AnswerError where the act does not fit, and for an id that is not known.
        """
        async with self.turns.turn(person=True):
            incident = self.incidents.get(ident) or await self.ledger.incident(ident)
            if incident is None:
                raise answers.AnswerError(f"there is no incident {ident}")
            draft = Draft({**self.incidents, ident: incident})
            draft.add(act(incident))
            await self._commit(draft, now=now)
            return self.incidents.get(ident, incident)

    async def begin(self, step: Step, *, now: datetime) -> Incident:
        """Open an incident that no alert caused: a drill."""
        async with self.turns.turn():
            draft = Draft(self.incidents)
            draft.add(step)
            await self._commit(draft, now=now)
            return step.incident

    async def settle(
        self,
        row: Delivery,
        events: Sequence[Event] = (),
        *,
        now: datetime,
        then: Sequence[Delivery] = (),
    ) -> None:
        """Record what became of a delivery, with the rows that follow from it."""
        async with self.turns.turn():
            await self._settle(row, events, then, now=now)

    async def unreachable(self, row: Delivery, events: Sequence[Event], *, now: datetime) -> None:
        """Record that a person could not be reached; with their whole level, move on at once."""
        async with self.turns.turn():
            await self._settle(row, events, (), now=now)
            incident = self.incidents.get(row.incident)
            if incident is None or incident.quiet(now) or not row.pages:
                return
            if incident.reached != row.level or await self._is_reached(row):
                return
            detail = f"level {row.level} could not be reached over any contact"
            event = Event(incident=incident.id, at=now, kind=EventKind.UNREACHABLE, detail=detail)
            said = Step(incident=incident, events=(event,))
            draft = Draft(self.incidents)
            draft.add(
                said.then(lambda one: escalation.pass_on(one, roster=self.book.roster, now=now))
            )
            await self._commit(draft, now=now)

    def next_step_at(self) -> datetime | None:
        """Return when the next incident moves by itself."""
        times = (one.next_step_at for one in self.incidents.values())
        return min((at for at in times if at is not None), default=None)

    def open(self) -> tuple[Incident, ...]:
        """Return the incidents that are not resolved, oldest first."""
        return tuple(one for one in self.incidents.values() if one.open)

    def desk(self) -> Desk:
        """Return what writing a message needs to know."""
        return Desk(
            roster=self.book.roster,
            facts=self._facts,
            evidence=self.evidence,
            external_url=self.external_url,
            seen=self._cases.last,
        )

    def _facts(self, alert: Alert, /, *, drawn: bool = True) -> Facts:
        """Return what is known of an alert; a bug there costs the page its facts, not the page."""
        try:
            return self.facts(alert, drawn=drawn)
        except Exception:
            log.exception("facts_not_found", alert=alert.name)
            return Facts()

    def why_muted(self, alert: Alert, *, now: datetime) -> Mute | None:
        """Return why an alert pages nobody now."""
        return self.muting.why(alert, now=now)

    # Decisions, under the lock

    def _batch(self) -> int:
        return SMALL_BATCH if self.turns.attended else BATCH

    async def _take_in_all(
        self, batch: tuple[Alert, ...], gone: tuple[str, ...], *, now: datetime
    ) -> list[Exception]:
        """Take a batch in, one by one where it fails: a bug about one alert keeps no other back."""
        try:
            async with self.turns.turn():
                await self._take_in(batch, gone, now=now)
        except StoreError:
            raise  # deposed: somebody else decides now
        except Exception as error:
            log.exception("alerts_not_taken_in", alerts=len(batch))
            if len(batch) <= 1:
                return [error]
            bugs = [await self._take_in_all((one,), (), now=now) for one in batch]
            return [bug for found in bugs for bug in found]
        return []

    async def _take_in(
        self, batch: Sequence[Alert], gone: tuple[str, ...], *, now: datetime
    ) -> None:
        self._cases.note(batch, gone)
        fresh = [alert for alert in batch if self._cases.is_homeless(alert)]
        draft = Draft(self.incidents)
        self._depart(draft, batch, now=now)
        self._admit(draft, fresh, self._mutes(fresh, now=now), now=now)
        self._advance(draft, now=now)
        await self._commit(draft, now=now, alerts=tuple(batch), forgotten=gone)

    def _depart(self, draft: Draft, batch: Sequence[Alert], *, now: datetime) -> None:
        leaving: dict[str, list[Alert]] = defaultdict(list)
        for alert in batch:
            home = self._cases.home(alert)
            if home is not None and alert.state is not AlertState.FIRING:
                leaving[home].append(alert)
        flapping = self.book.flapping
        for ident, over in leaving.items():
            self._cases.last[ident] = tuple(over)
            draft.add(triage.depart(draft.incidents[ident], over, flapping=flapping, now=now))

    def _admit(
        self,
        draft: Draft,
        alerts: Iterable[Alert],
        mutes: Mapping[str, Mute],
        *,
        now: datetime,
    ) -> None:
        loud = [alert for alert in alerts if alert.fingerprint not in mutes]
        for arrival in triage.arrivals(loud, self.book.routes):
            known = draft.incidents.get(self._cases.newest(arrival.key))
            draft.add(triage.admit(arrival, known, book=self.book, now=now))
        for alert in alerts:
            why = mutes.get(alert.fingerprint)
            home = draft.home(why.cause) if why is not None and why.cause else None
            if why is not None and home is not None:
                draft.add(triage.symptom(home, alert, why, now=now))

    def _mute(self, draft: Draft, mutes: Mapping[str, Mute], *, now: datetime) -> None:
        for incident in tuple(draft.incidents.values()):
            draft.add(triage.mute(incident, mutes, now=now))

    def _advance(self, draft: Draft, *, now: datetime) -> None:
        for incident in tuple(draft.incidents.values()):
            if incident.next_step_at is not None and incident.next_step_at <= now:
                draft.add(escalation.step(incident, roster=self.book.roster, now=now))

    async def _commit(
        self,
        draft: Draft,
        *,
        now: datetime,
        alerts: tuple[Alert, ...] = (),
        forgotten: tuple[str, ...] = (),
    ) -> None:
        steps = tuple([await self._heard(step) for step in draft.steps()])
        await self.ledger.commit(
            change(steps, desk=self.desk(), now=now, alerts=alerts, forgotten=forgotten)
        )
        out = log.bind()  # once: structlog makes one anew for every line otherwise
        for step in steps:
            self._cases.take(step.incident)
            _tell(step, out)
            for listen in self.listeners:
                listen(step)
        if steps:
            self.moved.set()

    async def _heard(self, step: Step) -> Step:
        """Let the end be told to those who heard of the beginning, or still will.

        Pages of an outage that ended before anybody was reached are kept: late beats never, and
        rows to one address leave in order, so that the resolve comes after them.
        """
        ident = step.incident.id
        pages = [row for row in self.ledger.waiting_of(ident) if row.pages] if step.cancels else []
        # What is under way may arrive; for an incident that is over, that is not enough.
        over = not step.incident.open
        unsent = {_address(row) for row in pages if over or row.lease_until is None}
        if not unsent:
            return step
        rows = await self.ledger.deliveries(ident)
        sent = {_address(row) for row in rows if row.pages and row.state is DeliveryState.SENT}
        unheard = unsent - sent
        if over and not set(step.incident.told) - unheard:
            return replace(step, cancels="")
        fresh = {call.address for call in step.calls if call.pages}
        told = tuple(one for one in step.incident.told if one not in unheard - fresh)
        return replace(
            step,
            incident=replace(step.incident, told=told),
            calls=tuple(one for one in step.calls if one.pages or one.address not in unheard),
        )

    async def _settle(
        self, row: Delivery, events: Sequence[Event], then: Sequence[Delivery], *, now: datetime
    ) -> None:
        incident = self.incidents.get(row.incident)
        if incident is not None and row.pages and incident.open and incident.quiet(now):
            # Answered while it was under way: it is neither tried again nor passed on.
            then = ()
            if row.state is DeliveryState.PENDING:
                row = replace(row, state=DeliveryState.CANCELLED)
        incidents = () if incident is None else _told(incident, row, then)
        await self.ledger.commit(
            Change(
                incidents=incidents,
                events=tuple(events),
                deliveries=(row, *then),
                replaces=frozenset({row.dedup_key}),
            )
        )
        for one in incidents:
            self._cases.take(one)

    def _mutes(self, alerts: Iterable[Alert], *, now: datetime) -> dict[str, Mute]:
        found = ((alert.fingerprint, self.muting.why(alert, now=now)) for alert in alerts)
        return {mark: why for mark, why in found if why is not None}

    async def _is_reached(self, row: Delivery) -> bool:
        """Say whether somebody of the row's level was reached, or may still be on a first try."""
        waiting = (
            other.incident == row.incident
            and other.level == row.level
            and other.pages
            and other.attempts == 0
            for other in self.ledger.waiting()
        )
        if any(waiting):
            return True
        turn = row.dedup_key.split(":")[1]
        return any(
            other.state is DeliveryState.SENT
            and other.level == row.level
            and other.dedup_key.split(":")[1] == turn
            for other in await self.ledger.deliveries(row.incident)
        )


def _tell(step: Step, out: structlog.stdlib.BoundLogger) -> None:
    for event in step.events:
        # In a storm alerts join by the thousand: the timeline has them all.
        say = out.debug if event.kind in _MANY else out.info
        say(
            "incident",
            incident=event.incident,
            kind=event.kind.value,
            who=event.who,
            detail=event.detail,
        )
        _measure(event, step.incident)
    for call in step.calls:
        if call.event in (NotificationEvent.PAGE, NotificationEvent.ESCALATED):
            metrics.ESCALATIONS.labels(str(call.level)).inc()


def _measure(event: Event, incident: Incident) -> None:
    if event.kind is EventKind.ACKNOWLEDGED:
        metrics.ACKNOWLEDGE.observe((event.at - incident.base_at).total_seconds())
    elif event.kind is EventKind.RESOLVED:
        metrics.RESOLVE.observe((event.at - incident.opened_at).total_seconds())


def _rule_of(alert: Alert) -> str:
    return alert.rule


def _address(row: Delivery) -> Address:
    return Address(row.person, row.channel, row.to)


def _told(incident: Incident, row: Delivery, then: Sequence[Delivery]) -> tuple[Incident, ...]:
    """Return the incident that knows its new addresses and drops one that failed; none if same."""
    failed = row.pages and row.state is DeliveryState.FAILED
    gone = _address(row) if failed else None
    added = (Address(one.person, one.channel, one.to) for one in then)
    told = tuple(dict.fromkeys((*(one for one in incident.told if one != gone), *added)))
    return () if told == incident.told else (replace(incident, told=told),)
