"""JSON Schema of the three files, for editors that complete and underline YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from stewardmon.channels import KINDS as CHANNEL_KINDS
from stewardmon.config import (
    alerts,
    oncall,
    people,
    policies,
    probes,
    reports,
    rotations,
    routes,
    rules,
    short,
    windows,
)
from stewardmon.config.fields import Model
from stewardmon.ports import Kind
from stewardmon.probes import KINDS as PROBE_KINDS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def schema(
    *,
    probe_kinds: Mapping[str, Kind] = PROBE_KINDS,
    channel_kinds: Mapping[str, Kind] = CHANNEL_KINDS,
) -> dict[str, Schema]:
    """Return the schema of each file by its name."""
    return {
        "probes.yml": _closed(
            "What to watch",
            {
                "defaults": _of(probes.Defaults),
                "probes": _list(_by_kind(probe_kinds, probes.Common)),
                "retention": _of(probes.Retention),
            },
            required=["probes"],
        ),
        "alerts.yml": _closed(
            "When to worry",
            {
                **_of(alerts.Evaluation)["properties"],
                "alerts": _list(_of(short.ShortEntry)),
                "groups": _list(_with(rules.GroupEntry, rules=_list(_of(rules.RuleEntry)))),
                "vocabulary": _map(_of(alerts.WordEntry)),
            },
        ),
        "oncall.yml": _closed(
            "Whom to wake",
            {
                "channels": _map(_by_kind(channel_kinds, oncall.ChannelEntry)),
                "people": _map(_of(people.PersonEntry)),
                "rotations": _map(_of(rotations.RotationEntry)),
                "overrides": _list(_of(rotations.OverrideEntry)),
                "policies": _map(
                    _with(policies.PolicyEntry, levels=_list(_of(policies.LevelEntry)))
                ),
                "routes": _list(_of(routes.RouteEntry)),
                "maintenance": _list(_of(windows.WindowEntry)),
                "inhibit_rules": _list(_of(routes.InhibitEntry)),
                "incidents": _of(oncall.IncidentsEntry),
                "reports": _of(reports.ReportsEntry),
            },
            required=["channels", "routes"],
        ),
    }


def _of(model: Model) -> Schema:
    """Return a model's schema with its definitions put in place."""
    found = TypeAdapter[Any](model).json_schema(by_alias=True)
    definitions = found.pop("$defs", {})
    inlined: Schema = _inline(found, definitions)
    return inlined


def _inline(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(one, definitions) for one in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        return _inline(definitions[reference.rpartition("/")[2]], definitions)
    return {key: _inline(one, definitions) for key, one in node.items() if key != "discriminator"}


def _with(model: Model, **more: Schema) -> Schema:
    found = _of(model)
    return {**found, "properties": {**found.get("properties", {}), **more}}


def _by_kind(kinds: Mapping[str, Kind], common: Model) -> Schema:
    """Return one alternative a kind: the common keys, the kind's own, and no others."""
    shared = _of(common)
    choices = []
    for name, kind in kinds.items():
        own = _of(kind.settings)
        properties = {**own.get("properties", {}), **shared.get("properties", {})}
        properties["kind"] = {"const": name}
        required = sorted({*own.get("required", ()), *shared.get("required", ())})
        choices.append(_closed(own.get("description", name), properties, required=required))
    return {"oneOf": choices}


def _closed(about: str, properties: Schema, *, required: list[str] | None = None) -> Schema:
    return {
        "$schema": DIALECT,
        "description": about,
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": required or [],
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}
