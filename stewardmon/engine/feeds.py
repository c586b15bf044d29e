"""Rotas kept in a calendar: fetched within bounds, read into overrides, kept when it fails."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import structlog

from stewardmon import metrics
from stewardmon.domain.localtime import first_instant
from stewardmon.domain.oncall import Override, Person, Roster
from stewardmon.engine.rota import Rota
from stewardmon.errors import StewardmonError
from stewardmon.ports import Clock

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=15)
LOOK_EVERY: Final = 10.0  # seconds
TIMEOUT: Final = 10.0  # seconds for a whole answer: one that drips does not count as one
BYTES_AT_MOST: Final = 1 << 20
EVENTS_AT_MOST: Final = 2_000
BACK, AHEAD = timedelta(days=7), timedelta(days=92)
# What could make millions of shifts of one event: nobody hands over every minute.
_FOLD: Final = re.compile(rb"\r?\n[ \t]")  # a long line goes on in the next (RFC 5545, 3.1)
_EXPLODING: Final = re.compile(rb"FREQ=(?:SECONDLY|MINUTELY)|BYSECOND=|BYMINUTE=", re.IGNORECASE)


class FeedError(StewardmonError):
    """A calendar that could not be fetched or read, as one sentence without its address."""


class Feeds:
    """Fetches the calendar of every rotation that names one, and lays it over the rotation."""

    def __init__(
        self, rota: Rota, clock: Clock, *, beat: Callable[[], None] = lambda: None
    ) -> None:
        self._rota = rota
        self._clock = clock
        self._beat = beat
        self._due: dict[str, datetime] = {}

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self.look(now=self._clock.now())
            self._beat()
            await self._clock.sleep(LOOK_EVERY)

    async def look(self, *, now: datetime) -> None:
        """Fetch what is due. A calendar that fails keeps what was last read from it."""
        for name, rotation in self._rota.roster.rotations.items():
            if not rotation.calendar or self._due.get(name, now) > now:
                continue
            self._due[name] = now + EVERY
            try:
                content = await fetch(rotation.calendar)
                found = await asyncio.to_thread(
                    read, content, name, self._rota.roster, start=now - BACK, end=now + AHEAD
                )
                await self._rota.set_feed(name, found)
            except FeedError as error:
                log.warning("calendar_failed", rotation=name, error=str(error))
                metrics.CALENDAR_FAILURES.labels(name).inc()
            else:
                metrics.CALENDAR_FAILURES.labels(name).set(0)


async def fetch(url: str) -> bytes:
    """Return the calendar at an address, redirects not followed. Raises FeedError."""
    import httpx  # noqa: PLC0415 - most rotas stand in oncall.yml

    body = bytearray()
    try:
        async with (
            asyncio.timeout(TIMEOUT),
            httpx.AsyncClient(trust_env=False, timeout=TIMEOUT) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise FeedError(f"the calendar answered {answer.status_code}")
            async for chunk in answer.aiter_bytes():
                body += chunk
                if len(body) > BYTES_AT_MOST:
                    raise FeedError(f"the calendar is larger than {BYTES_AT_MOST} bytes")
    except TimeoutError:
        raise FeedError(f"the calendar did not answer within {TIMEOUT:.0f} s") from None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise FeedError(f"the calendar could not be fetched: {type(error).__name__}") from None
    return bytes(body)


def read(
    content: bytes, rotation: str, roster: Roster, *, start: datetime, end: datetime
) -> tuple[Override, ...]:
    """Return who stands in when, by the calendar's events between two instants.

    An event names a person by its summary (id or name, also after a colon) or by an attendee who
    is one of a person's contacts. Events of nobody that is known are passed over. Raises FeedError
    for what is no calendar, and for one that recurs without measure.
    """
    try:
        import icalendar  # noqa: PLC0415 - an extra
        import recurring_ical_events  # noqa: PLC0415 - an extra
    except ImportError:
        raise FeedError("calendars need the extra: pip install 'stewardmon[calendar]'") from None
    content = _FOLD.sub(b"", content)
    if content.count(b"BEGIN:VEVENT") > EVENTS_AT_MOST:
        raise FeedError(f"the calendar has more than {EVENTS_AT_MOST} events")
    if _EXPLODING.search(content):
        raise FeedError("the calendar has an event that recurs by the minute or second")
    try:
        parsed = icalendar.Calendar.from_ical(content)
        events = recurring_ical_events.of(parsed).between(start, end)
        zone = roster.rotations[rotation].timezone
        found = [_override(one, rotation, roster.people, zone) for one in events]
    except Exception as error:  # noqa: BLE001 - the libraries raise whatever garbage makes of them
        raise FeedError(f"the calendar cannot be read: {type(error).__name__}") from None
    return tuple(sorted((one for one in found if one), key=lambda one: one.start))


def _override(
    event: Any, rotation: str, people: Mapping[str, Person], zone: ZoneInfo
) -> Override | None:
    person = _person(event, people)
    start, end = (_instant(event.get(key), zone) for key in ("DTSTART", "DTEND"))
    if person is None or start is None or end is None or end <= start:
        return None
    ident = f"calendar:{rotation}:{start:%Y%m%dT%H%M%SZ}"
    return Override(rotation=rotation, person=person, start=start, end=end, id=ident)


def _instant(value: Any, zone: ZoneInfo) -> datetime | None:
    if value is None:
        return None
    at = value.dt
    if isinstance(at, datetime):
        return first_instant(at, zone) if at.tzinfo is None else at.astimezone(UTC)
    return first_instant(datetime.combine(at, time()), zone) if isinstance(at, date) else None


def _person(event: Any, people: Mapping[str, Person]) -> str | None:
    summary = str(event.get("SUMMARY", "")).strip()
    words = {summary.casefold(), summary.rpartition(":")[2].strip().casefold()}
    attendees = event.get("ATTENDEE", [])
    listed = attendees if isinstance(attendees, list) else [attendees]
    mails = {urlsplit(str(one)).path.casefold() for one in listed}
    for person in people.values():
        if {person.id.casefold(), person.name.casefold()} & words:
            return person.id
    return next(
        (one.id for one in people.values() if mails & _addresses(one)),
        None,
    )


def _addresses(person: Person) -> set[str]:
    return {contact.to.casefold() for contact in person.contacts}
