"""Changes to the rota while the daemon runs: overrides and swaps, laid over those of the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

from stewardmon.domain import rota
from stewardmon.domain.oncall import Override, Roster
from stewardmon.engine.kept import Kept
from stewardmon.engine.ledger import Ledger
from stewardmon.engine.responder import Responder
from stewardmon.errors import StewardmonError

AT_MOST: Final = 5_000
LONGEST: Final = timedelta(days=366)
KEPT_FOR: Final = timedelta(days=90)  # after its end, for reports and the calendar's past


class RotaError(StewardmonError):
    """An override or swap that cannot be, as one sentence."""


class Rota:
    """Overrides set at run time; the responder's roster always holds them over the files'."""

    def __init__(self, ledger: Ledger, responder: Responder) -> None:
        self._responder = responder
        self._of_files: Roster = responder.book.roster
        self._overrides: Kept[Override] = Kept(
            "override",
            ledger,
            write=_record_of,
            read=_from_record,
            changed=lambda _: self._lay(),
        )
        self._feeds: Kept[tuple[Override, ...]] = Kept(
            "calendar", ledger, write=_feed_of, read=_from_feed, changed=lambda _: self._lay()
        )

    @property
    def roster(self) -> Roster:
        """Return the roster in force."""
        return self._responder.book.roster

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Go on with what a former process kept."""
        self._overrides.restore(records)
        self._feeds.restore(records)

    def change(self, roster: Roster) -> None:
        """Lay what was set at run time over a roster newly read."""
        self._of_files = roster
        self._lay()

    def listed(self) -> tuple[Override, ...]:
        """Return the overrides set at run time, by their beginnings."""
        return tuple(sorted(self._overrides.values.values(), key=lambda one: one.start))

    async def add(self, override: Override, *, now: datetime) -> Override:
        """Let somebody stand in; return the override with its id. Raises RotaError."""
        self._check(override, now=now)
        known = replace(override, id=str(uuid4()))
        await self._overrides.put({known.id: known})
        return known

    async def swap(
        self, rotation: str, first: datetime, second: datetime, *, now: datetime
    ) -> tuple[Override, Override]:
        """Let the people of the two shifts that hold these instants take each other's.

        Raises RotaError where one of them is nobody's, or both are the same person's.
        """
        one, other = self._shift(rotation, first), self._shift(rotation, second)
        if one.person == other.person:
            raise RotaError(f"{one.person} has both shifts of {rotation}: nothing to swap")
        swapped = (
            Override(rotation=rotation, person=other.person, start=one.start, end=one.end),
            Override(rotation=rotation, person=one.person, start=other.start, end=other.end),
        )
        for override in swapped:
            self._check(override, now=now)
        known = tuple(replace(override, id=str(uuid4())) for override in swapped)
        await self._overrides.put({override.id: override for override in known})
        return known[0], known[1]

    async def remove(self, ident: str) -> None:
        """Take an override back. Raises RotaError for one that was not set at run time."""
        if ident not in self._overrides.values:
            raise RotaError(f"no override {ident[:60]} was set at run time")
        await self._overrides.drop([ident])

    async def set_feed(self, rotation: str, overrides: tuple[Override, ...]) -> None:
        """Take what a rotation's calendar says now; kept, for when it cannot be asked."""
        if self._feeds.values.get(rotation) != overrides:
            await self._feeds.put({rotation: overrides})

    async def tend(self, *, now: datetime) -> None:
        """Forget what has been over for long."""
        await self._overrides.drop(
            [one.id for one in self._overrides.values.values() if now - one.end > KEPT_FOR]
        )

    def _check(self, override: Override, *, now: datetime) -> None:
        if override.rotation not in self.roster.rotations:
            raise RotaError(f"there is no rotation {override.rotation[:60]!r}")
        if override.person not in self.roster.people:
            raise RotaError(f"there is no person {override.person[:60]!r}")
        if override.end <= override.start:
            raise RotaError("an override must end after it begins")
        if override.end <= now:
            raise RotaError("an override must end in the future")
        if override.end - override.start > LONGEST:
            raise RotaError(f"an override lasts at most {LONGEST.days} days")
        if len(self._overrides.values) >= AT_MOST:
            raise RotaError(f"there are {AT_MOST} overrides already: remove some first")

    def _shift(self, rotation: str, at: datetime) -> rota.Span:
        if rotation not in self.roster.rotations:
            raise RotaError(f"there is no rotation {rotation[:60]!r}")
        around = rota.spans(
            self.roster, rotation, start=at - rota.AHEAD * 2, end=at + rota.AHEAD * 2
        )
        found = next((one for one in around if one.start <= at < one.end), None)
        if found is None or not found.person:
            raise RotaError(f"nobody has {rotation} at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC")
        return found

    def _lay(self) -> None:
        # The one written last wins: the calendar first, then the files, then the run time.
        rotations = self._of_files.rotations
        fed = (
            one
            for name, found in self._feeds.values.items()
            if name in rotations and rotations[name].calendar
            for one in found
        )
        over = (*fed, *self._of_files.overrides, *self._overrides.values.values())
        book = self._responder.book
        self._responder.book = replace(book, roster=replace(self._of_files, overrides=over))


def _feed_of(overrides: tuple[Override, ...]) -> Mapping[str, object]:
    return {"overrides": [{"id": one.id, **_record_of(one)} for one in overrides]}


def _from_feed(_rotation: str, record: Mapping[str, Any]) -> tuple[Override, ...]:
    found = record.get("overrides")
    if not isinstance(found, list):
        raise RotaError("the state holds a calendar that cannot be read")
    return tuple(_from_record(str(one.get("id", "")), one) for one in found)


def _record_of(override: Override) -> Mapping[str, object]:
    return {
        "rotation": override.rotation,
        "person": override.person,
        "start": override.start.isoformat(),
        "end": override.end.isoformat(),
    }


def _from_record(ident: str, record: Mapping[str, Any]) -> Override:
    try:
        return Override(
            id=ident,
            rotation=str(record["rotation"]),
            person=str(record["person"]),
            start=datetime.fromisoformat(record["start"]).astimezone(UTC),
            end=datetime.fromisoformat(record["end"]).astimezone(UTC),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RotaError(f"the state holds an override that cannot be read: {error}") from None
