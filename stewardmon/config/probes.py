"""probes.yml: what to watch."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from pydantic import Field

from stewardmon.config.addresses import check_addresses
from stewardmon.config.binding import bind, entries_of, items_of, refuse_unknown
from stewardmon.config.names import misnamed
from stewardmon.config.nodes import Entries, Place, Scalar
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry, LabelMap, Names
from stewardmon.domain.quantity import format_duration
from stewardmon.ports import Kind, ProbeSpec

SHORTEST_INTERVAL: Final = timedelta(seconds=1)
LONGEST_INTERVAL: Final = timedelta(days=31)
RESERVED_LABELS: Final = frozenset({"job", "instance", "probe"})
_WANTED: Final = "name, kind and what the kind asks for"


class Common(Entry):
    """The keys that every probe has, whatever its kind."""

    name: str = Field(min_length=1)
    kind: str
    job: str = ""
    instance: str = ""
    interval: Duration | None = None
    timeout: Duration | None = None
    labels: LabelMap = Field(default_factory=dict)
    depends_on: Names = ()
    confirm: bool = False


class Defaults(Entry):
    """What holds for every probe that does not say otherwise."""

    interval: Duration = timedelta(seconds=15)
    timeout: Duration = timedelta(seconds=5)
    labels: LabelMap = Field(default_factory=dict)


class Retention(Entry):
    """How long history is kept: every sample, and five-minute roll-ups."""

    raw: Duration = timedelta(days=30)
    rollups: Duration = timedelta(days=400)


TOP: Final = ("defaults", "probes", "retention")
COMMON: Final = tuple(Common.model_fields)


def read_probes(
    root: Entries, source: Source, kinds: Mapping[str, Kind]
) -> tuple[tuple[ProbeSpec, ...], Retention]:
    """Return the file's probes; whatever is wrong is noted and left out."""
    refuse_unknown(root, TOP, source, what="probes.yml")
    defaults = _defaults(root, source)
    retention = None
    entry = entries_of(root, "retention", source, wanted="raw and rollups")
    if entry is not None:
        retention = bind(Retention, entry, source, what="retention")
    before = len(source.notes.mistakes)
    entries = items_of(root, "probes", source, wanted=_WANTED)
    if "probes" not in root.nodes:
        source.add(root.place, "probes is missing: list what to watch, each with a name and a kind")
    elif not entries and len(source.notes.mistakes) == before:
        source.add(root.keys["probes"], "probes lists nothing to watch")
    _refuse_twins(entries, source)
    found = [_probe(entry, defaults, source, kinds) for entry in entries]
    return tuple(spec for spec in found if spec), retention or Retention()


def _defaults(root: Entries, source: Source) -> Defaults:
    entry = entries_of(root, "defaults", source, wanted="interval, timeout, labels")
    defaults = bind(Defaults, entry, source, what="defaults") if entry else None
    if entry is None or defaults is None:
        return Defaults()
    _check_labels(entry, defaults.labels, source)
    return defaults


def _probe(
    entry: Entries, defaults: Defaults, source: Source, kinds: Mapping[str, Kind]
) -> ProbeSpec | None:
    kind_name = entry.nodes.get("kind")
    kind = kinds.get(kind_name.text) if isinstance(kind_name, Scalar) else None
    own_keys = tuple(key for key in entry.nodes if key not in COMMON)
    what = f"kind {kind_name.text}" if isinstance(kind_name, Scalar) and kind else "a probe"
    common = bind(Common, entry.only(*COMMON), source, what=what)
    if kind is None:
        if isinstance(kind_name, Scalar):
            source.add(
                entry.keys["kind"],
                f"unknown kind {kind_name.text!r}{suggestion(kind_name.text, kinds)}",
            )
        return None
    own = Entries(_first(entry), {key: entry.nodes[key] for key in own_keys}, entry.keys)
    settings = bind(kind.settings, own, source, what=what, also=COMMON)
    addressed = settings is None or check_addresses(own, source, what=what)
    if common is None:
        return None
    if not _sound(common, entry, source, defaults, what) or settings is None or not addressed:
        return None
    return ProbeSpec(
        name=common.name,
        kind=common.kind,
        job=common.job or common.name,
        instance=common.instance or kind.instance(settings),
        interval=common.interval or defaults.interval,
        timeout=common.timeout or defaults.timeout,
        settings=settings,
        labels={**defaults.labels, **common.labels},
        depends_on=common.depends_on,
        confirm=common.confirm,
        flexible=common.interval is None,
        source=source.at(_first(entry)),
    )


def _first(entry: Entries) -> Place:
    return min(entry.keys.values(), default=entry.place)


def _sound(common: Common, entry: Entries, source: Source, defaults: Defaults, what: str) -> bool:
    """Check what holds for probes of any kind: the name's shape, the schedule, labels."""
    before = len(source.notes.mistakes)
    wrong = misnamed(common.name, "probe")
    if wrong:
        source.add(entry.keys["name"], wrong)
    interval = common.interval if common.interval is not None else defaults.interval
    timeout = common.timeout if common.timeout is not None else defaults.timeout
    at = entry.keys.get("interval", _first(entry))
    if interval < SHORTEST_INTERVAL:
        source.add(at, f"interval {_said(interval)} is below the minimum of 1s for {what}")
    elif interval > LONGEST_INTERVAL:
        source.add(at, f"interval {_said(interval)} is above the maximum of 31d for {what}")
    if timeout <= timedelta(0):
        source.add(
            entry.keys.get("timeout", _first(entry)),
            f"timeout {_said(timeout)} leaves no time to answer: write one such as 5s",
        )
    elif timeout > interval:
        source.warn(
            entry.keys.get("timeout", at),
            f"timeout {_said(timeout)} is longer than the interval of {_said(interval)}: "
            "ticks that fall into a slow answer are skipped and counted",
        )
    _check_labels(entry, common.labels, source)
    return len(source.notes.mistakes) == before


def _check_labels(entry: Entries, labels: Mapping[str, str], source: Source) -> None:
    for name in RESERVED_LABELS.intersection(labels):
        source.add(
            entry.keys["labels"],
            f"label {name!r} cannot be set here: every series has it already (use the key {name})"
            if name != "probe"
            else "label 'probe' cannot be set here: it is the probe's name",
        )


def _refuse_twins(entries: list[Entries], source: Source) -> None:
    seen: dict[str, Place] = {}
    for entry in entries:
        name = entry.nodes.get("name")
        if not isinstance(name, Scalar):
            continue
        place = entry.keys["name"]
        if name.text in seen:
            first = seen[name.text]
            source.add(
                place,
                f"two probes are called {name.text!r}: the first stands in line {first.line}",
            )
        else:
            seen[name.text] = place


def _said(duration: timedelta) -> str:
    return format_duration(duration)
