"""What rules would have paged over recorded history: alerts, incidents, pages by rule and night."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import re2

from stewardmon.clock import milliseconds
from stewardmon.config.values import Config
from stewardmon.domain.alert import AlertState
from stewardmon.domain.labels import NAME, Labels, Matcher, Op, metric_name
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.triage import Book
from stewardmon.engine.past_quiet import NOTHING_SET, Past
from stewardmon.engine.running import MILLISECOND, plans_of, prepare, reaches
from stewardmon.ports import History, Points
from stewardmon.rehearsal.agenda import Agenda, recorded
from stewardmon.rehearsal.stage import Paged, Stage
from stewardmon.stores.track import Track

CHUNK: Final = timedelta(hours=6)  # history read at once: bounded memory, few reads
NIGHT: Final = (22, 7)  # local hours that cost somebody's sleep


@dataclass(slots=True)
class Replayed:
    """What would have happened; counts by rule, person and night (the evening's date)."""

    evaluations: int = 0
    samples: int = 0
    fired: Counter[str] = field(default_factory=Counter)
    pages: Counter[str] = field(default_factory=Counter)
    people: Counter[str] = field(default_factory=Counter)
    nights: Counter[str] = field(default_factory=Counter)
    paged: list[Paged] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)


async def replay(
    config: Config,
    history: History,
    *,
    start: datetime,
    end: datetime,
    every: timedelta,
    past: Past = NOTHING_SET,
    progress: Callable[[int, int], None] = lambda _done, _whole: None,
) -> Replayed:
    """Evaluate the configuration's rules over history, every so often, as the daemon would have.

    `past` mutes as it did at the time. `progress` is told how many seconds of how many have been
    evaluated.

    Windows are carried forward, so the cost grows with the samples and not with the windows; and
    only where something may fire, or does, is anything evaluated (`agenda`).
    """
    stage = _stage(config)
    stage.mutes.set_silences(past.silences)
    stage.mutes.set_windows(past.windows)
    reach = timedelta(milliseconds=max(reaches(stage.evaluator.groups).values(), default=0))
    stage.series.retention_ms = (reach + CHUNK) // MILLISECOND
    step_ms = every // MILLISECOND
    agenda = Agenda(stage.evaluator.groups, stage.series, step_ms=step_ms)
    at_ms = -(-milliseconds(start) // step_ms) * step_ms
    result = Replayed()
    async for upto_ms, batch in _chunks(stage, history, start - reach, start, end):
        for labels, points in batch:
            track = Track.of(points)
            stage.series.handle(labels).extend(track.times, track.values)
            result.samples += len(track)
        instants = range(at_ms, upto_ms + 1, step_ms)
        await play(stage, agenda, instants)
        result.evaluations += len(instants)
        at_ms += len(instants) * step_ms
        stage.series.trim(upto_ms)
        stage.evaluator.forget(upto_ms - stage.series.retention_ms)
        gone = max(0, upto_ms - milliseconds(start)) // 1000
        progress(gone, int((end - start).total_seconds()))
    _count(stage, result, config)
    return result


async def play(stage: Stage, agenda: Agenda, instants: range) -> None:
    """Evaluate at the instants what may change something; skip those at which nothing does."""
    agenda.begin(instants)
    for at_ms in instants:
        rules = agenda.take(at_ms)
        if rules or not stage.rests(at_ms):
            await stage.pass_by(at_ms - instants.step)
            await stage.evaluate(at_ms, rules)
            agenda.settle(at_ms)


def _stage(config: Config) -> Stage:
    book = Book(
        routes=config.routes,
        policies=config.policies,
        roster=config.roster,
        flapping=config.flapping,
    )
    return Stage(
        prepare(config.groups, interval=config.evaluation_interval),
        book=book,
        inhibit_rules=config.inhibit_rules,
        windows=config.maintenance,
        external_labels=config.external_labels,
        series=SeriesStore(retention_ms=CHUNK // MILLISECOND),
    )


async def _chunks(
    stage: Stage, history: History, warm: datetime, start: datetime, end: datetime
) -> AsyncIterator[tuple[int, list[tuple[Labels, Points]]]]:
    """Return history piece by piece, with the instant up to which it may be evaluated.

    Series that the rules themselves record are left out: they are recorded anew.
    """
    wanted = _wanted(stage)
    reads = _reads(wanted)
    written = recorded(stage.evaluator.groups)
    asked: dict[Labels, bool] = {}

    def is_asked(labels: Labels) -> bool:
        if labels not in asked:
            meant = any(all(one.matches(labels) for one in matchers) for matchers in wanted)
            asked[labels] = meant and labels.value(NAME) not in written
        return asked[labels]

    at = warm
    while at < end:
        upto = min(end, max(at, start) + CHUNK)
        found: dict[Labels, Points] = {}
        for matchers in reads:
            pieces = await history.read(
                matchers, start_ms=milliseconds(at) + 1, end_ms=milliseconds(upto)
            )
            found.update((labels, points) for labels, points in pieces if is_asked(labels))
        yield milliseconds(upto), list(found.items())
        at = upto


def _wanted(stage: Stage) -> frozenset[tuple[Matcher, ...]]:
    """Return what the rules select, each selector once: nothing else is read."""
    return frozenset(
        matchers
        for group in stage.evaluator.groups
        for running in group.rules
        for planned in plans_of(running)
        for matchers in planned.selectors
    )


def _reads(wanted: Iterable[tuple[Matcher, ...]]) -> list[tuple[Matcher, ...]]:
    """Return matchers for as few reads as may be: one for all metrics that are named."""
    reads = [matchers for matchers in wanted if not metric_name(matchers)]
    named = sorted({metric_name(matchers) for matchers in wanted} - {""})
    if named:
        reads.append((Matcher(NAME, Op.MATCHES, "|".join(map(re2.escape, named))),))
    return reads


def _count(stage: Stage, result: Replayed, config: Config) -> None:
    result.paged = stage.paged
    result.errors = stage.errors
    result.fired.update(
        alert.name for _, alert in stage.changed if alert.state is AlertState.FIRING
    )
    for one in stage.paged:
        result.pages[one.rule] += 1
        result.people[one.person] += 1
        person = config.roster.people.get(one.person)
        local = one.at if person is None else one.at.astimezone(person.timezone)
        if local.hour >= NIGHT[0] or local.hour < NIGHT[1]:
            evening = local - timedelta(hours=12)
            result.nights[f"{evening:%Y-%m-%d}"] += 1
