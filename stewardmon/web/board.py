"""The status page's view: the platform in a sentence, probes by job, who is on call, ourselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.display import format_value
from stewardmon.domain.incident import Incident, IncidentState
from stewardmon.domain.labels import NAME, Matcher, Op
from stewardmon.domain.outcome import State
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.ports import ProbeSpec
from stewardmon.web import charts, rota
from stewardmon.web.tally import Tally, percent

SPARK_SPAN: Final = timedelta(minutes=20)
DURATION: Final = (Matcher(NAME, Op.EQUAL, "probe_duration_seconds"),)
_WORST_FIRST: Final = (
    State.DOWN,
    State.MISCONFIGURED,
    State.DEGRADED,
    State.UNKNOWN,
    State.UP,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One probe on the status page."""

    name: str
    state: State
    reason: str
    detail: str
    at: datetime | None
    value: str
    spark: str
    over: str
    bars: tuple[tuple[str, str], ...]
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Probes that belong together, and the worst state among them."""

    name: str
    state: State
    rows: tuple[Row, ...]

    @property
    def alone(self) -> bool:
        """Say whether the job is one probe of the same name, so that its name says nothing new."""
        return len(self.rows) == 1 and self.rows[0].name == self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """How stewardmon itself stands."""

    well: bool
    detail: str
    config_error: str
    since: datetime
    location: str
    waiting: int
    loops: tuple[tuple[str, datetime], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything on the status page. `tone` is fine, poor, bad, taken or none."""

    headline: str
    tone: str
    jobs: tuple[Job, ...]
    incidents: tuple[Incident, ...]
    recent: tuple[Incident, ...]
    duties: tuple[rota.Duty, ...]
    own: Own
    counts: Mapping[State, int]


def board(live: Live, tally: Tally, *, now: datetime) -> Board:
    """Return the status of everything, at this instant."""
    rows = _rows(live, tally, now=now)
    jobs = tuple(_job(name, found) for name, found in rows.items())
    open_ones = tuple(sorted(live.responder.open(), key=lambda one: one.opened_at, reverse=True))
    over = (one for one in live.responder.incidents.values() if not one.open)
    recent = sorted(over, key=lambda one: one.opened_at, reverse=True)[:8]
    own = _own(live)
    counts = Counter(row.state for found in rows.values() for row in found)
    said, mood = sentence(open_ones, counts, own=own, now=now)
    return Board(
        headline=said,
        tone=mood,
        jobs=jobs,
        incidents=open_ones,
        recent=tuple(recent),
        duties=tuple(rota.duties(live.responder.book.roster, now=now)),
        own=own,
        counts=counts,
    )


def headline(live: Live, *, now: datetime) -> tuple[str, str]:
    """Return the platform's state in one sentence, and its tone."""
    states = {name: seen.outcome.state for name, seen in live.observations.latest.items()}
    counts = Counter(states.get(spec.name, State.UNKNOWN) for spec in live.config.probes)
    return sentence(tuple(live.responder.open()), counts, own=_own(live), now=now)


def sentence(
    incidents: Sequence[Incident], counts: Mapping[State, int], *, own: Own, now: datetime
) -> tuple[str, str]:
    """Return the platform's state in one sentence, and its tone."""
    unanswered = [one for one in incidents if not one.quiet(now)]
    if len(unanswered) == 1:
        return f"{unanswered[0].title}: nobody has answered yet.", "bad"
    if unanswered:
        return f"{len(incidents)} incidents are open; {len(unanswered)} wait for an answer.", "bad"
    if not own.well:
        return "stewardmon itself is in trouble.", "bad"
    if incidents:
        return _answered(incidents), "taken"
    failing = counts.get(State.DOWN, 0) + counts.get(State.DEGRADED, 0)
    asked = sum(counts.values())
    if failing:
        return f"{failing} of {asked} probes {_verb(failing)}; no alert fires yet.", "poor"
    if wrong := counts.get(State.MISCONFIGURED, 0):
        return f"{wrong} of {asked} probes {_verb(wrong, 'is', 'are')} misconfigured.", "poor"
    if asked and counts.get(State.UNKNOWN, 0) == asked:
        return "Waiting for the first answers.", "none"
    if unknown := counts.get(State.UNKNOWN, 0):
        return f"All that answers is well; {unknown} of {asked} not known.", "none"
    return "Everything is well.", "fine"


def _answered(incidents: Sequence[Incident]) -> str:
    if len(incidents) > 1:
        return f"{len(incidents)} incidents are open; nobody needs to be paged."
    one = incidents[0]
    if one.state is IncidentState.ACKNOWLEDGED:
        return f"{one.title}: {one.acknowledged_by} is on it."
    if one.muted_by:
        return f"{one.title}: quiet for now ({one.muted_by})."
    return f"{one.title}: snoozed."


def _verb(count: int, one: str = "fails", many: str = "fail") -> str:
    return one if count == 1 else many


def _rows(live: Live, tally: Tally, *, now: datetime) -> dict[str, list[Row]]:
    courses = latencies(live, now=now)
    rows: dict[str, list[Row]] = {}
    for spec in live.config.probes:
        seen = live.observations.latest.get(spec.name)
        made = _row(spec, seen, courses.get(spec.name, ()), tally, now=now)
        rows.setdefault(spec.job, []).append(made)
    for found in rows.values():
        found.sort(key=lambda row: _WORST_FIRST.index(row.state))
    return rows


def latencies(live: Live, *, now: datetime) -> dict[str, charts.Cells]:
    """Return each probe's course of durations over the last minutes, from memory."""
    end_ms = milliseconds(now)
    start_ms = end_ms - int(SPARK_SPAN.total_seconds() * 1000)
    return {
        series.labels.value("probe"): charts.cells(
            tuple(zip(series.times, series.values, strict=False)), start_ms=start_ms, end_ms=end_ms
        )
        for series in live.series.select(DURATION)
    }


def _row(
    spec: ProbeSpec, seen: Seen | None, course: charts.Cells, tally: Tally, *, now: datetime
) -> Row:
    line, over = charts.spark(course)
    days = tally.quarter(spec.name, today=now.astimezone(UTC).date())
    outcome = seen.outcome if seen is not None else None
    return Row(
        name=spec.name,
        state=outcome.state if outcome else State.UNKNOWN,
        reason=outcome.reason.value if outcome and not outcome.success else "",
        detail=outcome.detail if outcome else "not asked yet",
        at=seen.at if seen else None,
        value=format_value(outcome.duration, "seconds") if outcome else "",
        spark=line,
        over=over,
        bars=charts.bars(days.tones),
        share=percent(days.share),
    )


def _job(name: str, rows: Sequence[Row]) -> Job:
    return Job(name=name, state=rows[0].state, rows=tuple(rows))


def _own(live: Live) -> Own:
    well, detail = live.ready()
    return Own(
        well=well,
        detail=detail,
        config_error=live.config_error,
        since=live.started_at,
        location=live.location,
        waiting=len(live.ledger.waiting()),
        loops=tuple(sorted(live.supervisor.last.items())),
    )
