"""Rotations and overrides of oncall.yml: who has the telephone when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from stewardmon.config.binding import bind, entries_of, items_of, mapping
from stewardmon.config.handover import Handover, read_handover
from stewardmon.config.hours import read_hours
from stewardmon.config.localtime import noted_instant
from stewardmon.config.names import misnamed
from stewardmon.config.nodes import Entries, Place, find
from stewardmon.config.people import known_person
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Day, Duration, Entry, Names, Zone
from stewardmon.domain.oncall import Hours, Layer, Override, Rotation
from stewardmon.settings import Secret

_DAY: Final = timedelta(days=1)
_UTC: Final = ZoneInfo("UTC")
# A Monday, from which rotations count that name no start.
_FIRST_MONDAY: Final = date(2024, 1, 1)


class LayerEntry(Entry):
    """People who take turns, always or in some hours."""

    people: Annotated[Names, Field(min_length=1)]
    timezone: Zone | None = None
    handover: Annotated[Handover, BeforeValidator(read_handover)] = Handover(time(9))
    every: Duration = timedelta(weeks=1)
    start: Day | None = None
    hours: Annotated[
        tuple[Hours, ...],
        BeforeValidator(read_hours),
        WithJsonSchema({"type": "array", "items": {"type": "string"}}),
    ] = ()

    @model_validator(mode="after")
    def _whole_days(self) -> Self:
        if self.every < _DAY or self.every % _DAY:
            raise ValueError("every must be whole days, such as 1d, 1w or 2w")
        return self


class RotationEntry(LayerEntry):
    """A rotation: its lowest layer, and those over it; where several cover, the last has it."""

    layers: tuple[LayerEntry, ...] = ()
    calendar: Secret | None = None

    @model_validator(mode="after")
    def _web_address(self) -> Self:
        url = self.calendar.get_secret_value() if self.calendar else "https://"
        if not url.startswith(("http://", "https://")):
            raise ValueError("calendar must be the http:// or https:// address of an iCalendar")
        return self


class OverrideEntry(Entry):
    """A span in which somebody stands in."""

    rotation: str
    person: str
    start: str = Field(alias="from")
    end: str = Field(alias="to")


def read_rotations(root: Entries, source: Source, *, people: frozenset[str]) -> dict[str, Rotation]:
    """Return the rotations by name; everybody in one must be a person."""
    rotations = {}
    entries = entries_of(root, "rotations", source, wanted="a rotation's name, and its people")
    for name, node in entries.nodes.items() if entries else ():
        place = entries.keys[name] if entries else root.place
        wrong = misnamed(name, "rotation")
        if wrong:
            source.add(place, wrong)
        if name in people:
            source.add(place, f"{name!r} names a person already: call the rotation something else")
        entry = bind(RotationEntry, mapping(node, place), source, what=f"rotation {name}")
        if entry is None:
            continue
        for ident in entry.people:
            known_person(ident, f"rotation {name}", find(node, ("people",)), people, source)
        for place_of, layer in enumerate(entry.layers):
            listed = find(node, ("layers", place_of, "people"))
            for ident in layer.people:
                known_person(ident, f"a layer of rotation {name}", listed, people, source)
        rotations[name] = _rotation(name, entry)
    return rotations


def _rotation(name: str, entry: RotationEntry) -> Rotation:
    zone = entry.timezone or _UTC
    return Rotation(
        name=name,
        layers=tuple(Layer(**_turns(layer, zone)) for layer in entry.layers),
        calendar=entry.calendar.get_secret_value() if entry.calendar else "",
        **_turns(entry, zone),
    )


def _turns(entry: LayerEntry, zone: ZoneInfo) -> dict[str, Any]:
    start = entry.start or _FIRST_MONDAY
    if entry.handover.weekday is not None:
        start += _DAY * ((entry.handover.weekday - start.weekday()) % 7)
    return {
        "people": entry.people,
        "timezone": entry.timezone or zone,
        "handover": entry.handover.at,
        "every_days": entry.every // _DAY,
        "start": start,
        "hours": entry.hours,
    }


def read_overrides(
    root: Entries,
    source: Source,
    *,
    rotations: dict[str, Rotation],
    known: frozenset[str],
    people: frozenset[str],
) -> tuple[Override, ...]:
    """Return the overrides; local times are the rotation's. Two that overlap are a mistake.

    `known` are all rotations the file names, of wrong entries too.
    """
    overrides: list[tuple[Override, Place]] = []
    for node in items_of(root, "overrides", source, wanted="rotation, person, from, to"):
        entry = bind(OverrideEntry, node, source, what="an override")
        if entry is None:
            continue
        if entry.rotation not in known:
            source.add(
                node.keys["rotation"],
                f"the override names the unknown rotation {entry.rotation!r}"
                f"{suggestion(entry.rotation, known)}",
            )
        known_person(entry.person, "the override", find(node, ("person",)), people, source)
        rotation = rotations.get(entry.rotation)
        override = _override(entry, node, rotation, source) if rotation else None
        if override:
            _refuse_overlap(override, overrides, node, source)
            overrides.append((override, node.place))
    return tuple(override for override, _ in overrides)


def _override(
    entry: OverrideEntry, node: Entries, rotation: Rotation, source: Source
) -> Override | None:
    start = noted_instant(entry.start, "from", node, rotation.timezone, source)
    end = noted_instant(entry.end, "to", node, rotation.timezone, source)
    if start is None or end is None:
        return None
    if end.at <= start.at:
        source.add(node.keys["to"], f"the override ends {entry.end} before it begins {entry.start}")
        return None
    ident = f"{source.file}:{entry.rotation}:{_stamp(start.at)}"
    return Override(
        rotation=entry.rotation, person=entry.person, start=start.at, end=end.at, id=ident
    )


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _refuse_overlap(
    override: Override, before: list[tuple[Override, Place]], node: Entries, source: Source
) -> None:
    for other, place in before:
        same = other.rotation == override.rotation
        if same and override.start < other.end and other.start < override.end:
            source.add(
                node.place,
                f"the override overlaps that of line {place.line} for rotation {other.rotation}: "
                "let one end where the other begins",
            )
            return
