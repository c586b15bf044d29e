"""Alerts and silences as Alertmanager's API v2 shows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import re2
from starlette.requests import Request

from stewardmon.domain.alert import Alert
from stewardmon.domain.external import RESOLVE_TIMEOUT
from stewardmon.domain.labels import Labels, Matcher, Op, compile_anchored
from stewardmon.domain.matching import read_matchers
from stewardmon.domain.muting import Mute, MuteKind
from stewardmon.domain.route import Route, route_for
from stewardmon.domain.silence import Silence, SilenceState
from stewardmon.engine.live import Live
from stewardmon.errors import ExpressionError
from stewardmon.web.guard import RequestError

_YES, _NO = {"true", "1", "t"}, {"false", "0", "f"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts a request asks for."""

    active: bool
    silenced: bool
    inhibited: bool
    matchers: tuple[Matcher, ...]
    receiver: Any

    def takes(self, alert: Alert, route: Route | None, mute: Mute | None) -> bool:
        """Say whether the alert is one of those."""
        if not all(matcher.matches(alert.labels) for matcher in self.matchers):
            return False
        if self.receiver is not None and not self.receiver.fullmatch(receiver_of(route)):
            return False
        if mute is None:
            return self.active
        return self.inhibited if _is_inhibited(mute) else self.silenced


def wanted_of(request: Request) -> Wanted:
    """Return what a request's parameters ask for. Raises RequestError for what they cannot be."""
    receiver = request.query_params.get("receiver")
    try:
        pattern = None if not receiver else compile_anchored(receiver)
    except (ExpressionError, re2.error) as error:
        raise RequestError(f"failed to parse receiver param: {error}") from None
    return Wanted(
        active=_yes(request, "active"),
        silenced=_yes(request, "silenced"),
        inhibited=_yes(request, "inhibited"),
        matchers=filters_of(request),
        receiver=pattern,
    )


def filters_of(request: Request) -> tuple[Matcher, ...]:
    """Return the matchers of every `filter`. Raises RequestError for what is none."""
    found: list[Matcher] = []
    for text in request.query_params.getlist("filter"):
        try:
            found += read_matchers(text)
        except ExpressionError as error:
            raise RequestError(f"bad matcher format: {error}") from None
    return tuple(found)


def _yes(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "true").lower()
    if text not in _YES | _NO:
        raise RequestError(f"{name} is true or false, not {text[:20]!r}")
    return text in _YES


def shown(live: Live, wanted: Wanted) -> Iterator[tuple[Alert, Route | None, Mute | None]]:
    """Return the firing alerts that are wanted, with their route and what mutes them."""
    now = live.clock.now()
    routes = live.responder.book.routes
    for alert in tuple(live.responder.firing.values()):
        route = route_for(alert.labels, routes)
        mute = live.responder.why_muted(alert, now=now)
        if wanted.takes(alert, route, mute):
            yield alert, route, mute


def alert_json(live: Live, alert: Alert, route: Route | None, mute: Mute | None) -> dict[str, Any]:
    """Return a gettableAlert."""
    now = live.clock.now()
    held = live.external.alerts.get(alert.fingerprint, alert)
    return {
        "annotations": dict(held.annotations.pairs),
        "endsAt": rfc3339(held.ends_at or now + RESOLVE_TIMEOUT),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": receiver_of(route)}],
        "startsAt": rfc3339(alert.active_at),
        "status": _status(live, alert, mute, now),
        "updatedAt": rfc3339(now if alert.ends_at is None else alert.fired_at or now),
        "generatorURL": held.generator_url,
        "labels": dict(alert.labels.pairs),
    }


def receiver_of(route: Route | None) -> str:
    """Return what we call a receiver to programs: the policy that gets the alert."""
    return NOBODY if route is None else route.policy


NOBODY = "nobody"


def groups(
    found: Iterable[tuple[Alert, Route | None, Mute | None]],
) -> dict[tuple[str, str, Labels], list[tuple[Alert, Route | None, Mute | None]]]:
    """Return alerts by the incident they belong to: receiver, route and shared labels."""
    grouped: dict[tuple[str, str, Labels], list[tuple[Alert, Route | None, Mute | None]]] = {}
    for alert, route, mute in found:
        shared = Labels() if route is None else route.group(alert.labels)
        key = (receiver_of(route), "" if route is None else route.name, shared)
        grouped.setdefault(key, []).append((alert, route, mute))
    return grouped


def _status(live: Live, alert: Alert, mute: Mute | None, now: datetime) -> dict[str, Any]:
    if mute is None:
        return {"inhibitedBy": [], "silencedBy": [], "state": "active"}
    if _is_inhibited(mute):
        return {"inhibitedBy": [mute.cause or mute.by], "silencedBy": [], "state": "suppressed"}
    silences = [
        one.id
        for one in live.silences.listed()
        if one.state(now) is SilenceState.ACTIVE and one.accepts(alert.labels)
    ]
    return {"inhibitedBy": [], "silencedBy": silences or [mute.by], "state": "suppressed"}


def _is_inhibited(mute: Mute) -> bool:
    return mute.kind in (MuteKind.INHIBITION, MuteKind.CAUSE_PENDING)


def silence_json(silence: Silence, *, now: datetime) -> dict[str, Any]:
    """Return a gettableSilence."""
    return {
        "id": silence.id,
        "status": {"state": silence.state(now).value},
        "updatedAt": rfc3339(silence.updated_at),
        "comment": silence.comment,
        "createdBy": silence.created_by,
        "endsAt": rfc3339(silence.ends_at),
        "matchers": [matcher_json(matcher) for matcher in silence.matchers],
        "startsAt": rfc3339(silence.starts_at),
    }


def matcher_json(matcher: Matcher) -> dict[str, Any]:
    """Return a matcher as the API spells it."""
    return {
        "isEqual": matcher.op in (Op.EQUAL, Op.MATCHES),
        "isRegex": matcher.op in (Op.MATCHES, Op.NOT_MATCHES),
        "name": matcher.name,
        "value": matcher.text,
    }


def meets(silence: Silence, matchers: Sequence[Matcher]) -> bool:
    """Say whether a silence is about what the filters select.

    As in Alertmanager, a filter is held against the text of the silence's matcher on that label.
    """
    texts = Labels({one.name: one.text for one in silence.matchers})
    return all(matcher.matches(texts) for matcher in matchers)


def rfc3339(at: datetime) -> str:
    """Return a time as the API writes it: UTC, milliseconds, Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
