"""The watch loop: asks every probe on its ticks, and makes series of the outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from stewardmon import metrics
from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.domain.pace import wait
from stewardmon.engine.between import FUTILE, Between
from stewardmon.engine.record import Tape
from stewardmon.ports import Clock, Probe, ProbeSpec
from stewardmon.probes.asking import ask
from stewardmon.schedule import Schedule, Tick

Keys = tuple[object, ...]
Answer = asyncio.Task[tuple[Outcome, datetime]]
NO_ANSWERS: Final[Mapping[str, Answer]] = {}
# A state may take minutes to open, and another process may lead for days: that is no answer then.
NEWS: Final = timedelta(seconds=10)
IDLE: Final = 1.0  # seconds between signs of life where nothing is due
SHAPES: Final = 1000  # sets of series that are remembered as such
# Asks that fall due within these seconds begin together: hundreds a second cost a fifth less so.
TOGETHER: Final = 0.01
# What asking again at once could change: not what we are, have or may.
_WORTH_A_SECOND_ASK: Final = frozenset({State.DOWN, State.DEGRADED})
RETRY_AFTER: Final = "stewardmon_retry_after_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The newest outcome of a probe, and when its ask ended."""

    spec: ProbeSpec
    outcome: Outcome
    at: datetime


class Observations:
    """Where outcomes become samples: the same names and labels that `/metrics` shows."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self.latest: dict[str, Seen] = {}
        self.listeners: list[Callable[[Seen], None]] = []
        self._shown: dict[str, _Shape] = {}
        self._keys: dict[Keys, Keys] = {}

    def record(self, spec: ProbeSpec, outcome: Outcome, *, at: datetime) -> None:
        """Append the outcome's samples; series that it no longer has end at once."""
        at_ms = milliseconds(at)
        samples = _samples(outcome)
        keys = tuple((name, *extra.items()) if extra else name for name, _, extra in samples)
        values = [value for _, value, _ in samples]
        before = self._shown.get(spec.name)
        if before is not None and before.keys == keys and before.spec is spec:
            # What nearly every outcome does: the same series again.
            self._tape.append_all(before.labelled, at_ms, values)
        else:
            labelled = self._labelled(spec, samples)
            if before is not None:
                for labels in set(before.labelled).difference(labelled):
                    self._tape.mark_stale(labels, at_ms)
            self._shown[spec.name] = _Shape(spec=spec, keys=self._same(keys), labelled=labelled)
            self._tape.append_all(labelled, at_ms, values)
            self._tape.bind(labelled)
        seen = Seen(spec=spec, outcome=outcome, at=at)
        self.latest[spec.name] = seen
        for listen in self.listeners:
            listen(seen)

    def forget(self, names: Sequence[str], *, at: datetime) -> None:
        """End the series of probes that are no longer watched."""
        for name in names:
            shown = self._shown.pop(name, None)
            for labels in shown.labelled if shown is not None else ():
                self._tape.mark_stale(labels, milliseconds(at))
            self.latest.pop(name, None)

    def _same(self, keys: Keys) -> Keys:
        """Return equal keys that another probe has already: thousands are alike."""
        if len(self._keys) > SHAPES:
            self._keys.clear()
        return self._keys.setdefault(keys, keys)

    def _labelled(self, spec: ProbeSpec, samples: Sequence[Sampled]) -> list[Labels]:
        """Return the samples' label sets; what they have in common is held once."""
        own = {"job": spec.job, "instance": spec.instance, "probe": spec.name, **spec.labels}
        common = dict(zip(own, own.items(), strict=True))
        found = []
        for name, _, extra in samples:
            if extra:
                whole = {NAME: name, **extra, **own}
                if "job" not in spec.labels:
                    # Figures that a job pushed may be another's: the app's memory is the app's.
                    whole["job"] = extra.get("job", spec.job)
                pairs = [
                    common[key] if own.get(key) == value else _pair(key, value)
                    for key, value in whole.items()
                ]
            else:
                pairs = [_pair(NAME, name), *common.values()]
            found.append(Labels(pairs))
        return found


@lru_cache(maxsize=1024)
def _pair(name: str, value: str) -> tuple[str, str]:
    """Return a label that the series of many probes have, held once for all of them."""
    return name, value


Sampled = tuple[str, float, Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """Which series a probe's last outcome had: by name and own labels, and their whole sets."""

    spec: ProbeSpec
    keys: Keys
    labelled: Sequence[Labels]


def _samples(outcome: Outcome) -> list[Sampled]:
    """Return what one outcome leaves behind: name, value, labels beyond the probe's own.

    A timeout counts as infinitely slow: a quantile over response times must not leave out the
    requests that never came back (RULES.md, `response_time`).
    """
    duration = float("inf") if outcome.reason is Reason.TIMEOUT else outcome.duration
    return [
        ("probe_success", float(outcome.success), {}),
        ("probe_duration_seconds", duration, {}),
        ("stewardmon_probe_reason", 1.0, {"reason": outcome.reason.value}),
        *((one.name, one.value, one.labels) for one in outcome.measurements),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A probe and its entry in the configuration."""

    spec: ProbeSpec
    probe: Probe


@dataclass(frozen=True, slots=True)
class _Wait:
    """A target has refused us for our number: until when it is left alone (monotonic seconds)."""

    until: float
    lasts: timedelta
    refusals: int


class Watch:
    """Asks every target on its own ticks; no target delays another."""

    def __init__(
        self,
        targets: Sequence[Target],
        observations: Observations,
        clock: Clock,
        *,
        beat: Callable[[], None] = lambda: None,
        bug: Callable[[str, Exception], None] = lambda _name, _error: None,
        answers: Mapping[str, Answer] = NO_ANSWERS,
    ) -> None:
        """`answers` are first asks that were made already (see engine.early)."""
        self.targets = {target.spec.name: target for target in targets}
        self._answers = dict(answers)
        self._observations = observations
        self._clock = clock
        self._beat = beat
        self._bug = bug
        self._asking: set[str] = set()
        self._waits: dict[str, _Wait] = {}
        self._schedule = Schedule({}, now=0.0)
        self._between = Between(target.spec for target in targets)
        self._changed = asyncio.Event()

    def change(self, targets: Sequence[Target]) -> None:
        """Watch these targets from now on; those whose interval stays keep their ticks."""
        former = self.targets.keys()
        self._answers.clear()  # they may be another entry's
        self.targets = {target.spec.name: target for target in targets}
        for name in former - self.targets.keys():
            self._waits.pop(name, None)
            metrics.PROBE_PAUSE.remove(name)
        self._schedule.change(self._intervals(), now=self._clock.monotonic())
        self._between.change(target.spec for target in targets)
        self._changed.set()

    async def run(self) -> None:
        """Run until cancelled; what is being asked then is cut off."""
        self._schedule = Schedule(self._intervals(), now=self._clock.monotonic())
        self._asking.clear()
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                for tick in self._schedule.take(self._clock.monotonic()):
                    self._start(group, tick)
                self._beat()
                await self._clock.wait(self._changed, self._wait())

    async def look(self, name: str) -> None:
        """Ask a target now, between its ticks: something is known to have changed."""
        target = self.targets.get(name)
        if target is not None:
            await self._ask(target)

    async def close(self) -> None:
        """Close every probe."""
        for target in self.targets.values():
            await target.probe.close()

    def _intervals(self) -> dict[str, float]:
        for name in self.targets:
            metrics.PROBE_PAUSE.set(name, self.pause(name).total_seconds())
        return {name: one.spec.every.total_seconds() for name, one in self.targets.items()}

    def pause(self, name: str) -> timedelta:
        """Return how far apart the asks of a probe are now."""
        every = self.targets[name].spec.every
        waits = self._waits.get(name)
        return max(every, waits.lasts) if waits is not None else every

    def _wait(self) -> float:
        due = self._schedule.next_due()
        return IDLE if due is None else min(IDLE, max(TOGETHER, due - self._clock.monotonic()))

    def _start(self, group: asyncio.TaskGroup, tick: Tick) -> None:
        metrics.PROBE_LAG.observe(tick.lag)
        if tick.missed:
            metrics.MISSED_TICKS.labels("watch").inc(tick.missed)
        waits = self._waits.get(tick.name)
        if waits is not None and self._clock.monotonic() < waits.until:
            metrics.SPARED.labels(tick.name).inc()
            return
        if tick.name in self._asking:
            metrics.MISSED_TICKS.labels("watch").inc()
            return
        self._asking.add(tick.name)
        group.create_task(self._ask(self.targets[tick.name]), name=f"probe:{tick.name}")

    async def _ask(self, target: Target) -> None:
        spec = target.spec
        try:
            outcome, at = await self._answer(target)
            if spec.confirm and outcome.state in _WORTH_A_SECOND_ASK:
                outcome, at = await self._confirmed(target, outcome), self._clock.now()
        finally:
            self._asking.discard(spec.name)
        if self.targets.get(spec.name) is not target:
            return  # a reload took it away while it was asked
        self._wait_as_asked(spec, outcome)
        metrics.PROBES.count(spec.name, outcome.state.value, outcome.reason.value)
        self._observations.record(spec, outcome, at=at)
        now = self._clock.monotonic()
        for name, seconds in self._between.after(spec, outcome, now=now).items():
            if name not in self._asking:
                self._schedule.add(name, now + seconds)
                self._changed.set()  # it may be due before anything else

    def _wait_as_asked(self, spec: ProbeSpec, outcome: Outcome) -> None:
        """Leave a target alone that refuses us for our number, or says that nothing remains."""
        asked_for = next((m.value for m in outcome.measurements if m.name == RETRY_AFTER), None)
        before = self._waits.pop(spec.name, None)
        if outcome.reason is Reason.RATE_LIMIT or asked_for is not None:
            refusals = (before.refusals if before is not None else 0) + 1
            lasts = wait(interval=spec.every, refusals=refusals, asked_for=asked_for)
            # Half a second less: a tick that is due just then is not to be left out for a hair.
            until = self._clock.monotonic() + lasts.total_seconds() - 0.5
            self._waits[spec.name] = _Wait(until, lasts, refusals)
        elif before is None:
            return
        metrics.PROBE_PAUSE.set(spec.name, self.pause(spec.name).total_seconds())

    async def _answer(self, target: Target) -> tuple[Outcome, datetime]:
        """Return an outcome and when it came: the first ask's, where that is still news."""
        early = self._answers.pop(target.spec.name, None)
        if early is not None:
            outcome, at = await early
            if self._clock.now() - at <= NEWS:
                return outcome, at
        outcome = await self._outcome(target)
        return outcome, self._clock.now()

    async def _outcome(self, target: Target) -> Outcome:
        spec = target.spec
        return await ask(
            target.probe,
            timeout=spec.timeout.total_seconds(),
            bug=lambda error: self._bug(spec.name, error),
        )

    async def _confirmed(self, target: Target, first: Outcome) -> Outcome:
        """Ask a second time; where that is well, what the first met stays as a finding."""
        if first.reason in FUTILE:
            return first
        second = await self._outcome(target)
        if not second.success:
            return second
        finding = f"a first ask failed: {first.reason.value}: {first.detail}"
        return replace(second, findings=(finding, *second.findings))
