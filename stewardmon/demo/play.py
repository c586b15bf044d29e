"""`stewardmon demo`: the simulated platform, a real daemon over it, a pager, and a story."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from stewardmon.clock import FastClock
from stewardmon.config.environment import Runtime
from stewardmon.config.loading import load
from stewardmon.config.shipped import ALERTS, ONCALL, PROBES, shipped
from stewardmon.config.values import Config
from stewardmon.demo.pager import SECRET, Pager
from stewardmon.demo.platform import Platform
from stewardmon.demo.scenarios import Action, Scenario, Step, perform
from stewardmon.process import Running, daemon
from stewardmon.settings import Secret

EVALUATED_EVERY: Final = "5s"
TOKEN: Final = "demo"  # noqa: S105 - of a daemon that listens on loopback for some minutes

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """How a demo is shown: how fast its clock runs, and for how many real seconds.

    `seconds` None means until interrupted.
    """

    scenario: Scenario
    speed: float = 1.0
    seconds: float | None = None
    host: str = "127.0.0.1"
    port: int = 0


async def show(showing: Showing, say: Say) -> None:
    """Start everything, play the story, keep serving until the time is up."""
    clock = FastClock(showing.speed)
    say(_opening(showing))
    pager = Pager(lambda text: say(f"\n{clock.now():%H:%M:%S}\n{text}"))
    with tempfile.TemporaryDirectory(prefix="stewardmon-demo-") as folder:
        await pager.open()
        try:
            async with Platform(now=clock.now) as platform:
                environ = {
                    **platform.environment(),
                    "PAGER_URL": pager.url,
                    "PAGER_SECRET": SECRET,
                }
                rules = _rules(Path(folder), speed=showing.speed)
                runtime = Runtime(
                    state=str(Path(folder, "state.db")),
                    host=showing.host,
                    port=showing.port,
                    token=Secret(TOKEN),
                    location="demo",
                )
                loaded = _loader(rules, environ)
                async with daemon(runtime, load_config=loaded, clock=clock) as running:
                    say(_addresses(running, platform))
                    await _play_for(showing, _Stage(platform, pager, clock, say))
        finally:
            await pager.close()
    say("The simulation is over; everything it started has been stopped.")


@dataclass(frozen=True, slots=True)
class _Stage:
    platform: Platform
    pager: Pager
    clock: FastClock
    say: Say


async def _play_for(showing: Showing, stage: _Stage) -> None:
    """Play the story, then wait until the time is up or somebody interrupts."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    playing = loop.create_task(_play(showing.scenario, stage), name="scenario")
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(showing.seconds):
                await ended.wait()
    finally:
        playing.cancel()
        with suppress(asyncio.CancelledError):
            await playing
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _play(scenario: Scenario, stage: _Stage) -> None:
    started = stage.clock.monotonic()
    for step in scenario.steps:
        await stage.clock.sleep(started + step.at.total_seconds() - stage.clock.monotonic())
        stage.say(f"\n{stage.clock.now():%H:%M:%S}  » {step.says}")
        await _perform(step, stage)
    left = started + scenario.length.total_seconds() - stage.clock.monotonic()
    await stage.clock.sleep(left)
    stage.say(f"\n{stage.clock.now():%H:%M:%S}  » the story is told; the daemon goes on")


async def _perform(step: Step, stage: _Stage) -> None:
    if step.action is not Action.ACKNOWLEDGE:
        await perform(step, stage.platform)
    elif not await stage.pager.acknowledge(step.subject):
        stage.say(f"           ({step.subject} has no page to answer)")


def _rules(folder: Path, *, speed: float) -> Path:
    """Lay out the shipped rules, with the demo's own probes and on-call file.

    A fast clock makes every second's evaluation one of many a second: then every fifth is enough.
    """
    rules = folder / "rules"
    rules.mkdir()
    pace = f"evaluation_interval: {EVALUATED_EVERY}\n" if speed > 1 else ""
    (rules / ALERTS).write_text(pace + (shipped() / ALERTS).read_text())
    for name in (PROBES, ONCALL):
        (rules / name).write_bytes(files("stewardmon.demo").joinpath(name).read_bytes())
    return rules


def _loader(rules: Path, environ: Mapping[str, str]) -> Callable[[], Config]:
    return lambda: load(rules, environ)


def _opening(showing: Showing) -> str:
    hours = 2 * 3600 / showing.speed
    pace = (
        "at the world's own speed"
        if showing.speed == 1
        else f"{showing.speed:g} times as fast: the matrix's two hours take {hours:.0f} s"
    )
    return (
        "THIS IS A SIMULATION. The platform, its faults and the people are played here;\n"
        "the daemon, the sockets and the PostgreSQL are real. Nobody outside is called.\n"
        f"Scenario {showing.scenario.name}: {showing.scenario.about}; {pace}.\n"
        "Starting PostgreSQL and the platform…"
    )


def _addresses(running: Running, platform: Platform) -> str:
    return (
        f"Status page   {running.url}/          (token: {TOKEN})\n"
        f"Metrics       {running.url}/metrics\n"
        f"The app       {platform.app_url}/api/health\n"
        f"Break things  {platform.control_url}/faults"
    )
