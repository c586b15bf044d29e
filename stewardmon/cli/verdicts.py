"""How check-lists are told: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from stewardmon.rehearsal.checks.flight import Line, Verdict


def tell(
    lines: Sequence[Line], *, ok: bool, as_json: bool, more: Mapping[str, Any] | None = None
) -> None:
    """Print the lines, then how many passed, failed and are unknown; `more` is for programs."""
    counts = Counter(line.verdict for line in lines)
    if as_json:
        checks = [
            {
                "list": line.list,
                "check": line.check,
                "verdict": line.verdict.value,
                "detail": line.detail,
            }
            for line in lines
        ]
        summary = {verdict.value: counts[verdict] for verdict in Verdict}
        body = {"ok": ok, **summary, **(more or {}), "checks": checks}
        click.echo(json.dumps(body, indent=2))
    else:
        _print(lines)
        said = ", ".join(f"{counts[verdict]} {verdict.value}" for verdict in Verdict)
        click.echo(f"{said}: {'go' if ok else 'no'}")


def _print(lines: Sequence[Line]) -> None:
    width = min(32, max((len(line.check) for line in lines), default=0))
    shown = ""
    for line in lines:
        if line.list != shown:
            shown = line.list
            click.echo(shown)
        click.echo(f"  {line.verdict.value:<8} {line.check:<{width}}  {line.detail}".rstrip())
