"""Silences and maintenance windows as people set them while the daemon runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from stewardmon.domain import maintenance, silence
from stewardmon.domain.incident import Event, EventKind, Incident
from stewardmon.domain.maintenance import Maintenance, MaintenanceError
from stewardmon.domain.silence import Silence, SilenceError, SilenceState
from stewardmon.domain.step import Step
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.mutes import Mutes
from stewardmon.engine.responder import Responder

KEPT_FOR: Final = timedelta(hours=120)  # after its end, as Alertmanager keeps them
REPLAYED_FOR: Final = timedelta(days=30)  # as long as samples are kept raw
AT_MOST: Final = 10_000
ASKED_TWICE_WITHIN: Final = timedelta(minutes=5)


class Silences:
    """Adds, replaces and ends silences and windows; says when one is about to end."""

    def __init__(self, ledger: Ledger, responder: Responder, mutes: Mutes) -> None:
        self._responder = responder
        self._mutes = mutes
        self._silences: Kept[Silence] = Kept(
            "silence",
            ledger,
            write=silence.record_of,
            read=silence.from_record,
            changed=mutes.set_silences,
        )
        self._windows: Kept[Maintenance] = Kept(
            "maintenance",
            ledger,
            write=maintenance.record_of,
            read=maintenance.from_record,
            changed=mutes.set_windows,
        )
        # What is over, for whoever asks later why nobody was paged, and for replays.
        self._past: Kept[Maintenance] = Kept(
            "maintenance_past",
            ledger,
            write=maintenance.record_of,
            read=maintenance.from_record,
            changed=lambda _: None,
        )
        self._past_silences: Kept[Silence] = Kept(
            "silence_past",
            ledger,
            write=silence.record_of,
            read=silence.from_record,
            changed=lambda _: None,
        )
        self._asked: dict[frozenset[str], datetime] = {}

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process kept."""
        self._silences.restore(records)
        self._windows.restore(records)
        self._past.restore(records)
        self._past_silences.restore(records)

    # Silences

    def listed(self) -> tuple[Silence, ...]:
        """Return every silence that is known, expired ones too, by their ends."""
        return tuple(sorted(self._silences.values.values(), key=lambda one: (one.ends_at, one.id)))

    def get(self, ident: str) -> Silence | None:
        """Return one silence, None where there is none of that id."""
        return self._silences.values.get(ident)

    async def put(self, wanted: Silence, *, now: datetime, sure: bool = False) -> Silence:
        """Add a silence, or change the one of its id; return it as it then stands.

        One that would mute practically everything is refused the first time, unless `sure`: it
        must be asked for twice. Raises SilenceError.
        """
        silence.check(wanted, now=now)
        old = self._silences.values.get(wanted.id) if wanted.id else None
        if wanted.id and old is None:
            raise SilenceError(f"there is no silence {wanted.id[:60]}")
        if not sure and (old is None or set(old.matchers) != set(wanted.matchers)):
            self._must_be_meant(wanted, now=now)
        wanted = replace(wanted, updated_at=now, warned=False)
        if old is not None and silence.replaces_in_place(old, wanted, now=now):
            await self._silences.put({wanted.id: wanted})
            return wanted
        if len(self._silences.values) >= AT_MOST:
            raise SilenceError(f"there are {AT_MOST} silences already: expire some first")
        fresh = replace(wanted, id=str(uuid4()), starts_at=_spoken(max(wanted.starts_at, now)))
        ended = {} if old is None or old.ends_at <= now else {old.id: old.expired(now)}
        await self._silences.put({**ended, fresh.id: fresh})
        return fresh

    async def expire(self, ident: str, *, now: datetime) -> Silence:
        """End a silence at once. Raises SilenceError for one that is not known or is over."""
        known = self._silences.values.get(ident)
        if known is None:
            raise SilenceError(f"there is no silence {ident[:60]}")
        if known.state(now) is SilenceState.EXPIRED:
            raise SilenceError(f"silence {ident[:60]} already expired")
        ended = known.expired(now)
        await self._silences.put({ident: ended})
        return ended

    def _must_be_meant(self, wanted: Silence, *, now: datetime) -> None:
        if not silence.is_sweeping(wanted.matchers):
            return
        asked = frozenset(str(matcher) for matcher in wanted.matchers)
        before = self._asked.get(asked)
        self._asked = {one: at for one, at in self._asked.items() if now - at <= ASKED_TWICE_WITHIN}
        if before is None or now - before > ASKED_TWICE_WITHIN:
            self._asked[asked] = now
            raise SilenceError(
                "this silence matches every alert, so that nobody would be paged for anything: "
                f"ask for it again within {ASKED_TWICE_WITHIN.seconds // 60} minutes if that is "
                "what you want"
            )
        self._asked.pop(asked, None)

    # Maintenance windows

    def windows(self) -> Sequence[Maintenance]:
        """Return the windows of the files and those set at run time."""
        return self._mutes.windows

    def past_windows(self) -> tuple[Maintenance, ...]:
        """Return the windows set at run time that ended lately."""
        return tuple(self._past.values.values())

    async def open_window(self, window: Maintenance, *, now: datetime) -> Maintenance:
        """Add a window; return it with its id. Raises MaintenanceError for one that is over."""
        if window.over(now):
            raise MaintenanceError("a maintenance window must end in the future")
        if len(self._windows.values) >= AT_MOST:
            raise MaintenanceError(f"there are {AT_MOST} maintenance windows already")
        known = replace(window, id=str(uuid4()))
        await self._windows.put({known.id: known})
        return known

    async def close_window(self, ident: str, *, now: datetime) -> None:
        """End a window set at run time. Raises MaintenanceError where there is none."""
        if ident not in self._windows.values:
            raise MaintenanceError(f"no maintenance window {ident[:60]} was set at run time")
        await self._end([ident], now=now)

    async def _end(self, idents: Sequence[str], *, now: datetime) -> None:
        windows = (self._windows.values[ident] for ident in idents)
        past = {window.id: ended for window in windows if (ended := window.ended(now))}
        if past:
            await self._past.put(past)
        await self._windows.drop(idents)

    # Time

    async def tend(self, *, now: datetime) -> None:
        """Say which silences end soon, and forget what has been over for long."""
        ending = [one for one in self._silences.values.values() if one.ends_soon(now)]
        for one in ending:
            await self._tell(one, now=now)
        if ending:
            await self._silences.put({one.id: replace(one, warned=True) for one in ending})
        old = {
            one.id: one for one in self._silences.values.values() if now - one.ends_at > KEPT_FOR
        }
        if old:
            await self._past_silences.put(old)
            await self._silences.drop(old)
        await self._end([one.id for one in self._windows.values.values() if one.over(now)], now=now)
        long_ago = now - REPLAYED_FOR
        windows, silences = self._past.values.values(), self._past_silences.values.values()
        await self._past.drop([one.id for one in windows if one.over(long_ago)])
        await self._past_silences.drop([one.id for one in silences if one.ends_at < long_ago])

    async def _tell(self, ending: Silence, *, now: datetime) -> None:
        detail = f"silence {ending.id} ends soon: {ending.described()}"
        for incident in _muted_by(ending, self._responder.open()):
            event = Event(incident=incident.id, at=now, kind=EventKind.NOTE, detail=detail)
            await self._responder.answer(incident.id, _saying(event), now=now)


def _spoken(at: datetime) -> datetime:
    """Return a time as Alertmanager's API can say it: a start must come back as it was given."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def _saying(event: Event) -> Callable[[Incident], Step]:
    return lambda one: Step(incident=one, events=(event,))


def _muted_by(ending: Silence, incidents: Iterable[Incident]) -> list[Incident]:
    return [
        one
        for one in incidents
        if one.muted_by and any(ending.accepts(alert.labels) for alert in one.alerts.values())
    ]
