"""Prometheus' HTTP API over our own series: Grafana and promtool ask it as they ask Prometheus.

Source: prometheus.io/docs/prometheus/latest/querying/api/. Evaluation happens in a thread over a
picture of the series, within a time limit: no query stalls a loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from stewardmon.clock import milliseconds
from stewardmon.domain.labels import NAME, Labels, metric_name
from stewardmon.engine.live import Live
from stewardmon.engine.past import picture
from stewardmon.errors import EvaluationError, ExpressionError
from stewardmon.promql import Engine, Notes, Plan, Reads, Result, plan
from stewardmon.promql.nodes import VectorSelector
from stewardmon.promql.pretty import pretty
from stewardmon.web.catalogue import help_of
from stewardmon.web.encoding import JSONResponse
from stewardmon.web.prometheus_json import Noted, Timings, answered, result_json, stats_json
from stewardmon.web.prometheus_params import ParameterError, Parameters, read_parameters
from stewardmon.web.prometheus_rules import alerts_json, build_json, groups_json, targets_json

TIMEOUT: Final = 30.0  # seconds

_THREADS: Final = ThreadPoolExecutor(2, thread_name_prefix="query")
"""Queries have threads of their own: however many are asked, names are resolved and files read."""

Answer = Callable[[Live, Parameters], Awaitable[Any]]
Run = Callable[[Engine, Callable[[], bool], Reads | None], Result]


class TimedOutError(EvaluationError):
    """A query that took longer than it may."""


def routes(live: Live) -> list[Route]:
    """Return Prometheus' addresses."""
    both = ["GET", "POST"]
    return [
        Route("/api/v1/query", _route(live, _query), methods=both),
        Route("/api/v1/query_range", _route(live, _query_range), methods=both),
        Route("/api/v1/series", _route(live, _series), methods=both),
        Route("/api/v1/labels", _route(live, _labels), methods=both),
        Route("/api/v1/label/{name}/values", _route(live, _values)),
        Route("/api/v1/rules", _route(live, _rules)),
        Route("/api/v1/alerts", _route(live, _alerts)),
        Route("/api/v1/targets", _route(live, _targets)),
        Route("/api/v1/metadata", _route(live, _metadata)),
        Route("/api/v1/format_query", _route(live, _formatted), methods=both),
        Route("/api/v1/query_exemplars", _route(live, _exemplars), methods=both),
        Route("/api/v1/status/buildinfo", _route(live, _build)),
    ]


def _route(live: Live, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        try:
            parameters = await read_parameters(request)
            return JSONResponse(answered(await answer(live, parameters)))
        except (ParameterError, ExpressionError) as error:
            return _failed("bad_data", str(error), 400)
        except TimedOutError as error:
            return _failed("timeout", str(error), 503)
        except EvaluationError as error:
            return _failed("execution", str(error), 422)

    return respond


def _failed(kind: str, text: str, status: int) -> JSONResponse:
    body = {"status": "error", "errorType": kind, "error": text}
    return JSONResponse(body, status_code=status)


async def _query(live: Live, given: Parameters) -> Any:
    planned = _planned(given)
    at_ms = given.time("time", default=milliseconds(live.clock.now()))
    return await _evaluate(
        live, planned, at_ms, at_ms, given, lambda engine, expired, reads: engine.instant(
            planned, at_ms, expired=expired, reads=reads
        )
    )  # fmt: skip


async def _query_range(live: Live, given: Parameters) -> Any:
    planned = _planned(given)
    start, end = given.time("start"), given.time("end")
    step = given.step("step")
    if end < start:
        raise ParameterError('invalid parameter "end": end timestamp must not be before start time')
    if (end - start) // step > 11_000:
        raise ParameterError(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the "
            "query resolution (?step=XX)"
        )
    return await _evaluate(
        live, planned, start, end, given, lambda engine, expired, reads: engine.range(
            planned, start, end, step, expired=expired, reads=reads
        )
    )  # fmt: skip


async def _evaluate(
    live: Live, planned: Plan, start_ms: int, end_ms: int, given: Parameters, run: Run
) -> Noted:
    began = perf_counter()
    seconds = min(given.duration("timeout", default=TIMEOUT), TIMEOUT)
    deadline = began + seconds
    limit, reads = given.count("limit"), Reads() if given.text("stats", default="") else None
    late = False

    def expired() -> bool:
        nonlocal late
        late = perf_counter() > deadline
        return late

    still = await picture(
        planned,
        series=live.series,
        history=live.history,
        clock=live.clock,
        start_ms=start_ms,
        end_ms=end_ms,
    )
    timings = Timings(began=began, ready=perf_counter())

    def evaluate() -> Result:
        timings.started = perf_counter()
        result = run(Engine(still), expired, reads)
        timings.done = perf_counter()
        return result

    try:
        result = await asyncio.get_running_loop().run_in_executor(_THREADS, evaluate)
    except EvaluationError as error:
        if late:
            raise TimedOutError(f"query timed out after {seconds:g} s") from error
        raise
    answer = result_json(result, limit=limit)
    if reads is not None:
        answer.data["stats"] = stats_json(timings, reads.samples)
    return answer


def _planned(given: Parameters) -> Plan:
    text = given.text("query")
    try:
        return plan(text)
    except ExpressionError as error:
        place = f"1:{error.column}: " if error.column else ""
        raise ParameterError(f'invalid parameter "query": {place}parse error: {error}') from None


async def _series(live: Live, given: Parameters) -> Any:
    found = await _matched(live, given, required=True)
    return _limited([dict(labels) for labels in sorted(found, key=lambda one: one.pairs)], given)


async def _labels(live: Live, given: Parameters) -> Any:
    return _limited(sorted({n for labels in await _matched(live, given) for n in labels}), given)


async def _values(live: Live, given: Parameters) -> Any:
    name = given.path["name"]
    found = {labels.value(name) for labels in await _matched(live, given)}
    return _limited(sorted(found - {""}), given)


def _limited(rows: Sequence[Any], given: Parameters) -> Noted:
    """Return the rows up to the request's `limit`, and say where some were left out."""
    limit = given.count("limit")
    if 0 < limit < len(rows):
        return Noted(rows[:limit], Notes(warnings=("results truncated due to limit",)))
    return Noted(rows, Notes())


async def _matched(live: Live, given: Parameters, *, required: bool = False) -> set[Labels]:
    """Return the label sets that any `match[]` selects, of memory and (where asked) history."""
    selectors = [_selector(text) for text in given.all("match[]")]
    if required and not selectors:
        raise ParameterError("no match[] parameter provided")
    now = milliseconds(live.clock.now())
    start = given.time("start", default=now - live.series.retention_ms)
    end = given.time("end", default=now)
    found: set[Labels] = set()
    for matchers in selectors or [()]:
        found |= {
            one.labels
            for one in live.series.select(matchers)
            if one.times and one.times[-1] >= start and one.times[0] <= end
        }
        if start < now - live.series.held_ms(metric_name(matchers)):
            older = await live.history.read(matchers, start_ms=start, end_ms=end)
            found |= {labels for labels, _ in older}
    return found


def _selector(text: str) -> Any:
    try:
        planned = plan(text)
    except ExpressionError as error:
        raise ParameterError(f'invalid parameter "match[]": {error}') from None
    if not isinstance(planned.tree, VectorSelector):
        raise ParameterError('invalid parameter "match[]": a series selector is wanted')
    return planned.selectors[0]


async def _rules(live: Live, given: Parameters) -> Any:
    kind = given.text("type", default="")
    if kind not in {"", "alert", "record"}:
        raise ParameterError(f'invalid parameter "type": not supported value "{kind[:60]}"')
    groups = groups_json(live, kind=kind)
    for one in groups:
        one["rules"] = _chosen(one["rules"], "name", given.all("rule_name[]"))
    named = _chosen(_chosen(groups, "name", given.all("rule_group[]")), "file", given.all("file[]"))
    asked = given.all("rule_name[]")
    return {"groups": [one for one in named if one["rules"] or not asked]}


def _chosen(rows: list[Any], key: str, wanted: Sequence[str]) -> list[Any]:
    """Return the rows whose field is among those asked for; all where none are."""
    return [one for one in rows if not wanted or one[key] in wanted]


async def _alerts(live: Live, _given: Parameters) -> Any:
    return {"alerts": alerts_json(live)}


async def _targets(live: Live, given: Parameters) -> Any:
    wanted = given.text("state", default="any")
    active = targets_json(live) if wanted in {"any", "active"} else []
    return {"activeTargets": active, "droppedTargets": [], "droppedTargetCounts": {}}


async def _metadata(live: Live, given: Parameters) -> Any:
    wanted = given.text("metric", default="")
    names = {one.labels.value(NAME) for one in live.series.select(())}
    chosen = [name for name in sorted(names) if wanted in {"", name}]
    return {
        name: [{"type": "unknown", "help": help_of(name), "unit": ""}]
        for name in chosen[: given.count("limit") or None]
    }


async def _formatted(_live: Live, given: Parameters) -> Any:
    return pretty(_planned(given).tree)


async def _exemplars(_live: Live, given: Parameters) -> Any:
    """Answer that there are none: probes take no traces along."""
    _planned(given)
    return []


async def _build(_live: Live, _given: Parameters) -> Any:
    return build_json()
