"""From the configuration in force to what inhibition must know: who needs whom."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from stewardmon.domain.causes import Knowledge
from stewardmon.domain.inhibition import InhibitRule, Watched, dependencies
from stewardmon.domain.labels import Labels
from stewardmon.domain.route import Route, route_for
from stewardmon.engine.running import RunningRule
from stewardmon.ports import ProbeSpec
from stewardmon.promql import Expr
from stewardmon.promql.nodes import MatrixSelector, Subquery, children

LONGEST_WAIT: Final = timedelta(minutes=1)


def knowledge(
    rules: Iterable[RunningRule],
    probes: Iterable[ProbeSpec],
    inhibit_rules: Sequence[InhibitRule],
    routes: Sequence[Route],
) -> Knowledge:
    """Return what causes can be told by."""
    rules = tuple(rules)
    watched = tuple(
        Watched(
            name=spec.name,
            job=spec.job,
            instance=spec.instance,
            depends_on=spec.depends_on,
            patience=min(spec.every + spec.timeout, LONGEST_WAIT),
            takes=spec.timeout * (2 if spec.confirm else 1),
        )
        for spec in probes
    )

    def paging(labels: Labels) -> bool:
        return route_for(labels, routes) is not None

    return Knowledge(
        dependencies=dependencies((running.rule for running in rules), watched),
        probes={one.name: one for one in watched},
        rules=tuple(inhibit_rules),
        holds={running.rule.key: running.rule.hold for running in rules},
        memory={
            running.rule.key: timedelta(milliseconds=_window(running.plan.tree))
            + running.rule.keep_firing_for
            for running in rules
        },
        paging=paging,
    )


def _window(expr: Expr) -> int:
    """Return for how many milliseconds a sample goes on counting: ranges, without the lookback."""
    own = expr.range_ms if isinstance(expr, MatrixSelector | Subquery) else 0
    return own + max(map(_window, children(expr)), default=0)
