"""What rules would have paged over recorded history: alerts, incidents, pages by rule and night."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.config import Config
from stewardmon.domain.alert import AlertState
from stewardmon.domain.labels import NAME, Labels, Matcher
from stewardmon.domain.rule import RecordingRule
from stewardmon.domain.series import SeriesStore
from stewardmon.domain.triage import Book
from stewardmon.engine.running import prepare, reaches
from stewardmon.ports import History, Points
from stewardmon.rehearsal.stage import OWN, Paged, Stage

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
    progress: Callable[[int, int], None] = lambda _done, _whole: None,
) -> Replayed:
    """Evaluate the configuration's rules over history, every so often, as the daemon would have.

    `progress` is told how many seconds of how many have been evaluated.

    Windows are carried forward, so the cost grows with the samples and not with the windows.
    """
    stage = _stage(config)
    reach = timedelta(milliseconds=max(reaches(stage.evaluator.groups).values(), default=0))
    stage.series.retention_ms = (reach + CHUNK) // timedelta(milliseconds=1)
    step_ms = every // timedelta(milliseconds=1)
    at_ms = -(-milliseconds(start) // step_ms) * step_ms
    result = Replayed()
    async for upto_ms, batch in _chunks(stage, history, start - reach, start, end):
        for labels, points in batch:
            for when, value in points:
                stage.series.append(labels, when, value)
            result.samples += len(points)
        while at_ms <= upto_ms:
            due = stage.evaluator.passed(at_ms - step_ms, at_ms)
            await stage.evaluate(at_ms, [group for group, _ in due])
            result.evaluations += 1
            at_ms += step_ms
        stage.series.trim(upto_ms)
        stage.evaluator.forget(upto_ms - stage.series.retention_ms)
        gone = max(0, upto_ms - milliseconds(start)) // 1000
        progress(gone, int((end - start).total_seconds()))
    _count(stage, result, config)
    return result


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
        external_labels=config.external_labels,
        series=SeriesStore(retention_ms=CHUNK // timedelta(milliseconds=1)),
    )


async def _chunks(
    stage: Stage, history: History, warm: datetime, start: datetime, end: datetime
) -> AsyncIterator[tuple[int, list[tuple[Labels, Points]]]]:
    """Return history piece by piece, with the instant up to which it may be evaluated.

    Series that the rules themselves record are left out: they are recorded anew.
    """
    matchers = _wanted(stage)
    recorded = {
        one.rule.name
        for group in stage.evaluator.groups
        for one in group.rules
        if isinstance(one.rule, RecordingRule)
    }
    at = warm
    while at < end:
        upto = min(end, max(at, start) + CHUNK)
        found: dict[Labels, Points] = {}
        for wanted in matchers:
            pieces = await history.read(
                wanted, start_ms=milliseconds(at) + 1, end_ms=milliseconds(upto)
            )
            found.update(
                (labels, points)
                for labels, points in pieces
                if labels.value(NAME) not in OWN | recorded
            )
        yield milliseconds(upto), list(found.items())
        at = upto


def _wanted(stage: Stage) -> Sequence[tuple[Matcher, ...]]:
    """Return what the rules select, each selector once: nothing else is read."""
    found = {
        matchers
        for group in stage.evaluator.groups
        for running in group.rules
        for matchers in running.plan.selectors
    }
    return tuple(found)


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
