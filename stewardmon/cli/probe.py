"""`stewardmon probe`: one probe, once, with everything it measured."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stewardmon.errors import UsageError

if TYPE_CHECKING:
    from stewardmon.domain.outcome import Outcome
    from stewardmon.ports import ProbeSpec


@click.command()
@click.argument("target")
@click.option("--rules", type=click.Path(path_type=Path), help="Folder of the three files.")
@click.option("--timeout", type=click.FloatRange(min=0.1), help="Seconds; the probe's own if none.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(target: str, rules: Path | None, timeout: float | None, *, as_json: bool) -> int:
    """Ask the probe of that name, or a URL, once; exit 1 unless it is up."""
    spec = _of_url(target) if "://" in target else _named(target, rules)
    seconds = timeout or spec.timeout.total_seconds()
    outcome = asyncio.run(_ask(spec, seconds))
    if as_json:
        click.echo(json.dumps(_plain(spec, outcome), indent=2))
    else:
        _print(spec, outcome)
    return 0 if outcome.success else 1


async def _ask(spec: ProbeSpec, seconds: float) -> Outcome:
    from stewardmon.clock import SystemClock
    from stewardmon.ports import Context
    from stewardmon.probes import KINDS
    from stewardmon.probes.asking import ask

    probe = KINDS[spec.kind].make(spec.settings, Context(clock=SystemClock()))
    try:
        return await ask(probe, timeout=seconds)
    finally:
        await probe.close()


def _named(name: str, rules: Path | None) -> ProbeSpec:
    from stewardmon.config.environment import default_rules
    from stewardmon.config.loading import load

    config = load(rules or default_rules(), os.environ)
    for spec in config.probes:
        if spec.name == name:
            return spec
    known = ", ".join(spec.name for spec in config.probes)
    raise UsageError(f"there is no probe {name!r}; there are {known}")


def _of_url(url: str) -> ProbeSpec:
    """Return a probe of the URL's kind with nothing but the URL set."""
    from datetime import timedelta

    from pydantic import ValidationError

    from stewardmon.ports import ProbeSpec
    from stewardmon.probes import KINDS

    scheme = url.partition("://")[0]
    kind = {"http": "http", "https": "http", "postgres": "postgres", "postgresql": "postgres"}
    if scheme not in kind:
        raise UsageError(f"{scheme}:// is no probe: use http, https or postgresql, or a name")
    entry = KINDS[kind[scheme]]
    try:
        settings: Any = entry.settings.model_validate({"url": url})
    except ValidationError as error:
        raise UsageError(str(error.errors()[0]["msg"])) from None
    return ProbeSpec(
        name="probe",
        kind=kind[scheme],
        job="probe",
        instance=entry.instance(settings),
        interval=timedelta(minutes=1),
        timeout=timedelta(seconds=10),
        settings=settings,
    )


def _plain(spec: ProbeSpec, outcome: Outcome) -> dict[str, Any]:
    return {
        "probe": spec.name,
        "kind": spec.kind,
        "instance": spec.instance,
        "state": outcome.state.value,
        "reason": outcome.reason.value,
        "detail": outcome.detail,
        "duration_seconds": outcome.duration,
        "phases": dict(outcome.phases),
        "findings": list(outcome.findings),
        "measurements": [
            {"name": one.name, "labels": dict(one.labels), "value": one.value}
            for one in outcome.measurements
        ],
    }


def _print(spec: ProbeSpec, outcome: Outcome) -> None:
    click.echo(f"{spec.name} ({spec.kind} {spec.instance})")
    click.echo(f"  {outcome.state.value}: {outcome.reason.value}  {outcome.detail}".rstrip())
    click.echo(f"  {'duration':<12} {outcome.duration * 1000:9.1f} ms")
    for phase, seconds in outcome.phases.items():
        click.echo(f"  {phase:<12} {seconds * 1000:9.1f} ms")
    for finding in outcome.findings:
        click.echo(f"  · {finding}")
    for one in outcome.measurements:
        labels = ", ".join(f'{name}="{value}"' for name, value in one.labels.items())
        click.echo(f"  {one.name}{{{labels}}} {one.value:g}" if labels else
                   f"  {one.name} {one.value:g}")  # fmt: skip
