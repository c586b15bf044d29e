"""One move of an incident: its new state, what the timeline says of it, whom to call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stewardmon.domain.incident import Address, Event, Incident
from stewardmon.domain.notification import PAGES, NotificationEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Something to say to one person over one of their contacts.

    `contact` is the contact's place in the person's list; `turn` tells calls of one level apart
    (the round of the matrix and the reminder's number), so that dedup keys are stable and unique.
    """

    event: NotificationEvent
    level: int
    role: str
    address: Address
    contact: int
    turn: str
    actor: str = ""
    reason: str = ""

    @property
    def pages(self) -> bool:
        """Say whether the call asks somebody to act."""
        return self.event in PAGES

    def dedup_key(self, incident: str) -> str:
        """Return the key under which this call is made once, whatever crashes or retries."""
        where = f"{self.address.person}.{self.contact}.{self.address.channel}"
        return f"{incident}:{self.turn}:{self.event.value}:{self.level}:{where}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one decision did to one incident; `cancels` says why unsent pages are taken back."""

    incident: Incident
    events: tuple[Event, ...] = ()
    calls: tuple[Call, ...] = ()
    cancels: str = ""

    def then(self, following: Callable[[Incident], Step]) -> Step:
        """Return this step and the one that follows from its incident, as one."""
        after = following(self.incident)
        return Step(
            incident=after.incident,
            events=self.events + after.events,
            calls=self.calls + after.calls,
            cancels=after.cancels or self.cancels,
        )


def still(incident: Incident) -> Step:
    """Return the step that changes nothing."""
    return Step(incident=incident)


def tell(
    incident: Incident, event: NotificationEvent, *, actor: str, reason: str
) -> tuple[Call, ...]:
    """Return the calls that tell everybody who was paged, save whoever has acknowledged."""
    return tuple(
        Call(
            event=event,
            level=incident.reached,
            role="",
            address=address,
            contact=place,
            turn=f"r{incident.round}.{incident.flips}",
            actor=actor,
            reason=reason,
        )
        for place, address in enumerate(incident.told)
        if not (event is NotificationEvent.ACKNOWLEDGED and address.person == actor)
    )


def remember(incident: Incident, calls: tuple[Call, ...]) -> Incident:
    """Return the incident that knows whom it has paged, each address once, in order."""
    fresh = tuple(dict.fromkeys(call.address for call in calls))
    return replace(incident, told=tuple(dict.fromkeys((*incident.told, *fresh))))


def forget(incident: Incident, address: Address) -> Incident:
    """Return the incident without an address that could not be reached."""
    return replace(incident, told=tuple(known for known in incident.told if known != address))
