"""Kill the daemon again and again through real incidents, and count what was lost or repeated.

    python -m bench.crash --kills 100 --seed 1

A real daemon process watches a real HTTP target that goes down and comes back; a real webhook
receiver takes the pages. SIGKILL strikes at random instants; each outage must leave one incident,
a page, a resolve, and every acknowledgement that was answered with 200. A message may come twice
only if it was in flight when a kill struck (same key). Prints kills, lost, repeated; exit 1 on
any loss.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import httpx

from bench.servers import Receiver, Target, free_port

TOKEN = "crash-token"  # noqa: S105 - of a daemon on loopback for some minutes
SPARED_AFTER = 20.0  # seconds without a message that was due
IN_FLIGHT = 1.0  # seconds before a kill in which a message may have been under way

PROBES = """
defaults: {{interval: 1s, timeout: 900ms}}
probes:
  - {{name: app, kind: http, job: app, url: "{url}"}}
"""
ALERTS = """
evaluation_interval: 200ms
groups:
  - name: crash
    rules:
      - {alert: AppDown, expr: 'probe_success{job="app"} == 0', labels: {severity: critical}}
"""
ONCALL = """
channels:
  pager: {{kind: webhook, url: "{url}"}}
people:
  dev:    {{name: D, timezone: UTC, contacts: [{{channel: pager, to: dev}}]}}
  senior: {{name: S, timezone: UTC, contacts: [{{channel: pager, to: senior}}]}}
policies:
  matrix:
    levels:
      - {{level: 1, role: developer, after: 0s, page: [dev]}}
      - {{level: 2, role: senior, after: 4s, page: [senior]}}
incidents: {{reopen_within: 0s}}
routes:
  - {{policy: matrix}}
"""


@dataclass
class Tally:
    """What happened, and what should not have."""

    kills: int = 0
    outages: int = 0
    acknowledged: int = 0
    lost: list[str] = field(default_factory=list)
    repeated: list[str] = field(default_factory=list)
    excused: int = 0


class Victim:
    """The daemon's process: started, killed, started again on the same state."""

    def __init__(self, folder: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.kills: list[float] = []
        self.fair_game = asyncio.Event()
        self.fair_game.set()
        self._folder = folder
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "stewardmon", "run",
            "--rules", str(self._folder / "rules"),
            "--state", str(self._folder / "state.db"),
            "--listen", f"127.0.0.1:{self._port}",
            env={**os.environ, "STEWARDMON_TOKEN": TOKEN, "LOG_LEVEL": "error"},
            stderr=(self._folder / "log").open("ab"),
        )  # fmt: skip

    async def kill(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()
        self.kills.append(monotonic())

    async def stop(self) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    def said(self) -> str:
        """Return the end of what the daemon wrote."""
        return (self._folder / "log").read_text()[-2000:]

    async def get(self, path: str) -> Any:
        """Return JSON, asking until the daemon is there to answer."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                with suppress(httpx.HTTPError):
                    answer = await client.request(
                        method, self.url + path, json=body, headers=headers
                    )
                    if answer.status_code < 500:
                        return answer.json()
                await asyncio.sleep(0.05)


async def run(kills: int, seed: int, *, say: Any = print) -> Tally:
    """Run outages until `kills` have struck; return the tally."""
    chance = random.Random(seed)
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="stewardmon-crash-") as name:
        folder = Path(name)
        target, receiver = Target(), Receiver()
        await target.open()
        await receiver.open()
        _write(folder / "rules", target.url, receiver.url)
        victim = Victim(folder, free_port())
        await victim.start()
        killer = asyncio.create_task(_kill(victim, kills, chance, tally))
        try:
            while not killer.done():
                await _outage(victim, target, receiver, chance, tally)
                say(f"\r{tally.kills} kills, {tally.outages} outages", end="", flush=True)
            await killer
            await _settle(victim, receiver, tally)
        except TimeoutError:
            tally.lost.append("nothing came for a minute; the daemon said: " + victim.said())
        finally:
            killer.cancel()
            await victim.stop()
            await target.close()
            await receiver.close()
    say()
    return tally


def _write(rules: Path, target: str, receiver: str) -> None:
    rules.mkdir()
    (rules / "probes.yml").write_text(PROBES.format(url=target))
    (rules / "alerts.yml").write_text(ALERTS)
    (rules / "oncall.yml").write_text(ONCALL.format(url=receiver))


async def _kill(victim: Victim, kills: int, chance: random.Random, tally: Tally) -> None:
    """Kill at random instants: one time in three while starting, else once it works."""
    for _ in range(kills):
        if chance.random() < 1 / 3:
            await asyncio.sleep(chance.uniform(0.2, 2.0))
        else:
            await victim.get("/api/incidents")  # on a busy machine a start takes its time
            await asyncio.sleep(chance.uniform(0.0, 5.0))
        await victim.fair_game.wait()
        await victim.kill()
        tally.kills += 1
        await victim.start()


async def _heard(
    victim: Victim, receiver: Receiver, wanted: Callable[[dict[str, Any]], bool], after: int
) -> dict[str, Any]:
    """Return the message that is waited for. Raises TimeoutError: it is lost.

    A daemon that is killed faster than this machine starts it pages nobody and has lost nothing:
    after a while it is spared until it has had its say.
    """
    try:
        return await receiver.wait_for(wanted, after=after, within=SPARED_AFTER)
    except TimeoutError:
        victim.fair_game.clear()
        try:
            return await receiver.wait_for(wanted, after=after)
        finally:
            victim.fair_game.set()


async def _outage(
    victim: Victim, target: Target, receiver: Receiver, chance: random.Random, tally: Tally
) -> None:
    """One outage: down until somebody is paged, sometimes acknowledged, up until it is told."""
    tally.outages += 1
    seen = len(receiver.messages)
    target.down = True
    page = await _heard(victim, receiver, lambda one: one["stewardmon"]["event"] == "page", seen)
    incident = page["stewardmon"]["incident"]
    if chance.random() < 0.6:
        answer = await victim.post(f"/api/incidents/{incident}/ack", {"by": "tester"})
        tally.acknowledged += 1
        shown = await victim.get(f"/api/incidents/{incident}")
        if shown.get("acknowledged_by") != "tester":
            tally.lost.append(f"the acknowledgement of {incident}: {answer} then {shown}")
    else:
        await asyncio.sleep(chance.uniform(0, 6))
    target.down = False
    await _heard(
        victim,
        receiver,
        lambda one: (
            one["stewardmon"]["event"] == "resolved" and one["stewardmon"]["incident"] == incident
        ),
        seen,
    )


async def _settle(victim: Victim, receiver: Receiver, tally: Tally) -> None:
    """Count after the last restart has had its say."""
    await asyncio.sleep(3)
    incidents = (await victim.get("/api/incidents?state=all"))["incidents"]
    if len(incidents) != tally.outages:
        tally.lost.append(f"{tally.outages} outages left {len(incidents)} incidents")
    tally.lost += [f"incident {one['id']} never resolved" for one in incidents
                   if one["state"] != "resolved"]  # fmt: skip
    for one in incidents:
        told = await victim.get(f"/api/incidents/{one['id']}")
        arrived = {message["stewardmon"]["dedup_key"] for _, message in receiver.messages}
        tally.lost += [
            f"{row['event']} {row['dedup_key']}"
            for row in told["deliveries"]
            if row["state"] == "sent" and row["dedup_key"] not in arrived
        ]
    by_key: dict[str, list[float]] = defaultdict(list)
    for at, message in receiver.messages:
        by_key[message["stewardmon"]["dedup_key"]].append(at)
    for key, times in by_key.items():
        if len(times) > 1:
            first = times[0]
            if any(first - IN_FLIGHT <= kill <= times[-1] for kill in victim.kills):
                tally.excused += 1
            else:
                tally.repeated.append(key)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    tally = asyncio.run(run(wanted.kills, wanted.seed))
    report = {
        "kills": tally.kills, "outages": tally.outages, "acknowledged": tally.acknowledged,
        "lost": len(tally.lost), "repeated": len(tally.repeated),
        "in_flight_twice": tally.excused,
    }  # fmt: skip
    print(json.dumps(report) if wanted.json else "  ".join(f"{k} {v}" for k, v in report.items()))
    for line in (*tally.lost, *tally.repeated):
        print(f"  {line}")
    return 1 if tally.lost or tally.repeated else 0


if __name__ == "__main__":
    sys.exit(main())
