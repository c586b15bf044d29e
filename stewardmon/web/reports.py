"""The reports page, one report, and the maintenance tasks: for people and for programs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from stewardmon.domain.report import Report, ReportError, ReportKind, as_record
from stewardmon.domain.tasks import TaskStanding
from stewardmon.engine.tasks import TaskError
from stewardmon.web.front import Front
from stewardmon.web.guard import RequestError, json_body, text_field
from stewardmon.web.incidents import read_time


def routes(front: Front) -> list[Route]:
    """Return the addresses of reports and tasks."""
    live = front.live

    async def listed(request: Request) -> Response:
        now = live.clock.now()
        office = live.reports.office
        return front.page(
            request,
            "reports.html",
            now=now,
            reports=live.reports.listed(),
            hours=[(kind.value, when.after(now)) for kind, when in office.times.items()],
            office=office,
            tasks=live.tasks.standings(now=now),
        )

    async def show(request: Request) -> Response:
        report = _found(front, request)
        return front.page(request, "report.html", it=report, zone=report.zone)

    async def done(request: Request) -> Response:
        fields = await front.form(request)
        note = text_field(dict(fields), "note")
        await _mark(front, request.path_params["task"], fields["by"], note)
        return RedirectResponse(f"{front.prefix}/reports#tasks", status_code=303)

    async def made(request: Request) -> Response:
        report = await live.reports.reporter.make(
            _kind(request), _end(request, live.clock.now()), zone=live.reports.office.zone
        )
        return JSONResponse(as_record(report))

    async def kept(_request: Request) -> Response:
        found = [{"id": one.id, "title": one.title} for one in live.reports.listed()]
        return JSONResponse({"reports": found})

    async def tasks(_request: Request) -> Response:
        found = live.tasks.standings(now=live.clock.now())
        return JSONResponse({"tasks": [task_json(one) for one in found]})

    async def mark(request: Request) -> Response:
        front.guard.check(request)
        body = await json_body(request, known=frozenset({"by", "note"}))
        by = text_field(body, "by", limit=100) or "somebody"
        one = await _mark(front, request.path_params["task"], by, text_field(body, "note"))
        return JSONResponse(task_json(one))

    return [
        Route("/reports", listed),
        Route("/reports/{ident}", show),
        Route("/reports/tasks/{task}/done", done, methods=["POST"]),
        Route("/api/reports", kept),
        Route("/api/reports/{kind}", made),
        Route("/api/tasks", tasks),
        Route("/api/tasks/{task}/done", mark, methods=["POST"]),
    ]


def task_json(one: TaskStanding) -> dict[str, Any]:
    """Return how a task stands."""
    return {
        "id": one.task.id,
        "title": one.task.title,
        "every_days": one.task.every.days,
        "done_at": one.done.at.isoformat() if one.done.by else None,
        "done_by": one.done.by,
        "note": one.done.note,
        "overdue": one.is_overdue,
    }


async def _mark(front: Front, ident: str, by: str, note: str) -> TaskStanding:
    try:
        return await front.live.tasks.mark(ident, by=by, note=note, now=front.live.clock.now())
    except TaskError as error:
        raise RequestError(str(error), 404) from None


def _found(front: Front, request: Request) -> Report:
    try:
        return front.live.reports.find(request.path_params["ident"])
    except ReportError as error:
        raise RequestError(str(error), 404) from None


def _kind(request: Request) -> ReportKind:
    try:
        return ReportKind(request.path_params["kind"])
    except ValueError:
        raise RequestError(f"a report is one of {', '.join(ReportKind)}", 404) from None


def _end(request: Request, now: datetime) -> datetime:
    text = request.query_params.get("at", "")
    if not text:
        return now
    try:
        at = read_time(text)
    except (ValueError, OverflowError):
        raise RequestError("at is a time such as 2026-11-23T12:00:00Z") from None
    if not datetime(2000, 1, 1, tzinfo=UTC) <= at <= now:
        raise RequestError("at is a time that has passed")
    return at
