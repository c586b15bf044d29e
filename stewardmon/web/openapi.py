"""`/api/openapi.json`: our JSON interface described, so that programs can be written and tested."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stewardmon import __version__

Schema = dict[str, Any]
TEXT: Final[Schema] = {"type": "string", "maxLength": 1000}
NAME: Final[Schema] = {"type": "string", "maxLength": 100}
TIME: Final[Schema] = {"type": "string", "format": "date-time"}
LENGTH: Final[Schema] = {
    "type": "string",
    "pattern": "^([0-9]{1,2}y|[0-9]{1,4}w|[0-9]{1,5}d|[0-9]{1,6}(h|m|s|ms))$",
}
VERSION: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z0-9_.+@-]{1,80}$"}
WHOLE: Final[Schema] = {"type": "integer"}
YES: Final[Schema] = {"type": "boolean"}
FIELDS: Final[Mapping[str, Schema]] = {"by": NAME, "reason": TEXT}
FURTHER: Final[Mapping[str, Mapping[str, Schema]]] = {"snooze": {"for": LENGTH, "until": TIME}}

# What one can do to an incident; FURTHER says what an act takes beyond FIELDS.
ACTS: Final[Mapping[str, str]] = {
    "ack": "Acknowledge: the escalation stops",
    "unack": "Give it back: the matrix begins anew",
    "snooze": "Let the escalation rest",
    "escalate": "Page the next level now",
    "resolve": "Close it by hand",
    "note": "Write a line into the timeline",
}


def routes() -> list[Route]:
    """Return the address of the description."""
    described = description()

    async def show(_request: Request) -> Response:
        return JSONResponse(described)

    return [Route("/api/openapi.json", show)]


def description() -> dict[str, Any]:
    """Return the whole description, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "stewardmon", "version": __version__},
        "paths": {
            "/api/status": {"get": _get("The whole at a glance", "Glance")},
            "/api/incidents": {"get": _listing("Incidents, newest first", "incidents", "Incident")},
            "/api/incidents/{id}": {
                "parameters": [_in_path("id")],
                "get": _get("One incident with timeline and deliveries", "Incident", missing=True),
            },
            **{
                f"/api/incidents/{{id}}/{name}": {
                    "parameters": [_in_path("id")],
                    "post": _post(about, {**FIELDS, **FURTHER.get(name, {})}, "Incident"),
                }
                for name, about in ACTS.items()
            },
            "/api/probes": {"get": _list("Probes and their newest outcomes", "probes", "Probe")},
            "/api/probes/{name}": {
                "parameters": [_in_path("name")],
                "get": _get("One probe", "Probe", missing=True),
            },
            "/api/rules": {"get": _list("Rules and what they read now", "rules", "Rule")},
            "/api/oncall": {
                "get": {
                    **_get("Who is on call at an instant", "OnCall"),
                    "parameters": [_query("at", TIME)],
                }
            },
            "/api/deploys": {
                "get": _list("Deploys that were told, newest first", "deploys", "Deploy"),
                "post": _post(
                    "Tell of a deploy: a line on charts and in open incidents",
                    {"version": VERSION, "by": NAME, "note": TEXT},
                    "Deploy",
                    made=True,
                    required=("version",),
                ),
            },
            "/api/silences": {
                "get": _list("Silences", "silences", "Silence"),
                "post": _post("Silence alerts", _span_fields("sure", YES), "Silence", made=True),
            },
            "/api/silences/{id}": {
                "parameters": [_in_path("id")],
                "delete": _delete("End a silence", "Silence"),
            },
            "/api/maintenance": {
                "get": _list("Maintenance windows", "maintenance", "Window"),
                "post": _post("Open a window", _span_fields("name", NAME), "Window", made=True),
            },
            "/api/maintenance/{id}": {
                "parameters": [_in_path("id")],
                "delete": _delete("Close a window that was opened by the API", "Done"),
            },
            **_reports(),
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(),
        },
    }


def _reports() -> dict[str, Any]:
    return {
        "/api/reports": {"get": _list("Reports that were made", "reports", "Made")},
        "/api/reports/{kind}": {
            "parameters": [_in_path("kind")],
            "get": {
                **_get("A daily, weekly or monthly report, made now", "Report", missing=True),
                "parameters": [_query("at", TIME)],
            },
        },
        "/api/tasks": {"get": _list("Maintenance tasks and how they stand", "tasks", "Task")},
        "/api/tasks/{task}/done": {
            "parameters": [_in_path("task")],
            "post": _post("Say that a task is done", {"by": NAME, "note": TEXT}, "Task"),
        },
    }


def _schemas() -> dict[str, Schema]:
    maybe_time: Schema = {"anyOf": [TIME, {"type": "null"}]}
    maybe_text: Schema = {"type": ["string", "null"]}
    return {
        "Error": _object({"status": {"const": "error"}, "error": {"type": "string"}}),
        "Done": _object({"status": {"const": "success"}}),
        "Incident": _object(
            {
                "id": {"type": "string"},
                "title": {"type": "string"},
                "severity": {"type": "string"},
                "state": {"enum": ["open", "acknowledged", "resolved"]},
                "opened_at": TIME,
                "acknowledged_at": maybe_time,
                "acknowledged_by": {"type": "string"},
                "resolved_at": maybe_time,
                "reached_level": WHOLE,
                "next_step_at": maybe_time,
                "snoozed_until": maybe_time,
                "muted_by": {"type": "string"},
                "alert_count": WHOLE,
            }
        ),
        "Probe": _object(
            {
                "probe": {"type": "string"},
                "job": {"type": "string"},
                "state": {"enum": ["up", "degraded", "down", "unknown", "misconfigured"]},
                "reason": {"type": "string"},
                "detail": {"type": "string"},
            }
        ),
        "Rule": _object(
            {
                "name": {"type": "string"},
                "group": {"type": "string"},
                "condition": maybe_text,
                "also": maybe_text,
                "expr": {"type": "string"},
                "for": {"type": "string"},
                "state": {"enum": ["inactive", "pending", "firing", "error"]},
                "value": {"type": "string"},
                "threshold": {"type": "string"},
                "used": {"type": ["number", "null"]},
                "alerts": WHOLE,
                "last_fired_at": maybe_time,
                "error": {"type": "string"},
            }
        ),
        "OnCall": _object({"at": TIME, "rotations": _array({}), "levels": _array({})}),
        "Silence": _object(
            {
                "id": {"type": "string"},
                "state": {"enum": ["pending", "active", "expired"]},
                "matchers": _array({"type": "string"}),
                "starts_at": TIME,
                "ends_at": TIME,
                "by": {"type": "string"},
                "reason": {"type": "string"},
            }
        ),
        "Deploy": _object(
            {
                "id": {"type": "string"},
                "version": {"type": "string"},
                "at": TIME,
                "by": {"type": "string"},
                "note": {"type": "string"},
            }
        ),
        "Window": _object(
            {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "when": {"type": "string"},
                "open": YES,
                "until": maybe_time,
                "matchers": _array({"type": "string"}),
                "by": {"type": "string"},
                "reason": {"type": "string"},
            }
        ),
        "Made": _object({"id": {"type": "string"}, "title": {"type": "string"}}),
        "Report": _object(
            {
                "id": {"type": "string"},
                "kind": {"enum": ["daily", "weekly", "monthly"]},
                "title": {"type": "string"},
                "start": TIME,
                "end": TIME,
                "zone": {"type": "string"},
                "sections": _array(_object({"title": {"type": "string"}, "rows": _array({})})),
            }
        ),
        "Task": _object(
            {
                "id": {"type": "string"},
                "title": {"type": "string"},
                "every_days": WHOLE,
                "done_at": maybe_time,
                "done_by": {"type": "string"},
                "note": {"type": "string"},
                "overdue": YES,
            }
        ),
        "Glance": _object(
            {
                "headline": {"type": "string"},
                "tone": {"enum": ["fine", "poor", "bad", "taken", "none"]},
                "version": {"type": "string"},
                "now": TIME,
                "ready": YES,
                "detail": {"type": "string"},
                "config_error": {"type": "string"},
                "waiting_messages": WHOLE,
                "incidents": _array(_ref("Incident")),
                "probes": _array(_ref("Probe")),
            }
        ),
    }


def _object(properties: Mapping[str, Schema]) -> Schema:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Schema, about: str) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _errors(*codes: int) -> dict[str, Any]:
    words = {
        400: "what is wrong with the request",
        401: "no token",
        403: "not allowed",
        404: "there is none of that name",
        409: "it does not fit how things stand",
        413: "too large",
    }
    return {str(code): _json(_ref("Error"), words[code]) for code in codes}


def _in_path(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1},
    }


def _query(name: str, schema: Schema) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _get(about: str, schema: str, *, missing: bool = False) -> dict[str, Any]:
    codes = (400, 401, 404) if missing else (400, 401)
    return {"summary": about, "responses": {"200": _json(_ref(schema), about), **_errors(*codes)}}


def _list(about: str, key: str, schema: str) -> dict[str, Any]:
    listed = _object({key: _array(_ref(schema))})
    return {"summary": about, "responses": {"200": _json(listed, about), **_errors(400, 401)}}


def _listing(about: str, key: str, schema: str) -> dict[str, Any]:
    parameters = [
        _query("state", {"enum": ["open", "all"], "default": "open"}),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 1000}),
        _query("before", TIME),
    ]
    return {**_list(about, key, schema), "parameters": parameters}


def _span_fields(own: str, schema: Schema) -> dict[str, Schema]:
    return {
        own: schema,
        "matchers": {"type": "string", "maxLength": 5000},
        "starts_at": TIME,
        "ends_at": TIME,
        "for": LENGTH,
        "by": NAME,
        "reason": TEXT,
    }


def _post(
    about: str,
    fields: Mapping[str, Schema],
    schema: str,
    *,
    made: bool = False,
    required: tuple[str, ...] = (),
) -> dict[str, Any]:
    body: Schema = {
        "type": "object",
        "properties": dict(fields),
        "additionalProperties": False,
        "required": list(required),
    }
    code = "201" if made else "200"
    return {
        "summary": about,
        "security": [{"token": []}],
        "requestBody": {
            "required": bool(required),
            "content": {"application/json": {"schema": body}},
        },
        "responses": {
            code: _json(_ref(schema), about),
            **_errors(400, 401, 403, 404, 409, 413),
        },
    }


def _delete(about: str, schema: str) -> dict[str, Any]:
    return {
        "summary": about,
        "security": [{"token": []}],
        "responses": {"200": _json(_ref(schema), about), **_errors(400, 401, 403, 404)},
    }
