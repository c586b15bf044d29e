"""Runs drills, and remembers which contacts a drill has reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stewardmon.domain import answers, drill
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.incident import Incident
from stewardmon.domain.notification import DeliveryState, NotificationEvent
from stewardmon.domain.step import Step
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.responder import Responder
from stewardmon.errors import StewardmonError


class DrillError(StewardmonError):
    """A drill's record that cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """A contact that a drill arrived at, and when last."""

    channel: str
    to: str
    at: datetime


class Drills:
    """Starts drills and ends them; `reached` tells which contacts are known to work."""

    def __init__(self, ledger: Ledger, responder: Responder) -> None:
        self._ledger = ledger
        self._responder = responder
        self._reached: Kept[Reached] = Kept(
            "drill", ledger, write=_record_of, read=_from_record, changed=lambda _: None
        )

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process knew."""
        self._reached.restore(records)

    def reached(self) -> dict[tuple[str, str], datetime]:
        """Return when a drill last arrived, by channel and address."""
        return {(one.channel, one.to): one.at for one in self._reached.values.values()}

    async def begin(self, policy: str, level: int, by: By) -> Incident:
        """Page a level for practice. Raises AnswerError where there is no such level or nobody."""
        book = self._responder.book
        known = book.policies.get(policy)
        if known is None:
            names = ", ".join(book.policies)
            raise AnswerError(f"there is no policy {policy[:60]!r}; there are {names}")
        found = next((one for one in known.levels if one.number == level), None)
        if found is None:
            numbers = ", ".join(str(one.number) for one in known.levels)
            raise AnswerError(f"policy {policy} has no level {level}; it has {numbers}")
        step = drill.begin(known, found, by, roster=book.roster)
        return await self._responder.begin(step, now=by.at)

    async def tend(self, *, now: datetime) -> None:
        """Note what arrived, and end the drills that are over."""
        for incident in self._responder.open():
            if not drill.is_drill(incident):
                continue
            await self._note(incident)
            if drill.ends(incident, now=now):
                by = By(who="stewardmon", at=now, reason=_outcome(incident))
                await self._responder.answer(incident.id, _ended(by), now=now)

    async def _note(self, incident: Incident) -> None:
        rows = await self._ledger.deliveries(incident.id)
        found = {
            f"{row.channel}:{row.to}": Reached(
                channel=row.channel, to=row.to, at=row.settled_at or incident.opened_at
            )
            for row in rows
            if row.event is NotificationEvent.DRILL and row.state is DeliveryState.SENT
        }
        fresh = {key: one for key, one in found.items() if self._reached.values.get(key) != one}
        if fresh:
            await self._reached.put(fresh)


def _outcome(incident: Incident) -> str:
    if incident.acknowledged_at is None:
        return "nobody answered the drill"
    seconds = (incident.acknowledged_at - incident.opened_at).total_seconds()
    return f"{incident.acknowledged_by} answered the drill after {seconds:.0f} s"


def _ended(by: By) -> Callable[[Incident], Step]:
    return lambda one: answers.resolve(one, by, told=False)


def _record_of(reached: Reached) -> Mapping[str, object]:
    return {"channel": reached.channel, "to": reached.to, "at": reached.at.isoformat()}


def _from_record(_ident: str, record: Mapping[str, Any]) -> Reached:
    try:
        at = datetime.fromisoformat(record["at"])
        return Reached(channel=str(record["channel"]), to=str(record["to"]), at=at)
    except (KeyError, TypeError, ValueError) as error:
        raise DrillError(f"the state holds a drill that cannot be read: {error}") from None
