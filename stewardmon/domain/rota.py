"""Who is on call when, as exact spans; what is missing in a rota; a calendar of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from stewardmon.domain.oncall import Layer, Roster, Rotation
from stewardmon.domain.policy import Policy

_DAY: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=28)
GAPS_NAMED: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From `start` to `end` (UTC, not included) one person has a rotation; "" is nobody."""

    rotation: str
    person: str
    start: datetime
    end: datetime
    override: bool = False


def spans(roster: Roster, rotation: str, *, start: datetime, end: datetime) -> Iterator[Span]:
    """Yield who has a rotation between two instants, in order and without a hole."""
    known = roster.rotations.get(rotation)
    if known is None or end <= start:
        return
    inside = {at for at in _edges(roster, known, start, end) if start < at < end}
    begun, holder, over = start, *_holder(roster, rotation, start)
    for at in sorted(inside):
        person, stands_in = _holder(roster, rotation, at)
        if (person, stands_in) != (holder, over):
            yield Span(rotation=rotation, person=holder, start=begun, end=at, override=over)
            begun, holder, over = at, person, stands_in
    yield Span(rotation=rotation, person=holder, start=begun, end=end, override=over)


def _holder(roster: Roster, rotation: str, at: datetime) -> tuple[str, bool]:
    over = any(one.rotation == rotation and one.start <= at < one.end for one in roster.overrides)
    return roster.on_call(rotation, at) or "", over


def _edges(
    roster: Roster, rotation: Rotation, start: datetime, end: datetime
) -> Iterator[datetime]:
    """Yield every instant at which a rotation may change hands."""
    for over in roster.overrides:
        if over.rotation == rotation.name:
            yield over.start
            yield over.end
    for layer in (rotation, *rotation.layers):
        for day in _days(layer, start, end):
            if (day - layer.start).days % layer.every_days == 0:
                yield layer.handover_on(day)
            for hours in layer.hours:
                if day.weekday() in hours.days:
                    yield from hours.span(day, layer.timezone)


def _days(layer: Layer, start: datetime, end: datetime) -> Iterator[date]:
    day = start.astimezone(layer.timezone).date() - _DAY
    last = end.astimezone(layer.timezone).date()
    while day <= last:
        yield day
        day += _DAY


def lint(
    roster: Roster,
    policies: Mapping[str, Policy],
    *,
    now: datetime,
    drilled: Mapping[tuple[str, str], datetime] | None = None,
    ahead: timedelta = AHEAD,
) -> tuple[str, ...]:
    """Return what could leave a page without anybody, in sentences.

    Gaps in cover, people whom nothing reaches, one person on two levels of a policy at once, and
    contacts never drilled (`drilled` maps channel and address to when one arrived; None where
    that is not known).
    """
    found = list(_gaps(roster, now=now, ahead=ahead))
    paged = _paged(roster, policies)
    for ident in sorted(paged):
        person = roster.people.get(ident)
        if person is None:
            found.append(f"{ident} is to be paged and is no person that exists")
        elif not roster.contacts(person):
            found.append(f"{ident} has no contact over a channel that exists")
        elif drilled is not None:
            found += [
                f"{ident} was never drilled over {contact.channel}: run `stewardmon oncall drill`"
                for _, contact in roster.contacts(person)
                if (contact.channel, contact.to) not in drilled
            ]
    return (*found, *_doubled(roster, policies, now=now, ahead=ahead))


def _gaps(roster: Roster, *, now: datetime, ahead: timedelta) -> Iterator[str]:
    for name in roster.rotations:
        gaps = [one for one in spans(roster, name, start=now, end=now + ahead) if not one.person]
        for gap in gaps[:GAPS_NAMED]:
            yield f"nobody has {name} from {_said(gap.start)} to {_said(gap.end)}"
        if len(gaps) > GAPS_NAMED:
            more = len(gaps) - GAPS_NAMED
            yield f"nobody has {name} in {more} further spans of {ahead.days} days"


def _paged(roster: Roster, policies: Mapping[str, Policy]) -> set[str]:
    targets = (target for one in policies.values() for level in one.levels for target in level.page)
    return {person for target in targets for person in _members(roster, target)}


def _members(roster: Roster, target: str) -> Iterable[str]:
    rotation = roster.rotations.get(target)
    if rotation is None:
        return (target,)
    over = (one.person for one in roster.overrides if one.rotation == target)
    return {*rotation.people, *(ident for one in rotation.layers for ident in one.people), *over}


def _doubled(
    roster: Roster, policies: Mapping[str, Policy], *, now: datetime, ahead: timedelta
) -> Iterator[str]:
    """Say where escalating from one level to another would reach the same person again."""
    for policy in policies.values():
        held = [
            (level.number, one)
            for level in policy.levels
            for target in level.page
            for one in _held(roster, target, now=now, end=now + ahead)
        ]
        said: set[tuple[str, int, int]] = set()
        for place, (number, one) in enumerate(held):
            for other_number, other in held[place + 1 :]:
                key = (one.person, number, other_number)
                both = one.person and one.person == other.person and number != other_number
                if both and one.start < other.end and other.start < one.end and key not in said:
                    said.add(key)
                    at = max(one.start, other.start)
                    yield (
                        f"{one.person} is on levels {number} and {other_number} of {policy.name} "
                        f"at once, such as on {_said(at)}: the higher one reaches nobody new"
                    )


def _held(roster: Roster, target: str, *, now: datetime, end: datetime) -> Iterator[Span]:
    if target in roster.rotations:
        return spans(roster, target, start=now, end=end)
    return iter((Span(rotation="", person=target, start=now, end=end),))


def _said(at: datetime) -> str:
    return f"{at.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC"
