"""`stewardmon demo`: an outage from fault to resolve, on a simulated platform."""

from __future__ import annotations

import asyncio

import click

from stewardmon.errors import UsageError


@click.command()
@click.option("--speed", type=click.FloatRange(0.1, 600), default=1.0, show_default=True,
              help="How many times faster than the world the clock runs.")  # fmt: skip
@click.option("--for", "seconds", type=click.FloatRange(min=1), help="Stop after so many seconds.")
@click.option("--listen", default="127.0.0.1:9797", show_default=True,
              help="HOST:PORT of the daemon; port 0 takes any.")  # fmt: skip
@click.option("--scenario", "name", default="outage", show_default=True,
              help="What to play; `list` shows all.")  # fmt: skip
def command(speed: float, seconds: float | None, listen: str, name: str) -> None:
    """See an outage from fault to resolve: a simulated platform, everything else real."""
    from stewardmon.config.environment import read_environment
    from stewardmon.demo.play import Showing, show
    from stewardmon.demo.scenarios import list_scenarios, scenario_named
    from stewardmon.telemetry import configure_logs

    if name == "list":
        for one in list_scenarios():
            click.echo(f"{one.name:<28} {one.about}")
        return
    runtime = read_environment({}, listen=listen)
    if runtime.host not in {"127.0.0.1", "::1", "localhost"}:
        raise UsageError("the demo listens on loopback only: its token is no secret")
    configure_logs(level="error", environment="demo")
    showing = Showing(
        scenario=scenario_named(name),
        speed=speed,
        seconds=seconds,
        host=runtime.host,
        port=runtime.port,
    )
    asyncio.run(show(showing, click.echo))
