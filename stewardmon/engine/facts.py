"""What the rules and series know of an alert, put into words for its page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from time import perf_counter
from typing import Final

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import Alert
from stewardmon.domain.display import format_value, sparkline
from stewardmon.domain.labels import NAME
from stewardmon.domain.notices import Facts
from stewardmon.domain.notification import COURSE
from stewardmon.domain.rule import AlertRule
from stewardmon.domain.runbooks import runbook
from stewardmon.engine.pace import SLICE, Pace, rest_ms
from stewardmon.errors import OverdueError, StewardmonError
from stewardmon.ports import Clock
from stewardmon.promql import Engine, narrowed, plan

SHOWN: Final = 24  # characters of a sparkline that every phone shows on one line
SPAN_MS: Final = COURSE // timedelta(milliseconds=1)


class FactFinder:
    """Answers, for a page, what the value is, what it was held against, and how it came there."""

    def __init__(
        self, rules: Mapping[str, AlertRule], engine: Engine, clock: Clock, pace: Pace
    ) -> None:
        self._rules = rules
        self._engine = engine
        self._clock = clock
        self._pace = pace
        self._rests_until_ms: dict[str, int] = {}

    def __call__(self, alert: Alert, *, drawn: bool = True) -> Facts:
        """Return the facts of one alert; those of an alert from outside are few.

        Its course is looked for where it is `drawn`: a page draws one, whatever it lists.
        """
        rule = self._rules.get(alert.rule)
        if rule is None:
            lines = runbook(alert.annotations.value("runbook"), "")
            return Facts(value_text=f"{alert.value:g}", runbook=lines)
        course, held = self._course(rule, alert) if drawn else (), threshold_text(rule)
        return Facts(
            value_text=format_value(alert.value, rule.unit),
            threshold_text=held,
            sparkline=sparkline(course) if course else "",
            course=course,
            threshold=rule.threshold if held else None,
            runbook=runbook(alert.annotations.value("runbook"), rule.expr),
        )

    def _course(self, rule: AlertRule, alert: Alert) -> tuple[float | None, ...]:
        """Return the rule's subject over the last COURSE; nothing where that fails.

        A page must go out whatever the chart does, so a failing query is an empty chart. One that
        takes longer than a rule may is not tried again before the rest that a rule would have.
        """
        end = milliseconds(self._clock.now())
        if rule.subject is None or end < self._rests_until_ms.get(rule.key, 0):
            return ()
        step = SPAN_MS // SHOWN
        started = perf_counter()
        self._pace.begin()
        try:
            result = self._engine.range(
                narrowed(plan(rule.subject), alert.origin),
                end - SPAN_MS,
                end,
                step,
                expired=self._pace.expired,
            )
        except OverdueError:
            self._rests_until_ms[rule.key] = end + rest_ms(max(SLICE, perf_counter() - started))
            return ()
        except StewardmonError:
            return ()
        for labels, points in result.series:
            if labels.without(NAME) == alert.origin:
                by_time = dict(points)
                steps = range(end - SPAN_MS, end + 1, step)
                return tuple(_known(by_time.get(at_ms)) for at_ms in steps)
        return ()


def _known(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def threshold_text(rule: AlertRule) -> str:
    """Return what the value is held against, as people read it: `> 5 %`; empty where unknown.

    An equality is a question answered yes or no: its value says everything already.
    """
    if rule.threshold is None or rule.comparison in {None, "==", "!="}:
        return ""
    return f"{rule.comparison} {format_value(rule.threshold, rule.unit)}"
