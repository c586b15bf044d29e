"""Whom would an alert page? The matrix laid out in time, before anything has happened."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from stewardmon.domain.labels import Labels
from stewardmon.domain.oncall import Contact, Roster
from stewardmon.domain.policy import Level, Policy
from stewardmon.domain.route import Route, route_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One target of one level: who that is when the level is reached; "" for nobody."""

    policy: str
    level: Level
    at: datetime
    target: str
    person: str
    contacts: tuple[Contact, ...]


def turns(
    labels: Mapping[str, str],
    routes: Sequence[Route],
    policies: Mapping[str, Policy],
    roster: Roster,
    *,
    at: datetime,
) -> tuple[Turn, ...]:
    """Return whom an alert that fires at `at` pages if nobody answers; empty without a route."""
    whole = Labels(labels)
    route = route_for(whole, routes)
    if route is None or route.policy not in policies:
        return ()
    policy = policies[route.policy].narrowed(levels=route.levels)
    begins = at + route.wait(whole.value("severity") or "critical")
    found = []
    for level in policy.levels:
        for target in level.page:
            reached_at = begins + level.after
            person = roster.find(target, reached_at)
            contacts = () if person is None else roster.contacts(person)
            found.append(
                Turn(
                    policy=policy.name,
                    level=level,
                    at=reached_at,
                    target=target,
                    person=person.id if person is not None and contacts else "",
                    contacts=tuple(contact for _, contact in contacts),
                )
            )
    return tuple(found)
