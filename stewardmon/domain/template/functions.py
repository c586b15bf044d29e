"""The functions that Prometheus adds to Go's templates, bound to one expansion.

Source: prometheus.io/docs/prometheus/latest/configuration/template_reference/
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from stewardmon.domain.template.builtins import BUILTINS, query_escape
from stewardmon.domain.template.humanize import (
    as_duration,
    as_time,
    duration_seconds,
    humanize,
    humanize1024,
    humanize_duration,
    humanize_percentage,
    humanize_timestamp,
)
from stewardmon.domain.template.values import (
    MAX_OUTPUT,
    Budget,
    Html,
    Query,
    QueryResult,
    Sample,
    StringMap,
    TemplateError,
    Value,
    bounded,
)
from stewardmon.errors import StewardmonError

Signature = tuple[Callable[..., Value], tuple[str, ...]]

_REFERENCE: Final = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an expansion knows besides the alert: where it runs, when, and how to ask for data."""

    external_url: str
    query: Query
    now: datetime
    budget: Budget

    def ask(self, expression: str) -> QueryResult:
        """Return what the expression yields now."""
        self.budget.spend_query()
        try:
            found = self.query(expression)
        except StewardmonError as error:
            raise TemplateError(str(error)) from error
        return QueryResult(Sample(StringMap(labels), float(value)) for labels, value in found)

    def timestamp(self) -> float:
        """Return the time of the evaluation in seconds since 1970."""
        return self.now.timestamp()

    def path_prefix(self) -> str:
        """Return the path of the external address."""
        try:
            return urlsplit(self.external_url).path
        except ValueError:
            return ""

    def url(self) -> str:
        """Return the external address."""
        return self.external_url


def first(result: QueryResult) -> Sample:
    """Return the first element."""
    if not result:
        raise TemplateError("first() called on vector with no elements")
    return result[0]


def _label(name: str, sample: Sample) -> str:
    return sample.Labels.get(name, "")


def _value(sample: Sample) -> float:
    return sample.Value


def _strvalue(sample: Sample) -> str:
    return sample.Labels.get("__value__", "")


def _args(*values: Value) -> dict[str, Value]:
    return {f"arg{position}": value for position, value in enumerate(values)}


def _sort_by_label(label: str, result: QueryResult) -> QueryResult:
    # Prometheus sorts in place, so that the variable it came from is sorted too.
    result.sort(key=lambda sample: sample.Labels.get(label, "").encode("utf-8", "surrogatepass"))
    return result


def title(text: str) -> str:
    """Return the text with the first letter of every word in title case, as strings.Title."""
    return "".join(
        _single(rune, rune.title()) if _separates(before) else rune
        for before, rune in zip(" " + text, text, strict=False)
    )


def _separates(rune: str) -> bool:
    if rune.isascii():
        return not (rune.isalnum() or rune == "_")
    return rune.isspace()


def _single(rune: str, changed: str) -> str:
    # Go maps one rune to one rune: ß has no single capital.
    return changed if len(changed) == 1 else rune


def _upper(text: str) -> str:
    return "".join(_single(rune, rune.upper()) for rune in text)


def _lower(text: str) -> str:
    return "".join(_single(rune, rune.lower()) for rune in text)


@lru_cache(maxsize=256)
def _pattern(pattern: str) -> Any:
    import re2  # noqa: PLC0415 - see domain.labels

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern.encode("utf-8", "replace"), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        shown = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise TemplateError(f"error parsing regexp: {shown}: `{pattern[:100]}`") from None


def match(pattern: str, text: str) -> bool:
    """Say whether the regular expression matches anywhere in the text."""
    return _pattern(pattern).search(text.encode("utf-8", "replace")) is not None


def re_replace_all(pattern: str, replacement: str, text: str) -> str:
    """Return the text with every match replaced; `$1` and `${name}` stand for groups."""
    compiled = _pattern(pattern)
    data = text.encode("utf-8", "replace")
    out = b"".join(_replaced(compiled, _pieces(replacement, compiled), data))
    return bounded(out.decode("utf-8", "replace"))


def _pieces(replacement: str, compiled: Any) -> list[bytes | int]:
    """Split the replacement into plain text and numbers of groups; unknown groups are empty."""
    named = {_text(name): number for name, number in compiled.groupindex.items()}
    pieces: list[bytes | int] = []
    at = 0
    for found in _REFERENCE.finditer(replacement):
        pieces.append(replacement[at : found.start()].encode("utf-8", "replace"))
        at = found.end()
        if found[1]:
            pieces.append(b"$")
            continue
        name = found[2] or found[3]
        group = int(name) if name.isdigit() and len(name) < 9 else named.get(name, -1)
        if 0 <= group <= compiled.groups:
            pieces.append(group)
    pieces.append(replacement[at:].encode("utf-8", "replace"))
    return pieces


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _replaced(compiled: Any, pieces: list[bytes | int], data: bytes) -> Iterator[bytes]:
    done = at = size = 0
    while at <= len(data):
        found = compiled.search(data, at)
        if found is None:
            break
        yield data[done : found.start()]
        # An empty match right after another match is not replaced (Go's rule).
        if found.end() > done or found.start() == 0:
            new = b"".join(p if isinstance(p, bytes) else found.group(p) or b"" for p in pieces)
            size += len(new)
            if size > MAX_OUTPUT:
                raise TemplateError(f"a text larger than {MAX_OUTPUT // 1024} KiB")
            yield new
        done = found.end()
        at = done if done > at else _next_rune(data, at)
    yield data[done:]


def _next_rune(data: bytes, at: int) -> int:
    at += 1
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


def split_host_port(text: str) -> tuple[str, str] | None:
    """Return Go's net.SplitHostPort; None where it refuses."""
    colon = text.rfind(":")
    if colon < 0:
        return None
    host = text[:colon]
    if text.startswith("["):
        if not host.endswith("]") or "]" in host[:-1] or "[" in host[1:]:
            return None
        host = host[1:-1]
    elif any(mark in host for mark in ":[]"):
        return None
    port = text[colon + 1 :]
    return None if any(mark in port for mark in "[]") else (host, port)


def strip_port(text: str) -> str:
    """Return the host of `host:port`."""
    parts = split_host_port(text)
    return text if parts is None else parts[0]


def strip_domain(text: str) -> str:
    """Return the first name of a host, its port kept; addresses stay as they are."""
    host, port = split_host_port(text) or (text, "")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        short = host.split(".", maxsplit=1)[0]
        return f"{short}:{port}" if port else short
    return text


def _graph(tab: int) -> Callable[[str], str]:
    return lambda expression: f"/graph?g0.expr={query_escape(expression)}&g0.tab={tab}"


_FIXED: Final[dict[str, Signature]] = {
    **BUILTINS,
    "first": (first, ("template.queryResult",)),
    "label": (_label, ("string", "*template.sample")),
    "value": (_value, ("*template.sample",)),
    "strvalue": (_strvalue, ("*template.sample",)),
    "args": (_args, ("...any",)),
    "sortByLabel": (_sort_by_label, ("string", "template.queryResult")),
    "title": (title, ("string",)),
    "toUpper": (_upper, ("string",)),
    "toLower": (_lower, ("string",)),
    "match": (match, ("string", "string")),
    "reReplaceAll": (re_replace_all, ("string", "string", "string")),
    "safeHtml": (Html, ("string",)),
    "stripPort": (strip_port, ("string",)),
    "stripDomain": (strip_domain, ("string",)),
    "graphLink": (_graph(0), ("string",)),
    "tableLink": (_graph(1), ("string",)),
    "urlQueryEscape": (query_escape, ("string",)),
    "humanize": (humanize, ("any",)),
    "humanize1024": (humanize1024, ("any",)),
    "humanizeDuration": (humanize_duration, ("any",)),
    "humanizePercentage": (humanize_percentage, ("any",)),
    "humanizeTimestamp": (humanize_timestamp, ("any",)),
    "toTime": (as_time, ("any",)),
    "toDuration": (as_duration, ("any",)),
    "parseDuration": (duration_seconds, ("string",)),
}

# `and` and `or` are syntax in all but name: run.py evaluates them.
NAMES: Final = frozenset({*_FIXED, "and", "or", "query", "now", "externalURL", "pathPrefix"})


def functions(around: Surroundings) -> dict[str, Signature]:
    """Return every function with its parameters' types, bound to one expansion."""
    return {
        **_FIXED,
        "query": (around.ask, ("string",)),
        "now": (around.timestamp, ()),
        "externalURL": (around.url, ()),
        "pathPrefix": (around.path_prefix, ()),
    }
