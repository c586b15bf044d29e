"""The rules page: each rule, what it reads now, how far that is from firing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from math import isnan
from time import perf_counter
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.clock import milliseconds
from stewardmon.domain.alert import ALERT_NAME, Alert, AlertState
from stewardmon.domain.display import format_value
from stewardmon.domain.rule import AlertRule
from stewardmon.engine.facts import threshold_text
from stewardmon.engine.live import Live
from stewardmon.engine.running import RunningRule
from stewardmon.errors import StewardmonError
from stewardmon.promql import Plan, Threshold, Vector, plan, threshold
from stewardmon.web.front import Front

READ_AT_MOST: Final = 300  # rules whose present value is asked for one page
TURN: Final = 0.01  # seconds of asking after which the event loop gets a turn
REMEMBERED: Final = 500  # incidents in which a rule's last firing is looked for
_ORDER: Final = {"error": 0, "firing": 1, "pending": 2, "inactive": 3}


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleRow:
    """One rule on the page. `share` is how much of the threshold is used up, None where unknown."""

    rule: AlertRule
    state: str
    value: str
    threshold: str
    distance: str
    share: float | None
    alerts: int
    fired_at: datetime | None
    error: str
    seconds: float
    evaluated_at: datetime | None


def routes(front: Front) -> list[Route]:
    """Return the address of the rules page."""

    async def show(request: Request) -> Response:
        now = front.live.clock.now()
        found = await rows(front.live, now=now)
        found.sort(key=lambda row: _ORDER[row.state])
        groups: dict[str, list[RuleRow]] = {}
        for row in found:
            groups.setdefault(row.rule.group, []).append(row)
        return front.page(request, "rules.html", groups=groups, now=now, count=len(found))

    return [Route("/rules", show)]


async def rows(live: Live, *, now: datetime) -> list[RuleRow]:
    """Return every alerting rule with its present value."""
    fired = await _last_fired(live)
    found = []
    turn = perf_counter()
    for place, running in enumerate(live.evaluator.rules()):
        value = _value(live, running, now) if place < READ_AT_MOST else None
        found.append(_row(running, value, fired.get(running.rule.name), now=now))
        if perf_counter() - turn > TURN:
            await live.clock.sleep(0)
            turn = perf_counter()
    return found


def distance(rule: AlertRule, value: float | None) -> tuple[str, float | None]:
    """Return how far a value is from firing, in words and as the share of the threshold used."""
    limit = rule.threshold
    if value is None or limit is None or isnan(value):
        return "", None
    match rule.comparison:
        case ">" | ">=":
            gap, over = limit - value, value > limit
            share = value / limit if limit > 0 else None
        case "<" | "<=":
            gap, over = value - limit, value < limit
            share = limit / value if value > 0 and limit > 0 else None
        case _:
            return "", None
    share = None if share is None else min(max(share, 0.0), 1.0)
    if over:
        return f"beyond it by {format_value(-gap, rule.unit)}", 1.0
    return f"{format_value(gap, rule.unit)} to go", share


@lru_cache(maxsize=2000)
def _reading(text: str) -> tuple[Plan, Threshold] | None:
    """Return what an expression measures, and against what; None where that cannot be told."""
    try:
        found = threshold(plan(text))
        return None if found is None else (plan(found.subject), found)
    except StewardmonError:
        return None


def described(rule: AlertRule) -> AlertRule:
    """Return the rule with its threshold, read from the expression where nothing else says it."""
    found = _reading(rule.expr) if rule.threshold is None else None
    if found is None:
        return rule
    return replace(
        rule,
        subject=found[1].subject,
        threshold=found[1].number,
        comparison=found[1].operator,
    )


def _row(
    running: RunningRule, value: float | None, fired: datetime | None, *, now: datetime
) -> RuleRow:
    rule = described(running.rule)
    active = [one for one in running.active.values() if one.state is not AlertState.RESOLVED]
    state, since = _state(running, active)
    far, share = distance(rule, value)
    if state == "pending" and since is not None:
        left = max(since + rule.hold - now, timedelta(0))
        far = f"fires in {int(left.total_seconds())} s"
    firing_at = [one.fired_at for one in running.active.values() if one.fired_at is not None]
    return RuleRow(
        rule=rule,
        state=state,
        value=format_value(value, rule.unit),
        threshold=threshold_text(rule) or _equality(rule),
        distance=far,
        share=share,
        alerts=len(active),
        fired_at=max((*firing_at, *([fired] if fired else [])), default=None),
        error=running.error,
        seconds=running.seconds,
        evaluated_at=running.evaluated_at,
    )


def _equality(rule: AlertRule) -> str:
    """Return what an equal or unequal comparison holds the value against."""
    sign = {"==": "=", "!=": "≠"}.get(rule.comparison or "")
    if sign is None or rule.threshold is None:
        return ""
    return f"{sign} {format_value(rule.threshold, rule.unit)}"


def _state(running: RunningRule, active: Sequence[Alert]) -> tuple[str, datetime | None]:
    if running.error:
        return "error", None
    if any(one.state is AlertState.FIRING for one in active):
        return "firing", None
    if active:
        return "pending", min(one.active_at for one in active)
    return "inactive", None


def _value(live: Live, running: RunningRule, now: datetime) -> float | None:
    """Return what the rule measures now: of many series the one nearest to firing."""
    read = _reading(running.rule.expr) if running.subject is None else None
    subject = running.subject or (read[0] if read is not None else None)
    if subject is None:
        values = [one.value for one in running.active.values()]
    else:
        try:
            result = live.evaluator.engine.instant(subject, milliseconds(now))
        except StewardmonError:
            return None
        values = [value for _, value in result.samples] if isinstance(result, Vector) else []
    values = [value for value in values if not isnan(value)]
    if not values:
        return None
    comparison = described(running.rule).comparison
    return min(values) if comparison in {"<", "<=", "=="} else max(values)


async def _last_fired(live: Live) -> dict[str, datetime]:
    fired: dict[str, datetime] = {}
    for incident in await live.ledger.store.incidents(limit=REMEMBERED):
        fired.setdefault(incident.group.value(ALERT_NAME) or incident.title, incident.opened_at)
    return fired
