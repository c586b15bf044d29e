"""oncall.yml: whom to wake."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import Field

from stewardmon.config.addresses import check_addresses
from stewardmon.config.binding import bind, entries_of, refuse_unknown
from stewardmon.config.names import misnamed
from stewardmon.config.nodes import Entries, Place, Scalar
from stewardmon.config.people import read_people
from stewardmon.config.policies import read_policies
from stewardmon.config.reports import read_reports
from stewardmon.config.rotations import read_overrides, read_rotations
from stewardmon.config.routes import read_inhibitions, read_routes
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry
from stewardmon.config.windows import read_windows
from stewardmon.domain.inhibition import InhibitRule
from stewardmon.domain.maintenance import Maintenance
from stewardmon.domain.oncall import Roster
from stewardmon.domain.policy import Policy
from stewardmon.domain.route import Route
from stewardmon.domain.triage import Flapping
from stewardmon.engine.office import Office
from stewardmon.ports import ChannelSpec, Kind

TOP: Final = (
    "channels",
    "people",
    "rotations",
    "overrides",
    "policies",
    "routes",
    "inhibit_rules",
    "maintenance",
    "incidents",
    "reports",
)


class ChannelEntry(Entry):
    """The key that every channel has, whatever its kind."""

    kind: str


class IncidentsEntry(Entry):
    """When an outage that comes back is the same one, and when it only flaps."""

    reopen_within: Duration = timedelta(minutes=2)
    flap_limit: int = Field(default=3, ge=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCall:
    """What oncall.yml says."""

    channels: tuple[ChannelSpec, ...]
    roster: Roster
    policies: Mapping[str, Policy]
    routes: tuple[Route, ...]
    inhibit_rules: tuple[InhibitRule, ...]
    maintenance: tuple[Maintenance, ...]
    flapping: Flapping
    reports: Office


def read_oncall(root: Entries, source: Source, kinds: Mapping[str, Kind]) -> OnCall:
    """Return what the file says; whatever is wrong is noted and left out."""
    refuse_unknown(root, TOP, source, what="oncall.yml")
    channels = _channels(root, source, kinds)
    channel_names = _declared(root, "channels")
    people_names = _declared(root, "people")
    rotation_names = _declared(root, "rotations")
    people = read_people(root, source, channels=channel_names)
    rotations = read_rotations(root, source, people=people_names)
    overrides = read_overrides(
        root, source, rotations=rotations, known=rotation_names, people=people_names
    )
    policies = read_policies(root, source, targets=people_names | rotation_names)
    routes = read_routes(root, source, policies=policies, known=_declared(root, "policies"))
    return OnCall(
        channels=channels,
        roster=Roster(
            people=people,
            rotations=rotations,
            overrides=overrides,
            channels=frozenset(channel.name for channel in channels),
        ),
        policies=policies,
        routes=routes,
        inhibit_rules=read_inhibitions(root, source),
        maintenance=read_windows(root, source),
        flapping=_flapping(root, source),
        reports=read_reports(root, source, channels=channels, known=channel_names),
    )


def _declared(root: Entries, key: str) -> frozenset[str]:
    """Return all names under a key, of wrong entries too: they are no unknown names."""
    node = root.nodes.get(key)
    return frozenset(node.nodes) if isinstance(node, Entries) else frozenset()


def _channels(root: Entries, source: Source, kinds: Mapping[str, Kind]) -> tuple[ChannelSpec, ...]:
    entries = entries_of(root, "channels", source, wanted="a channel's name, and its kind")
    if entries is None or not entries.nodes:
        source.add(
            root.keys.get("channels", root.place),
            "channels is missing: name at least one way to reach people, such as "
            "`console: {kind: console}`",
        )
        return ()
    found = (
        _channel(name, entries.nodes[name], entries.keys[name], source, kinds)
        for name in entries.nodes
    )
    return tuple(channel for channel in found if channel)


def _channel(
    name: str, node: object, place: Place, source: Source, kinds: Mapping[str, Kind]
) -> ChannelSpec | None:
    wrong = misnamed(name, "channel")
    if wrong:
        source.add(place, wrong)
    kind_node = node.nodes.get("kind") if isinstance(node, Entries) else None
    if not isinstance(node, Entries) or not isinstance(kind_node, Scalar):
        source.add(place, f"channel {name} needs a kind{suggestion('', kinds)}")
        return None
    kind = kinds.get(kind_node.text)
    if kind is None:
        source.add(
            node.keys["kind"],
            f"unknown kind {kind_node.text!r} of channel{suggestion(kind_node.text, kinds)}",
        )
        return None
    own = node.less("kind")
    own = Entries(place, own.nodes, own.keys)
    what = f"kind {kind_node.text}"
    settings = bind(kind.settings, own, source, what=what, also=("kind",))
    if settings is None or not check_addresses(own, source, what=what) or wrong:
        return None
    return ChannelSpec(name=name, kind=kind_node.text, settings=settings, source=source.at(place))


def _flapping(root: Entries, source: Source) -> Flapping:
    entries = entries_of(root, "incidents", source, wanted="reopen_within, flap_limit")
    entry = bind(IncidentsEntry, entries, source, what="incidents") if entries else None
    if entry is None:
        return Flapping()
    return Flapping(reopen_within=entry.reopen_within, limit=entry.flap_limit)
