"""What pages cost people: how many each got, and in how many nights."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from stewardmon.domain.incident import Event, EventKind
from stewardmon.domain.oncall import Person

NIGHT: Final = (22, 6)  # from this local hour to that
_PAGE: Final = re.compile(r"(?:page|escalated|reminder) to (\S+) over \S+, attempt")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What one person got: pages, and the nights in which there were any."""

    person: str
    pages: int
    nights: int
    at_night: int


def pages(events: Iterable[Event]) -> Iterable[tuple[str, datetime]]:
    """Yield whom each delivered page reached, and when: resolves and the like do not count."""
    for event in events:
        found = _PAGE.match(event.detail) if event.kind is EventKind.SENT else None
        if found is not None:
            yield found[1], event.at


def loads(sent: Sequence[tuple[str, datetime]], people: Mapping[str, Person]) -> tuple[Load, ...]:
    """Return what each person got, most paged first; nights are by the person's own clock."""
    counts = Counter(person for person, _ in sent)
    nights: dict[str, Counter[date]] = {person: Counter() for person in counts}
    for person, at in sent:
        known = people.get(person)
        night = night_of(at, known.timezone if known is not None else ZoneInfo("UTC"))
        if night is not None:
            nights[person][night] += 1
    return tuple(
        Load(
            person=people[person].name if person in people else person,
            pages=count,
            nights=len(nights[person]),
            at_night=nights[person].total(),
        )
        for person, count in counts.most_common()
    )


def night_of(at: datetime, zone: ZoneInfo) -> date | None:
    """Return the day on whose evening the night began, None by day."""
    local = at.astimezone(zone)
    late, early = NIGHT
    if early <= local.hour < late:
        return None
    return local.date() if local.hour >= late else local.date() - timedelta(days=1)
