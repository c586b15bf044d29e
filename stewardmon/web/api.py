"""The rest of our JSON: the whole at a glance, rules, who is on call, silences, maintenance."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon import __version__
from stewardmon.domain.maintenance import Maintenance, MaintenanceError, Once
from stewardmon.domain.quantity import format_duration, parse_duration
from stewardmon.domain.silence import Silence, SilenceError
from stewardmon.engine.live import Live
from stewardmon.errors import ExpressionError
from stewardmon.web import rota
from stewardmon.web.board import headline
from stewardmon.web.encoding import JSONResponse
from stewardmon.web.guard import Guard, RequestError, json_body, text_field
from stewardmon.web.incidents import probe, read_time, summary
from stewardmon.web.quieting import LONGEST, in_words, parse_matchers
from stewardmon.web.rules import RuleRow, rows

SPAN: Final = frozenset({"matchers", "starts_at", "ends_at", "for", "by", "reason"})


def routes(live: Live, guard: Guard) -> list[Route]:
    """Return the addresses of what is neither an incident nor a probe."""

    async def status(_request: Request) -> Response:
        return JSONResponse(glance(live))

    async def rules(_request: Request) -> Response:
        found = await rows(live, now=live.clock.now())
        return JSONResponse({"rules": [rule_json(row) for row in found]})

    async def oncall(request: Request) -> Response:
        at = _at(request.query_params.get("at"), live.clock.now())
        return JSONResponse(who(live, at))

    return [
        Route("/api/status", status),
        Route("/api/rules", rules),
        Route("/api/oncall", oncall),
        *_silences(live, guard),
        *_windows(live, guard),
    ]


def glance(live: Live) -> dict[str, Any]:
    """Return the whole: one sentence, version, readiness, open incidents, probes."""
    ready, detail = live.ready()
    said, tone = headline(live, now=live.clock.now())
    seen = live.observations.latest
    incidents = sorted(live.responder.open(), key=lambda one: one.opened_at, reverse=True)
    return {
        "headline": said,
        "tone": tone,
        "version": __version__,
        "location": live.location,
        "now": live.clock.now().isoformat(),
        "started_at": live.started_at.isoformat(),
        "ready": ready,
        "detail": detail,
        "config_error": live.config_error,
        "waiting_messages": len(live.ledger.waiting()),
        "incidents": [summary(one) for one in incidents],
        "probes": [probe(spec.name, spec.job, seen.get(spec.name)) for spec in live.config.probes],
    }


def rule_json(row: RuleRow) -> dict[str, Any]:
    """Return a rule with its present value."""
    rule = row.rule
    return {
        "name": rule.name,
        "group": rule.group,
        "condition": rule.condition,
        "also": rule.also,
        "expr": rule.expr,
        "for": format_duration(rule.hold),
        "severity": rule.severity,
        "state": row.state,
        "value": row.value,
        "threshold": row.threshold,
        "distance": row.distance,
        "used": None if row.share is None or not math.isfinite(row.share) else row.share,
        "alerts": row.alerts,
        "last_fired_at": None if row.fired_at is None else row.fired_at.isoformat(),
        "error": row.error,
    }


def who(live: Live, at: datetime) -> dict[str, Any]:
    """Return who has each rotation at an instant, and whom each level would page then."""
    book = live.responder.book
    return {
        "at": at.isoformat(),
        "rotations": [
            {
                "rotation": duty.rotation,
                "person": None if duty.now is None else duty.now.person,
                "name": None if duty.now is None else rota.name_of(book.roster, duty.now.person),
                "until": None if duty.now is None else duty.now.end.isoformat(),
                "next": None if duty.next is None else duty.next.person or None,
            }
            for duty in rota.duties(book.roster, now=at)
        ],
        "levels": [
            {
                "policy": policy.name,
                "level": level.number,
                "role": level.role,
                "after": format_duration(level.after),
                "people": [
                    person.id
                    for person in (book.roster.find(target, at) for target in level.page)
                    if person is not None
                ],
            }
            for policy in book.policies.values()
            for level in policy.levels
        ],
    }


def _silences(live: Live, guard: Guard) -> list[Route]:
    async def listed(_request: Request) -> Response:
        now = live.clock.now()
        found = [silence_json(one, now=now) for one in live.silences.listed()]
        return JSONResponse({"silences": found})

    async def add(request: Request) -> Response:
        guard.check(request)
        body = await json_body(request, known=SPAN | {"sure"})
        now = live.clock.now()
        start, end = _span(body, now)
        try:
            wanted = Silence(
                id="",
                matchers=parse_matchers(text_field(body, "matchers", limit=5000)),
                starts_at=start,
                ends_at=end,
                updated_at=now,
                created_by=text_field(body, "by", limit=100) or "somebody",
                comment=text_field(body, "reason"),
            )
            made = await live.silences.put(wanted, now=now, sure=body.get("sure") is True)
        except (SilenceError, ExpressionError) as error:
            raise RequestError(str(error), 409) from None
        return JSONResponse(silence_json(made, now=now), status_code=201)

    async def expire(request: Request) -> Response:
        guard.check(request)
        now = live.clock.now()
        try:
            ended = await live.silences.expire(request.path_params["ident"], now=now)
        except SilenceError as error:
            raise RequestError(str(error), 404) from None
        return JSONResponse(silence_json(ended, now=now))

    return [
        Route("/api/silences", listed, methods=["GET"]),
        Route("/api/silences", add, methods=["POST"]),
        Route("/api/silences/{ident}", expire, methods=["DELETE"]),
    ]


def _windows(live: Live, guard: Guard) -> list[Route]:
    async def listed(_request: Request) -> Response:
        now = live.clock.now()
        found = [window_json(one, now=now) for one in live.silences.windows()]
        return JSONResponse({"maintenance": found})

    async def add(request: Request) -> Response:
        guard.check(request)
        body = await json_body(request, known=SPAN | {"name"})
        now = live.clock.now()
        start, end = _span(body, now)
        matchers = text_field(body, "matchers", limit=5000)
        try:
            wanted = Maintenance(
                id="",
                name=text_field(body, "name", limit=100) or "maintenance",
                matchers=parse_matchers(matchers) if matchers else (),
                span=Once(start, end),
                created_by=text_field(body, "by", limit=100) or "somebody",
                reason=text_field(body, "reason"),
            )
            made = await live.silences.open_window(wanted, now=now)
        except (MaintenanceError, SilenceError, ExpressionError) as error:
            raise RequestError(str(error), 409) from None
        return JSONResponse(window_json(made, now=now), status_code=201)

    async def close(request: Request) -> Response:
        guard.check(request)
        try:
            await live.silences.close_window(request.path_params["ident"], now=live.clock.now())
        except MaintenanceError as error:
            raise RequestError(str(error), 404) from None
        return JSONResponse({"status": "success"})

    return [
        Route("/api/maintenance", listed, methods=["GET"]),
        Route("/api/maintenance", add, methods=["POST"]),
        Route("/api/maintenance/{ident}", close, methods=["DELETE"]),
    ]


def silence_json(one: Silence, *, now: datetime) -> dict[str, Any]:
    """Return a silence as JSON shows it."""
    return {
        "id": one.id,
        "state": one.state(now).value,
        "matchers": [str(matcher) for matcher in one.matchers],
        "starts_at": one.starts_at.isoformat(),
        "ends_at": one.ends_at.isoformat(),
        "by": one.created_by,
        "reason": one.comment,
    }


def window_json(one: Maintenance, *, now: datetime) -> dict[str, Any]:
    """Return a maintenance window as JSON shows it."""
    until = one.span.until(now)
    return {
        "id": one.id,
        "name": one.name,
        "when": in_words(one.span),
        "open": until is not None,
        "until": None if until is None else until.isoformat(),
        "matchers": [str(matcher) for matcher in one.matchers],
        "by": one.created_by,
        "reason": one.reason,
    }


def _span(body: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    """Return the span that a body names: `starts_at` (now), and `ends_at` or `for` (1h)."""
    start = _at(text_field(body, "starts_at", limit=50) if "starts_at" in body else None, now)
    if "ends_at" in body:
        end = _at(text_field(body, "ends_at", limit=50), now)
    else:
        try:
            end = start + parse_duration(text_field(body, "for", default="1h", limit=50))
        except ExpressionError as error:
            raise RequestError(f"no duration: {error}") from None
        except OverflowError:
            raise RequestError("the span ends beyond the calendar", 409) from None
    if end - start > LONGEST:
        raise RequestError("a year is the longest span", 409)
    return start, end


def _at(text: str | None, now: datetime) -> datetime:
    try:
        return now if text is None else read_time(text)
    except (ValueError, OverflowError):
        raise RequestError(
            f"{(text or '')[:40]!r} is no time such as 2026-11-23T12:00:00Z"
        ) from None
