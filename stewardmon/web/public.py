"""What everybody may see where it is turned on: a status page without internals, and badges."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from html import escape
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.outcome import State
from stewardmon.engine.live import Live
from stewardmon.web import charts
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError
from stewardmon.web.tally import Tally, percent, summed, tone

PUBLIC: Final = "public:"  # a note that begins so is for everybody
SHOWN_FOR: Final = timedelta(days=14)
_WORDS: Final = {State.UP: "up", State.DEGRADED: "degraded", State.DOWN: "down"}
_COLOURS: Final = {"up": "#1b7a4b", "degraded": "#8f5b00", "down": "#b5261c", "unknown": "#5d6963"}
_WIDE: Final = 7  # units of a badge's letter, at its font


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One job as the public sees it."""

    name: str
    word: str
    bars: tuple[tuple[str, str], ...]
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What people said about an incident for everybody."""

    at: datetime
    text: str
    over: bool


def routes(front: Front, *, shown: bool) -> list[Route]:
    """Return the public addresses; where they are off, they answer that there is nothing."""
    live = front.live

    async def status(request: Request) -> Response:
        _must_be_shown(shown)
        now = live.clock.now()
        parts = [part(live, front.tally, job, today=now.date()) for job in jobs(live)]
        return front.page(
            request,
            "public.html",
            now=now,
            parts_shown=parts,
            said=sentence(parts),
            notes=await notes(live, now=now),
        )

    async def badge(request: Request) -> Response:
        _must_be_shown(shown)
        job = request.path_params["job"]
        if job not in jobs(live):
            raise RequestError(f"there is no job {job[:60]}", 404)
        today = live.clock.now().astimezone(UTC).date()
        one = part(live, front.tally, job, today=today)
        text = drawn(job, f"{one.word}, {one.share}", _COLOURS[one.word])
        headers = {
            "Cache-Control": "public, max-age=30",
            "Cross-Origin-Resource-Policy": "cross-origin",
        }
        return Response(text, media_type="image/svg+xml", headers=headers)

    return [Route("/status", status), Route("/badge/{job}.svg", badge)]


def jobs(live: Live) -> Sequence[str]:
    """Return every job once, in the configuration's order."""
    return tuple(dict.fromkeys(spec.job for spec in live.config.probes))


def part(live: Live, tally: Tally, job: str, *, today: date) -> Part:
    """Return how a job stands and stood: its probes together, without a word of why."""
    names = [spec.name for spec in live.config.probes if spec.job == job]
    seen = [live.observations.latest[name] for name in names if name in live.observations.latest]
    courses = [tally.course(name, today=today) for name in names]
    course = [summed(counts) for counts in zip(*courses, strict=True)]
    return Part(
        name=job,
        word=worst(one.outcome.state for one in seen),
        bars=charts.bars([tone(day) for day in course]),
        share=percent(summed(course).share),
    )


def worst(states: Iterable[State]) -> str:
    """Return the word for several states: down, degraded, up; unknown where none is known."""
    words = {_WORDS[state] for state in states if state in _WORDS}
    return next((word for word in ("down", "degraded", "up") if word in words), "unknown")


def sentence(parts: Sequence[Part]) -> tuple[str, str]:
    """Return the whole in one sentence, and its tone."""
    failing = [part.name for part in parts if part.word == "down"]
    if failing:
        return f"{', '.join(failing)}: not available at the moment.", "bad"
    if any(part.word == "degraded" for part in parts):
        return "Some things work less well than they should.", "poor"
    if parts and all(part.word == "unknown" for part in parts):
        return "The state is not known yet.", "none"
    return "Everything works.", "fine"


async def notes(live: Live, *, now: datetime) -> list[Note]:
    """Return the public notes of the last days, newest first."""
    events = await live.ledger.store.events_between(now - SHOWN_FOR, now + timedelta(seconds=1))
    return [
        Note(at=event.at, text=event.detail[len(PUBLIC) :].strip(), over=_is_over(live, event))
        for event in reversed(events)
        if event.kind is EventKind.NOTE and event.detail.lower().startswith(PUBLIC)
    ][:50]


def drawn(name: str, word: str, colour: str) -> str:
    """Return a badge: a name and a word side by side."""
    left, right = (_WIDE * len(text) + 12 for text in (name, word))
    words = escape(f"{name}: {word}")
    label = 'font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" fill="#fff"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" '
        f'aria-label="{words}"><title>{words}</title>'
        f'<rect width="{left + right}" height="20" rx="4" fill="#3a4540"/>'
        f'<rect x="{left}" width="{right}" height="20" rx="4" fill="{colour}"/>'
        f'<rect x="{left}" width="4" height="20" fill="{colour}"/>'
        f'<g {label} text-anchor="middle"><text x="{left / 2:g}" y="14">{escape(name)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{escape(word)}</text></g></svg>\n'
    )


def _must_be_shown(shown: bool) -> None:
    if not shown:
        raise RequestError("There is no such address.", 404)


def _is_over(live: Live, event: Event) -> bool:
    incident: Incident | None = live.responder.incidents.get(event.incident)
    return incident is None or not incident.open
