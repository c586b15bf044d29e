"""The values that templates compute with, typed as Go types them: errors depend on the type.

Go → here: `float64` → float, `int` → int, `string` → str, `bool` → bool, `map[string]string` →
`StringMap`, `map[string]interface {}` → dict, `*sample` → `Sample`, `queryResult` →
`QueryResult`, `html/template.HTML` → `Html`, `time` → gotime's; a value that is not there → None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from stewardmon.domain.labels import Labels
from stewardmon.domain.template.gotime import GoDuration, GoTime
from stewardmon.errors import EvaluationError

# What one template may cost. Prometheus has no such bounds; a page that exceeds them is no page.
MAX_OUTPUT: Final = 64 * 1024
MAX_STEPS: Final = 100_000
MAX_DEPTH: Final = 80
MAX_QUERIES: Final = 200

# Go's float64, int, string…: whatever a template can hold.
Value = Any
Query = Callable[[str], list[tuple[Labels, float]]]


class TemplateError(EvaluationError):
    """A template could not be expanded; the text is the reason alone, as Go words it."""


class StringMap(dict[str, str]):
    """Go's map[string]string: labels."""


class Html(str):
    """Text that was declared to be safe HTML; not a plain string to Go's type checks."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of a query's result."""

    Labels: StringMap
    Value: float


class QueryResult(list[Sample]):
    """What `query` answers."""


@dataclass(frozen=True, slots=True)
class AlertData:
    """What a rule's template is given as its dot."""

    Labels: StringMap
    ExternalLabels: StringMap
    ExternalURL: str
    Value: float


@dataclass(slots=True)
class Budget:
    """What is left of the bounds while one template is being expanded."""

    steps: int = MAX_STEPS
    queries: int = MAX_QUERIES

    def spend_step(self) -> None:
        """Count one evaluated node."""
        self.steps -= 1
        if self.steps < 0:
            raise TemplateError(f"more than {MAX_STEPS} steps")

    def spend_query(self) -> None:
        """Count one query."""
        self.queries -= 1
        if self.queries < 0:
            raise TemplateError(f"more than {MAX_QUERIES} queries")


def type_name(value: Value) -> str:
    """Return what Go's %T prints for the value."""
    if value is None:
        return "<nil>"
    if isinstance(value, bool):
        return "bool"
    return _TYPE_NAMES.get(type(value), type(value).__name__)


_TYPE_NAMES: Final[dict[type, str]] = {
    float: "float64",
    int: "int",
    str: "string",
    Html: "template.HTML",
    StringMap: "map[string]string",
    dict: "map[string]interface {}",
    Sample: "*template.sample",
    QueryResult: "template.queryResult",
    GoTime: "*time.Time",
    GoDuration: "*time.Duration",
    AlertData: (
        "struct { Labels map[string]string; ExternalLabels map[string]string;"
        " ExternalURL string; Value interface {} }"
    ),
}


def truth(value: Value) -> bool:
    """Say whether Go's `if` takes the value for true: not zero, not empty, not missing."""
    if isinstance(value, Sample | AlertData | GoTime | GoDuration):
        return True
    return bool(value)


def bounded(text: str) -> str:
    """Return the text, or fail where it is larger than any page may be."""
    if len(text) > MAX_OUTPUT:
        raise TemplateError(f"a text larger than {MAX_OUTPUT // 1024} KiB")
    return text
