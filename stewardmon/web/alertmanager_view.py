"""Alerts and silences as Alertmanager's API v2 shows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request

from stewardmon.domain.alert import Alert
from stewardmon.domain.external import RESOLVE_TIMEOUT
from stewardmon.domain.labels import Labels, Matcher, Op, compile_anchored
from stewardmon.domain.matching import read_filter
from stewardmon.domain.muting import Mute, MuteKind
from stewardmon.domain.route import Route, route_for
from stewardmon.domain.silence import Silence, SilenceState
from stewardmon.engine.live import Live
from stewardmon.errors import ExpressionError
from stewardmon.web.guard import RequestError

_YES, _NO = {"true", "1", "t", "yes", "y", "on"}, {"false", "0", "f", "no", "n", "off"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What keeps an alert from paging: ids of silences (or a window's name), its causes."""

    silenced: list[str] = field(default_factory=list)
    inhibited: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Return Alertmanager's word for it."""
        return "suppressed" if self.silenced or self.inhibited else "active"


_LOUD = Quiet()
AT_ONCE: Final = 100  # alerts looked at between two turns of the loop: some milliseconds
Shown = tuple[Alert, Route | None, Quiet]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts a request asks for."""

    active: bool
    silenced: bool
    inhibited: bool
    matchers: tuple[Matcher, ...]
    receiver: Any

    def takes(self, alert: Alert, route: Route | None, quiet: Quiet) -> bool:
        """Say whether the alert is one of those; what is muted twice must be wanted twice."""
        if not all(matcher.matches(alert.labels) for matcher in self.matchers):
            return False
        if self.receiver is not None and not self.receiver.fullmatch(receiver_of(route)):
            return False
        if quiet.state == "active":
            return self.active
        return (self.silenced or not quiet.silenced) and (self.inhibited or not quiet.inhibited)


def wanted_of(request: Request) -> Wanted:
    """Return what a request's parameters ask for. Raises RequestError for what they cannot be."""
    receiver = request.query_params.get("receiver")
    try:
        pattern = None if not receiver else compile_anchored(receiver)
    except ExpressionError as error:
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
            found += read_filter(text)
        except ExpressionError as error:
            raise RequestError(f"bad matcher format: {error}") from None
    return tuple(found)


def _yes(request: Request, name: str) -> bool:
    text = request.query_params.get(name, "").lower() or "true"
    if text not in _YES | _NO:
        raise RequestError(f"{name} is true or false, not {text[:20]!r}")
    return text in _YES


async def shown(live: Live, wanted: Wanted) -> AsyncIterator[Shown]:
    """Return the firing alerts that are wanted, with their route and what mutes them.

    Of thousands, with turns for others in between: also for what is done with each of them.
    """
    now = live.clock.now()
    routes = live.responder.book.routes
    for place, alert in enumerate(tuple(live.responder.firing.values()), 1):
        if not place % AT_ONCE:
            await live.clock.sleep(0)
        route = route_for(alert.labels, routes)
        mute = live.responder.why_muted(alert, now=now)
        quiet = _LOUD if mute is None else _quiet(live, alert, mute, now)
        if wanted.takes(alert, route, quiet):
            yield alert, route, quiet


def alert_json(live: Live, alert: Alert, route: Route | None, quiet: Quiet) -> dict[str, Any]:
    """Return a gettableAlert."""
    now = live.clock.now()
    held = live.external.alerts.get(alert.fingerprint, alert)
    return {
        "annotations": dict(held.annotations.pairs),
        "endsAt": rfc3339(held.ends_at or now + RESOLVE_TIMEOUT),
        "fingerprint": alert.fingerprint,
        "receivers": [{"name": receiver_of(route)}],
        "startsAt": rfc3339(alert.active_at),
        "status": {
            "inhibitedBy": quiet.inhibited,
            "silencedBy": quiet.silenced,
            "state": quiet.state,
        },
        "updatedAt": rfc3339(now if alert.ends_at is None else alert.fired_at or now),
        **({"generatorURL": held.generator_url} if held.generator_url else {}),
        "labels": dict(alert.labels.pairs),
    }


def receiver_of(route: Route | None) -> str:
    """Return what we call a receiver to programs: the policy that gets the alert."""
    return NOBODY if route is None else route.policy


NOBODY = "nobody"


def groups(
    found: Iterable[Shown],
) -> dict[tuple[str, str, Labels], list[Shown]]:
    """Return alerts by the incident they belong to: receiver, route and shared labels."""
    grouped: dict[tuple[str, str, Labels], list[Shown]] = {}
    for alert, route, quiet in found:
        shared = Labels() if route is None else route.group(alert.labels)
        key = (receiver_of(route), "" if route is None else route.name, shared)
        grouped.setdefault(key, []).append((alert, route, quiet))
    return grouped


def _quiet(live: Live, alert: Alert, mute: Mute, now: datetime) -> Quiet:
    silences = [
        one.id
        for one in live.silences.listed()
        if one.state(now) is SilenceState.ACTIVE and one.accepts(alert.labels)
    ]
    explained = mute.kind in (MuteKind.INHIBITION, MuteKind.CAUSE_PENDING)
    cause = mute if explained else live.mutes.cause(alert, now=now)
    return Quiet(
        silenced=silences or ([] if explained else [mute.by]),
        inhibited=[] if cause is None else [cause.cause or cause.by],
    )


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


def meets(silence: Silence, filters: Sequence[Matcher]) -> bool:
    """Say whether a silence has every matcher that the filters name, as Alertmanager does."""
    return set(filters) <= set(silence.matchers)


def order(silence: Silence, *, now: datetime) -> tuple[int, float]:
    """Return Alertmanager's order: first what ends soon, then what begins soon, then the past."""
    match silence.state(now):
        case SilenceState.ACTIVE:
            return 0, silence.ends_at.timestamp()
        case SilenceState.PENDING:
            return 1, silence.starts_at.timestamp()
        case SilenceState.EXPIRED:
            return 2, -silence.ends_at.timestamp()


def rfc3339(at: datetime) -> str:
    """Return a time as the API writes it: UTC, milliseconds, Z."""
    if at.tzinfo is not UTC:
        at = at.astimezone(UTC)
    return at.isoformat(timespec="milliseconds")[: -len("+00:00")] + "Z"
