"""Which rules a replay must evaluate when: nearly always, nearly all of them would find nothing.

A rule without alerts is asked about only where a screen cannot say that its result is empty; one
whose alerts are all over only then, and when these are to be forgotten; any other at each of its
group's instants. So is whatever reads what rules themselves write, whose future nobody knows.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import RESOLVED_KEPT_FOR, AlertState
from stewardmon.domain.labels import metric_name
from stewardmon.domain.rule import NoData, RecordingRule
from stewardmon.domain.series import SeriesStore
from stewardmon.engine.running import MILLISECOND, Running, RunningGroup, RunningRule
from stewardmon.promql import Plan
from stewardmon.promql.screen import Screen, Search

OWN: Final = frozenset({"ALERTS", "ALERTS_FOR_STATE"})  # what evaluation itself writes


def recorded(groups: Sequence[RunningGroup]) -> frozenset[str]:
    """Return the metrics that evaluation writes: a replay writes them anew."""
    rules = (running.rule for group in groups for running in group.rules)
    return OWN | {rule.name for rule in rules if isinstance(rule, RecordingRule)}


@dataclass(slots=True)
class _Entry:
    """A rule, its place among all, its group's instants, and where it may find something."""

    place: int
    running: Running
    interval_ms: int
    screened: bool
    instants: Sequence[int] = ()
    search: Search | None = None


class Agenda:
    """The rules in the order of their evaluations; `begin` a stretch of time, then ask what is due.

    While a stretch lasts, nothing but what the rules write may be added to the series.
    """

    def __init__(
        self, groups: Sequence[RunningGroup], series: SeriesStore, *, step_ms: int
    ) -> None:
        self._step_ms = step_ms
        self._screen = Screen(series)
        written = recorded(groups) | {""}
        rules = [(one, group.interval_ms) for group in groups for one in group.rules]
        self._entries = [
            _Entry(place, one, interval_ms, screened=_is_screened(one, written))
            for place, (one, interval_ms) in enumerate(rules)
        ]
        self._due: list[tuple[int, int]] = []
        self._taken: list[_Entry] = []

    def begin(self, instants: Sequence[int]) -> None:
        """Take the next stretch's instants (Unix milliseconds, a step apart), after all before."""
        self._screen.renew()
        self._due.clear()
        aligned: dict[int, Sequence[int]] = {}
        for entry in self._entries:
            every_ms = entry.interval_ms
            if every_ms not in aligned:
                met = (at_ms for at_ms in instants if at_ms % every_ms < self._step_ms)
                aligned[every_ms] = tuple(met)
            entry.instants = aligned[every_ms]
            may = partial(self._may, entry)
            entry.search = Search(may, entry.instants) if entry.screened else None
            if instants:
                self._put(entry, instants[0] - 1)

    def take(self, at_ms: int) -> list[Running]:
        """Return the rules to be evaluated at the instant, in order; `settle` follows."""
        while self._due and self._due[0][0] <= at_ms:
            self._taken.append(self._entries[heappop(self._due)[1]])
        return [entry.running for entry in self._taken]

    def settle(self, at_ms: int) -> None:
        """Find when the rules that were evaluated at the instant must be evaluated again."""
        for entry in self._taken:
            self._put(entry, at_ms)
        self._taken.clear()

    def _put(self, entry: _Entry, after_ms: int) -> None:
        due_ms = _next(entry, after_ms)
        if due_ms is not None:
            heappush(self._due, (due_ms, entry.place))

    def _may(self, entry: _Entry, first_ms: int, last_ms: int) -> bool:
        """Say whether the rule may find something at any instant in between."""
        running = entry.running
        late_ms = running.group.query_offset // MILLISECOND
        if self._screen.may(running.plan, first_ms - late_ms, last_ms - late_ms):
            return True
        missed = _missed(running)
        return missed is not None and not self._screen.must(missed, first_ms, last_ms)


def _next(entry: _Entry, after_ms: int) -> int | None:
    running, instants = entry.running, entry.instants
    if entry.search is None or _is_awake(running):
        return _first(instants, after_ms)
    due_ms = entry.search.after(after_ms)
    if not isinstance(running, RunningRule) or not running.active:
        return due_ms
    ended = (alert.resolved_at for alert in running.active.values())
    oldest = min(milliseconds(at) for at in ended if at is not None)
    forget_ms = _first(instants, max(after_ms, oldest + RESOLVED_KEPT_FOR // MILLISECOND))
    return forget_ms if due_ms is None else min(due_ms, forget_ms or due_ms)


def _first(instants: Sequence[int], after_ms: int) -> int | None:
    place = bisect_right(instants, after_ms)
    return instants[place] if place < len(instants) else None


def _is_awake(running: Running) -> bool:
    """Say whether an evaluation changes something even where it finds nothing."""
    if not isinstance(running, RunningRule) or running.shown:
        return True
    return any(alert.state is not AlertState.RESOLVED for alert in running.active.values())


def _missed(running: Running) -> Plan | None:
    """Return the plan without whose data the rule fires."""
    alerts = isinstance(running, RunningRule) and running.rule.no_data is NoData.ALERT
    return running.subject if isinstance(running, RunningRule) and alerts else None


def _is_screened(running: Running, written: Collection[str]) -> bool:
    """Say whether nothing that the rule looks at is written by rules."""
    if not isinstance(running, RunningRule):
        return False
    plans = [one for one in (running.plan, _missed(running)) if one is not None]
    return not any(metric_name(one) in written for plan in plans for one in plan.selectors)
