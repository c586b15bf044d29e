"""Incidents and probes as JSON, and what people do to incidents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.domain import answers
from stewardmon.domain.answers import AnswerError, By
from stewardmon.domain.incident import Event, Incident
from stewardmon.domain.quantity import parse_duration
from stewardmon.domain.step import Step
from stewardmon.engine.live import Live
from stewardmon.engine.watch import Seen
from stewardmon.errors import ExpressionError
from stewardmon.web.encoding import JSONResponse
from stewardmon.web.guard import Guard, RequestError, json_body, text_field

LISTED: Final = 200
FURTHER: Final = {"snooze": frozenset({"for", "until"})}
FIELDS: Final = frozenset({"by", "reason"})


def routes(live: Live, guard: Guard) -> list[Route]:
    """Return the JSON addresses of incidents and probes."""
    acts = acts_of(live)

    async def listed(request: Request) -> Response:
        wanted = request.query_params.get("state", "open")
        if wanted not in {"open", "all"}:
            raise RequestError("state is open or all")
        limit = _limit(request.query_params.get("limit", str(LISTED)))
        before = _before(request.query_params.get("before"))
        if wanted == "open":
            found = sorted(live.responder.open(), key=lambda one: one.opened_at, reverse=True)
            found = [one for one in found if before is None or one.opened_at < before]
        else:
            found = list(await live.ledger.store.incidents(limit=limit, before=before))
        return JSONResponse({"incidents": [summary(one) for one in found[:limit]]})

    async def shown(request: Request) -> Response:
        incident = await find(live, request.path_params["ident"])
        events = await live.ledger.store.events(incident.id)
        rows = await live.ledger.store.deliveries(incident.id)
        return JSONResponse(
            {
                **summary(incident),
                "timeline": [line(event) for event in events],
                "deliveries": [
                    {
                        "event": row.event.value,
                        "level": row.level,
                        "person": row.person,
                        "channel": row.channel,
                        "state": row.state.value,
                        "attempts": row.attempts,
                        "error": row.error,
                        "dedup_key": row.dedup_key,
                    }
                    for row in rows
                ],
            }
        )

    async def act(request: Request) -> Response:
        guard.check(request)
        name = request.path_params["act"]
        if name not in acts:
            raise RequestError(f"one can {', '.join(acts)} an incident, not {name}", 404)
        body = await json_body(request, known=FIELDS | FURTHER.get(name, frozenset()))
        by = By(
            who=text_field(body, "by", limit=100) or "somebody",
            at=live.clock.now(),
            reason=text_field(body, "reason"),
        )
        await find(live, request.path_params["ident"])
        try:
            incident = await live.responder.answer(
                request.path_params["ident"], acts[name](by, body), now=by.at
            )
        except AnswerError as error:
            raise RequestError(str(error), 409) from None
        return JSONResponse(summary(incident))

    return [
        Route("/api/incidents", listed),
        Route("/api/incidents/{ident}", shown),
        Route("/api/incidents/{ident}/{act}", act, methods=["POST"]),
        *_probes(live),
    ]


def _probes(live: Live) -> list[Route]:
    async def one_probe(request: Request) -> Response:
        name = request.path_params["name"]
        spec = next((spec for spec in live.config.probes if spec.name == name), None)
        if spec is None:
            raise RequestError(f"there is no probe {name[:60]}", 404)
        return JSONResponse(probe(name, spec.job, live.observations.latest.get(name)))

    async def probes(_request: Request) -> Response:
        seen = live.observations.latest
        specs = live.config.probes
        return JSONResponse(
            {"probes": [probe(spec.name, spec.job, seen.get(spec.name)) for spec in specs]}
        )

    return [Route("/api/probes", probes), Route("/api/probes/{name}", one_probe)]


async def find(live: Live, ident: str) -> Incident:
    """Return an incident. Raises RequestError (404) where there is none of that id."""
    incident = live.responder.incidents.get(ident) or await live.ledger.incident(ident)
    if incident is None:
        raise RequestError(f"there is no incident {ident[:60]}", 404)
    return incident


def summary(incident: Incident) -> dict[str, Any]:
    """Return an incident as JSON shows it."""
    return {
        "id": incident.id,
        "title": incident.title,
        "severity": incident.severity,
        "state": incident.state.value,
        "opened_at": _time(incident.opened_at),
        "acknowledged_at": _time(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": _time(incident.resolved_at),
        "resolved_by": incident.resolved_by,
        "reached_level": incident.reached,
        "next_step_at": _time(incident.next_step_at),
        "snoozed_until": _time(incident.snoozed_until),
        "muted_by": incident.muted_by,
        "policy": incident.policy.name,
        "symptoms": list(incident.symptoms),
        "alerts": [
            {"labels": dict(one.labels), "annotations": dict(one.annotations)}
            for one in list(incident.alerts.values())[:LISTED]
        ],
        "alert_count": len(incident.alerts),
    }


def line(event: Event) -> dict[str, Any]:
    """Return a timeline line as JSON shows it."""
    return {
        "at": _time(event.at),
        "kind": event.kind.value,
        "who": event.who,
        "detail": event.detail,
    }


def probe(name: str, job: str, seen: Seen | None) -> dict[str, Any]:
    """Return a probe's newest outcome as JSON shows it; `unknown` before the first."""
    if seen is None:
        return {"probe": name, "job": job, "state": "unknown", "reason": "", "detail": ""}
    return {
        "probe": name,
        "job": job,
        "instance": seen.spec.instance,
        "state": seen.outcome.state.value,
        "reason": seen.outcome.reason.value,
        "detail": seen.outcome.detail,
        "at": _time(seen.at),
        "duration_seconds": seen.outcome.duration,
        "phases": dict(seen.outcome.phases),
        "findings": list(seen.outcome.findings),
    }


Act = Callable[[By, dict[str, Any]], Callable[[Incident], Step]]


def acts_of(live: Live) -> dict[str, Act]:
    """Return what one can do to an incident: by name, a decision made of who asks and the body."""

    def roster() -> Any:
        return live.responder.book.roster

    return {
        "ack": lambda by, _: lambda one: answers.acknowledge(one, by),
        "unack": lambda by, _: lambda one: answers.unacknowledge(one, by, roster=roster()),
        "snooze": lambda by, body: lambda one: answers.snooze(one, by, until=_until(by, body)),
        "escalate": lambda by, _: lambda one: answers.escalate(one, by, roster=roster()),
        "resolve": lambda by, _: lambda one: answers.resolve(one, by),
        "note": lambda by, _: lambda one: answers.note(one, by),
    }


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 1000):
        raise RequestError("limit is a number from 1 to 1000")
    return int(text)


def _before(text: str | None) -> datetime | None:
    try:
        return None if text is None else read_time(text)
    except (ValueError, OverflowError):
        raise RequestError("before is a time such as 2026-11-23T12:00:00Z") from None


def _until(by: By, body: dict[str, Any]) -> datetime:
    """Return the end of a snooze: `until` (RFC 3339) or `for` (a duration, 1h if none)."""
    try:
        if "until" in body:
            return read_time(text_field(body, "until"))
        return by.at + parse_duration(text_field(body, "for", default="1h"))
    except (ValueError, ExpressionError, OverflowError) as error:
        raise RequestError(f"no time or duration: {error}") from None


def read_time(text: str) -> datetime:
    """Return the instant of an RFC 3339 text, UTC where it names no zone. Raises ValueError."""
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
