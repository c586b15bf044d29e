"""Each rule in words: what was written, the PromQL it means, and what it reads now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from stewardmon.config.values import Config
from stewardmon.domain.display import format_value
from stewardmon.domain.quantity import format_duration
from stewardmon.domain.rule import AlertRule, NoData, RecordingRule
from stewardmon.promql import plan

Read = Callable[[str], str]

_NO_DATA: Final = {NoData.ALERT: "fires it", NoData.RESOLVE: "resolves it"}


def explain(config: Config, *, read: Read | None = None) -> Iterator[str]:
    """Return the explanation line by line; `read` asks a running daemon for an expression."""
    for group in config.groups:
        for rule in group.rules:
            yield from _rule(rule, read)
            yield ""
    for warning in config.warnings:
        yield f"warning: {warning}"


def _rule(rule: AlertRule | RecordingRule, read: Read | None) -> Iterator[str]:
    yield f"{rule.name}  ({rule.source})"
    if isinstance(rule, RecordingRule):
        yield f"  records    {rule.expr}"
        return
    if rule.condition:
        yield f"  condition  {rule.condition}"
    if rule.also:
        yield f"  and        {rule.also}"
    yield f"  PromQL     {rule.expr}"
    if rule.clear_expr:
        yield f"  clear      {rule.clear_expr}"
    yield f"  window     {_window(rule)}"
    keep = f", keeps firing for {format_duration(rule.keep_firing_for)}"
    yield f"  for        {format_duration(rule.hold)}{keep if rule.keep_firing_for else ''}"
    if rule.condition and rule.no_data is not NoData.KEEP:
        yield f"  no data    {_NO_DATA[rule.no_data]}"
    yield f"  severity   {rule.severity}"
    if rule.depends_on:
        yield f"  quiet if   {', '.join(rule.depends_on)} explains it"
    if rule.threshold is not None:
        yield f"  threshold  {rule.comparison} {format_value(rule.threshold, rule.unit)}"
    if read is not None:
        yield f"  reads now  {read(rule.subject or rule.expr)}"


def _window(rule: AlertRule) -> str:
    """Return the window of a short condition, else how far back the expression looks."""
    if rule.window is not None:
        return format_duration(rule.window) if rule.window else "the newest sample"
    return format_duration(timedelta(milliseconds=plan(rule.expr).longest_range_ms))
