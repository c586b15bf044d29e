"""The on-call page: who has the pager now, the coming weeks, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain.oncall import Override, Roster
from stewardmon.domain.rota import lint
from stewardmon.engine.live import Live
from stewardmon.web import rota
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError

WEEKS: tuple[int, ...] = (2, 4, 8, 13)
UPCOMING = timedelta(days=180)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """The weeks of one rotation."""

    rotation: str
    zone: str
    weeks: Sequence[Sequence[rota.Day]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Whom one level of a policy would page now."""

    policy: str
    number: int
    role: str
    after: timedelta
    people: tuple[str, ...]


def routes(front: Front) -> list[Route]:
    """Return the address of the on-call page."""
    live = front.live

    async def show(request: Request) -> Response:
        count = _weeks(request.query_params.get("weeks", "4"))
        now = live.clock.now()
        roster = live.responder.book.roster
        return front.page(
            request,
            "oncall.html",
            duties=rota.duties(roster, now=now),
            calendars=calendars(roster, now=now, count=count),
            levels=levels(live, now=now),
            lacks=lint(
                roster, live.responder.book.policies, now=now, drilled=live.drills.reached()
            ),
            name_of=rota.name_of,
            overrides=_overrides(roster, now=now),
            people=sorted(roster.people.values(), key=lambda one: one.id),
            roster=roster,
            weeks=WEEKS,
            count=count,
            zone="other",
        )

    return [Route("/oncall", show)]


def calendars(roster: Roster, *, now: datetime, count: int) -> list[Calendar]:
    """Return every rotation's weeks, each by its own clock."""
    return [
        Calendar(
            rotation=name,
            zone=rotation.timezone.key,
            weeks=rota.weeks(roster, name, now=now, zone=rotation.timezone, count=count),
        )
        for name, rotation in roster.rotations.items()
    ]


def levels(live: Live, *, now: datetime) -> list[Page]:
    """Return whom each level of each policy would page at `now`."""
    book = live.responder.book
    found = []
    for name, policy in book.policies.items():
        for level in policy.levels:
            people = [book.roster.find(target, now) for target in level.page]
            found.append(
                Page(
                    policy=name,
                    number=level.number,
                    role=level.role,
                    after=level.after,
                    people=tuple(one.name for one in people if one is not None),
                )
            )
    return found


def _overrides(roster: Roster, *, now: datetime) -> list[Override]:
    coming = [one for one in roster.overrides if now < one.end and one.start < now + UPCOMING]
    return sorted(coming, key=lambda one: one.start)


def _weeks(text: str) -> int:
    if text not in {str(count) for count in WEEKS}:
        raise RequestError(f"weeks is one of {', '.join(str(count) for count in WEEKS)}")
    return int(text)
