"""An alertmanager.yml that says what our routes say, for programs that read one."""

from __future__ import annotations

from typing import Any

from stewardmon.domain.inhibition import InhibitRule
from stewardmon.domain.policy import Policy
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.route import Route
from stewardmon.engine.live import Live
from stewardmon.web.alertmanager_view import NOBODY


def original(live: Live) -> str:
    """Return the configuration: receivers are our policies, the first route that matches wins.

    What Alertmanager has no word for (levels, acknowledgement) is not in it.
    """
    import yaml  # noqa: PLC0415 - a megabyte that only who asks for the configuration needs

    book = live.responder.book
    routes = list(book.routes)
    last = next((place for place, one in enumerate(routes) if not one.matchers), None)
    root: dict[str, Any] = {"receiver": NOBODY}
    if last is not None:
        root = _route(routes[last], book.policies)
        routes = routes[:last]
    if routes:
        root["routes"] = [_route(one, book.policies) for one in routes]
    names = dict.fromkeys([*book.policies, *([NOBODY] if last is None else [])])
    body: dict[str, Any] = {
        "global": {"resolve_timeout": "5m"},
        "route": root,
        "receivers": [{"name": name} for name in names],
    }
    if live.config.inhibit_rules:
        body["inhibit_rules"] = [_inhibition(rule) for rule in live.config.inhibit_rules]
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True)


def _route(route: Route, policies: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"receiver": route.policy, "group_by": list(route.group_by)}
    if route.matchers:
        found["matchers"] = [str(matcher) for matcher in route.matchers]
    if route.group_wait is not None:
        found["group_wait"] = format_duration(route.group_wait)
    policy: Policy | None = policies.get(route.policy)
    if policy is not None and policy.repeat_last is not None:
        found["repeat_interval"] = format_duration(policy.repeat_last)
    return found


def _inhibition(rule: InhibitRule) -> dict[str, Any]:
    found: dict[str, Any] = {
        "source_matchers": [str(matcher) for matcher in rule.source],
        "target_matchers": [str(matcher) for matcher in rule.target],
    }
    if rule.equal:
        found["equal"] = list(rule.equal)
    return found
