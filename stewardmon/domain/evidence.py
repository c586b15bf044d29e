"""Evidence for a page: what the guide's Troubleshooting lists ask for, as lines to read.

Source of the lists: production-deployment-guide.md, "Troubleshooting", sections 1 to 4. Everything
here is made of what is in memory already, so that it costs a page nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Final

from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.labels import Labels
from stewardmon.domain.outcome import Outcome, State
from stewardmon.domain.redact import excerpt
from stewardmon.domain.runbooks import DATABASE, ERROR_RATES, MEMORY, RESPONSE_TIMES

LONGEST: Final = 240  # characters of a line
AT_MOST: Final = 16  # lines, as many as a message shows
HEARD: Final = 6  # of these, kept free for what witnesses say
_NAMED: Final = 3  # probes named one by one
_BESIDES: Final = 2  # probes of one sort beside the alert's own
_FINDINGS: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The newest outcome of one probe."""

    probe: str
    kind: str
    job: str
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One figure to look up: its name, its PromQL, its unit; `by` is a label that tells parts."""

    name: str
    expr: str
    unit: str = ""
    by: str = ""


# Ranges are longer than the slow probes' intervals; memory reaches back for each.
_SELECT_1: Final = Reading(
    name="the database's own answer to SELECT 1",
    expr="max(last_over_time(stewardmon_pg_query_duration_seconds[5m]))",
    unit="s",
)
_HIT: Final = "sum(rate(pg_stat_database_blks_hit[15m]))"
_READ: Final = "sum(rate(pg_stat_database_blks_read[15m]))"
_BLOCKS: Final = Reading(
    name="blocks that PostgreSQL found in memory, 15 min",
    expr=f"{_HIT} / ({_HIT} + {_READ} > 0)",
    unit="ratio",
)
READINGS: Final[Mapping[str, tuple[Reading, ...]]] = {
    RESPONSE_TIMES: (
        _SELECT_1,
        _BLOCKS,
        Reading(
            name="agent requests answered from the app's cache",
            expr="avg(last_over_time(stewardmon_agent_cache_hit_ratio[15m]))",
            unit="ratio",
        ),
        Reading(
            # "token:" before a value is what a secret looks like: it would be struck out.
            name="AI provider, first token after",
            expr="max(last_over_time(gen_ai_client_operation_time_to_first_chunk_seconds[15m]))",
            unit="s",
        ),
        Reading(
            name="AI provider, whole answer",
            expr="max(last_over_time(gen_ai_client_operation_duration_seconds[15m]))",
            unit="s",
        ),
    ),
    ERROR_RATES: (
        Reading(
            name="failed answers by class, 10 min",
            expr='sum by (reason) (count_over_time(stewardmon_probe_reason{reason!="ok"}[10m]))',
            by="reason",
        ),
        Reading(
            name="real agent requests that fail",
            expr="max(last_over_time(stewardmon_agent_error_ratio[15m]))",
            unit="ratio",
        ),
        Reading(
            name="log lines that are errors",
            expr="max by (stream) (last_over_time(stewardmon_log_error_ratio[15m]))",
            unit="ratio",
            by="stream",
        ),
    ),
    MEMORY: (
        Reading(
            name="memory of a process",
            expr="max(last_over_time(process_resident_memory_bytes[15m]))",
            unit="bytes",
        ),
        Reading(
            name="its growth in an hour, going by 15 min",
            expr="max(deriv(process_resident_memory_bytes[15m])) * 3600",
            unit="bytes",
        ),
    ),
    DATABASE: (
        Reading(
            name="connections by state",
            expr="sum by (state) (last_over_time(pg_stat_activity_count[5m])) > 0",
            by="state",
        ),
        Reading(
            name="connections that the server allows",
            expr="max(last_over_time(pg_settings_max_connections[15m]))",
        ),
        _SELECT_1,
        _BLOCKS,
        Reading(
            name="transactions a second, 5 min",
            expr="sum(rate(pg_stat_database_xact_commit[5m]))",
        ),
        Reading(
            name="backends that wait for a lock",
            expr="max(last_over_time(stewardmon_pg_blocked[5m]))",
        ),
    ),
}
_UNSEEN: Final = (
    "the app's memory cannot be seen from outside: nothing reports process_resident_memory_bytes; "
    "look at the platform's own figures, and at restarts in its logs"
)


def told(
    topic: str,
    about: Labels,
    sightings: Sequence[Sighting],
    *,
    readings: Sequence[str] = (),
    deploy: str = "",
    now: datetime,
) -> tuple[str, ...]:
    """Return the lines of one alert: of its own probes, what its list asks for, what is beside.

    Where there are too many, the last are left out: what the guide asks for stands first.
    """
    mine = _own(about, sightings)
    lines = [*(_seen(one, now=now) for one in mine)]
    for one in mine:
        fresh = (found for found in one.outcome.findings if found not in one.outcome.detail)
        lines += [f"{one.probe}: {finding}" for finding in list(fresh)[:_FINDINGS]]
    lines += _phases(mine if mine or topic != RESPONSE_TIMES else _slowest(sightings))
    lines += readings
    if topic in {ERROR_RATES, RESPONSE_TIMES}:
        lines += _of_kind(("statuspage",), sightings, besides=mine, now=now)
        lines += [deploy] if deploy else []
    if topic in {ERROR_RATES, DATABASE}:
        lines += _of_kind(("postgres", "postgres_depth"), sightings, besides=mine, now=now)
    if topic in {ERROR_RATES, MEMORY}:
        lines += _of_kind(("logs",), sightings, besides=mine, now=now)
    if topic == ERROR_RATES:
        lines += _failing(sightings, besides=mine, now=now)
    return shown(lines)


def joined(known: Sequence[str], heard: Sequence[str]) -> tuple[str, ...]:
    """Return what memory knows and what witnesses said, in the room that there is for both."""
    room = AT_MOST - min(HEARD, len(heard))
    return shown((*known[:room], *heard))


def read(topic: str, values: Mapping[Reading, Sequence[tuple[Labels, float]]]) -> tuple[str, ...]:
    """Return the readings of a list in words; those that nothing measures are named in one line."""
    lines: list[str] = []
    missing: list[str] = []
    for reading in READINGS.get(topic, ()):
        found = [one for one in values.get(reading, ()) if isfinite(one[1]) or reading.unit == "s"]
        if found:
            lines.append(f"{reading.name}: {_values(reading, found)}")
        else:
            missing.append(reading.name)
    if topic == MEMORY and not lines:
        return (_UNSEEN,)
    if missing:
        lines.append(f"not measured: {'; '.join(missing)}")
    return tuple(lines)


def shown(lines: Iterable[str]) -> tuple[str, ...]:
    """Return lines as they may be shown anywhere: each once, redacted, short, not too many."""
    found = dict.fromkeys(excerpt(one, LONGEST) for one in lines)
    return tuple(one for one in found if one)[:AT_MOST]


def _own(about: Labels, sightings: Sequence[Sighting]) -> list[Sighting]:
    """Return the probes that the alert is about: the one it names, else its job's that fail."""
    probe, job = about.value("probe"), about.value("job")
    if probe:
        return [one for one in sightings if one.probe == probe]
    ill = [one for one in sightings if job and one.job == job and not one.outcome.success]
    return ill[:_NAMED]


def _seen(one: Sighting, *, now: datetime) -> str:
    said = f"{one.probe}: {one.outcome.state.value}"
    if one.outcome.state is not State.UP:
        said += f" ({one.outcome.reason.value})"
    detail = f", {one.outcome.detail}" if one.outcome.detail else ""
    return f"{said}{detail} [{format_since(now - one.at)} ago]"


def _phases(sightings: Iterable[Sighting]) -> Iterator[str]:
    for one in sightings:
        phases = one.outcome.phases
        if phases:
            parts = ", ".join(f"{name} {format_value(took, 's')}" for name, took in phases.items())
            whole = format_value(one.outcome.duration or sum(phases.values()), "s")
            yield f"phases of {one.probe}: {parts}; {whole} in all"


def _slowest(sightings: Sequence[Sighting]) -> list[Sighting]:
    timed = [one for one in sightings if one.outcome.phases]
    return sorted(timed, key=lambda one: -one.outcome.duration)[:1]


def _failing(
    sightings: Sequence[Sighting], *, besides: Sequence[Sighting], now: datetime
) -> Iterator[str]:
    ill = [one for one in sightings if not one.outcome.success and one not in besides]
    yield from (_seen(one, now=now) for one in ill[:_BESIDES])
    if len(ill) > _BESIDES:
        more = Counter(one.outcome.reason.value for one in ill[_BESIDES:])
        yield f"and {len(ill) - _BESIDES} more probes fail: {_counted(more)}"


def _of_kind(
    kinds: tuple[str, ...],
    sightings: Sequence[Sighting],
    *,
    besides: Sequence[Sighting],
    now: datetime,
) -> list[str]:
    found = [one for one in sightings if one.kind in kinds and one not in besides]
    return [_seen(one, now=now) for one in found[:_BESIDES]]


def _values(reading: Reading, found: Sequence[tuple[Labels, float]]) -> str:
    if not reading.by:
        return format_value(found[0][1], reading.unit)
    ranked = sorted(found, key=lambda one: -one[1])[:6]
    return ", ".join(
        f"{labels.value(reading.by) or 'other'} {format_value(value, reading.unit)}"
        for labels, value in ranked
    )


def _counted(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in found.most_common(5))
