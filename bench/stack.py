"""The assembled stack and stewardmon, one after the other, over the same targets and rules.

    python -m bench.stack [--targets 400] [--seconds 30] [--settle 30] [--canaries 4]

Every target is asked once a second, and two rules for each (an error ratio over 5 minutes, a 95th
percentile over 2 minutes) are evaluated once a second: by Prometheus with blackbox_exporter and
Alertmanager, all of Debian, then by stewardmon. CPU and memory are the kernel's figures.

Then canaries fall, half of them asked every second, half every 15 seconds, each at an instant of
its own: how long until the page is at the receiver, from the fault and from the first answer that
shows it. Timers there are the defaults: rules every 15 s (what the package's configuration sets; 60
s where nothing is set), `group_wait` 30 s; ours rules every second. Prints the ratios; exit 1 where
one is out of bounds, unless `--no-bounds` is given.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final

from bench.figures import Figure, show
from bench.kernel import cpu_seconds, machine, resident_bytes
from bench.probes import health_server
from bench.processes import (
    QUIET,
    MissingError,
    answers,
    peer,
    running,
    stewardmon,
    wait_for,
)
from bench.servers import Receiver, Target, free_port

SLOW: Final = 15.0  # seconds between asks of every other canary
PAGE_WITHIN: Final = 120.0  # seconds: twice what the stack's timers can add up to
KINDS: Final[Mapping[str, str]] = {"fast": "asked every 1 s", "slow": "asked every 15 s"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What both have to do."""

    url: str
    targets: int
    settle: float
    seconds: float
    canaries: Mapping[str, Target]
    receiver: Receiver

    def interval(self, canary: str) -> float:
        """Return the seconds between asks of a canary."""
        return 1.0 if canary.startswith("fast") else SLOW

    def asked(self) -> list[tuple[str, str, str, float]]:
        """Return name, job, URL and interval of everything that is asked."""
        return [
            *((f"p{i}", "bench", f"{self.url}p{i}", 1.0) for i in range(self.targets)),
            *(
                (name, "canary", one.url, self.interval(name))
                for name, one in self.canaries.items()
            ),
        ]

    def groups(self) -> list[dict[str, Any]]:
        """Return the rule groups: the load every second, the canaries at the default."""
        load: list[dict[str, Any]] = []
        for i in range(self.targets):
            load += [
                {
                    "alert": f"Errors{i}",
                    "expr": f'1 - avg_over_time(probe_success{{probe="p{i}"}}[5m]) > 0.05',
                },
                {
                    "alert": f"Slow{i}",
                    "expr": "quantile_over_time(0.95, "
                    f'probe_duration_seconds{{probe="p{i}"}}[2m]) > 5',
                },
            ]
        canary = {"alert": "Canary", "expr": 'probe_success{job="canary"} == 0'}
        return [
            {"name": "load", "interval": "1s", "rules": load},
            {"name": "canaries", "rules": [canary]},
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one side took: cores, bytes, and by canary the seconds from fault and from answer."""

    cores: Mapping[str, float]
    bytes: Mapping[str, int]
    from_fault: Mapping[str, float]
    from_answer: Mapping[str, float]


async def measure(load: Load, processes: Mapping[str, int]) -> Measured:
    """Let a side settle, count its CPU, then let the canaries fall."""
    await asyncio.sleep(load.settle)
    before = {name: cpu_seconds(pid) for name, pid in processes.items()}
    began = monotonic()
    await asyncio.sleep(load.seconds)
    took = monotonic() - began
    cores = {name: (cpu_seconds(pid) - before[name]) / took for name, pid in processes.items()}
    held = {name: resident_bytes(pid) for name, pid in processes.items()}
    chance = random.Random(1)
    async with asyncio.TaskGroup() as group:
        falls = {
            name: group.create_task(_fall(load, name, chance.uniform(0, SLOW)))
            for name in load.canaries
        }
    paged = {name: fall.result() for name, fall in falls.items()}
    return Measured(
        cores=cores,
        bytes=held,
        from_fault={name: at - load.canaries[name].fell_at for name, at in paged.items()},
        from_answer={name: at - load.canaries[name].refused_at for name, at in paged.items()},
    )


async def _fall(load: Load, name: str, after: float) -> float:
    """Let a canary fall; return when its page came, infinity where it did not."""
    await asyncio.sleep(after)
    seen = len(load.receiver.messages)
    load.canaries[name].fall()

    def about(message: dict[str, Any]) -> bool:
        told = (one["labels"].get("probe") == name for one in message["alerts"])
        return message["status"] == "firing" and any(told)

    try:
        async with asyncio.timeout(PAGE_WITHIN):
            while True:
                for at, message in load.receiver.messages[seen:]:
                    if about(message):
                        return at
                seen = len(load.receiver.messages)
                await load.receiver.more(seen)
    except TimeoutError:
        return math.inf


async def ours(load: Load, folder: Path) -> Measured:
    """Measure stewardmon."""
    rules = folder / "rules"
    rules.mkdir()
    probes = [
        {"name": name, "job": job, "kind": "http", "url": url,
         "interval": f"{every:g}s", "timeout": "900ms"}
        for name, job, url, every in load.asked()
    ]  # fmt: skip
    (rules / "probes.yml").write_text(json.dumps({"probes": probes}))
    (rules / "alerts.yml").write_text(json.dumps({"groups": load.groups()}))
    (rules / "oncall.yml").write_text(
        json.dumps(
            {
                "channels": {"hook": {"kind": "webhook", "url": load.receiver.url}},
                "people": {
                    "dev": {"name": "D", "timezone": "UTC",
                            "contacts": [{"channel": "hook", "to": "dev"}]}
                },
                "policies": {
                    "all": {"levels": [{"level": 1, "role": "D", "after": "0s", "page": ["dev"]}]}
                },
                "routes": [{"policy": "all", "group_by": ["alertname", "probe"]}],
            }
        )
    )  # fmt: skip
    port = free_port()
    with running(stewardmon(folder, port), folder, QUIET) as process:
        ready = f"http://127.0.0.1:{port}/readyz"
        await asyncio.to_thread(wait_for, partial(answers, ready), "stewardmon answers")
        return await measure(load, {"stewardmon": process.pid})


async def theirs(load: Load, folder: Path) -> Measured:
    """Measure Prometheus with blackbox_exporter and Alertmanager. Raises MissingError."""
    ports = {name: free_port() for name in ("prometheus", "blackbox_exporter", "alertmanager")}
    _write_stack(load, folder, ports)
    listen = "--web.listen-address=127.0.0.1:"
    commands = {
        "blackbox_exporter": [
            peer("prometheus-blackbox-exporter", "prometheus-blackbox-exporter"),
            "--config.file=blackbox.yml",
        ],
        "alertmanager": [
            peer("prometheus-alertmanager", "prometheus-alertmanager"),
            "--config.file=alertmanager.yml", "--storage.path=alerts",
            "--cluster.listen-address=",
        ],
        "prometheus": [
            peer("prometheus", "prometheus"),
            "--config.file=prometheus.yml", "--storage.tsdb.path=data",
        ],
    }  # fmt: skip
    with ExitStack() as stack:
        processes = {}
        for name, command in commands.items():
            process = stack.enter_context(running([*command, f"{listen}{ports[name]}"], folder))
            healthy = f"http://127.0.0.1:{ports[name]}/-/healthy"
            await asyncio.to_thread(wait_for, partial(answers, healthy), f"{name} answers")
            processes[name] = process.pid
        return await measure(load, processes)


def _write_stack(load: Load, folder: Path, ports: Mapping[str, int]) -> None:
    blackbox = f"127.0.0.1:{ports['blackbox_exporter']}"
    scrapes = [
        {
            "job_name": job,
            "metrics_path": "/probe",
            "params": {"module": ["http"]},
            "scrape_interval": f"{every:g}s",
            "scrape_timeout": "1s",
            "static_configs": [
                {"targets": [url], "labels": {"probe": name, "job": job.partition("-")[0]}}
                for name, _, url, seconds in load.asked()
                if name.startswith(prefix) and seconds == every
            ],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__", "replacement": blackbox},
            ],
        }
        for job, prefix, every in (
            ("bench", "p", 1.0),
            ("canary-fast", "fast", 1.0),
            ("canary-slow", "slow", SLOW),
        )
    ]
    alertmanager = {"targets": [f"127.0.0.1:{ports['alertmanager']}"]}
    written: dict[str, Any] = {
        "prometheus.yml": {
            "global": {"scrape_interval": "15s", "evaluation_interval": "15s"},
            "rule_files": ["rules.yml"],
            "alerting": {"alertmanagers": [{"static_configs": [alertmanager]}]},
            "scrape_configs": scrapes,
        },
        "rules.yml": {"groups": load.groups()},
        "blackbox.yml": {
            "modules": {
                "http": {
                    "prober": "http",
                    "timeout": "900ms",
                    "http": {"preferred_ip_protocol": "ip4"},
                }
            }
        },
        "alertmanager.yml": {
            "route": {"receiver": "hook", "group_by": ["alertname", "probe"]},
            "receivers": [{"name": "hook", "webhook_configs": [{"url": load.receiver.url}]}],
        },
    }
    for name, content in written.items():
        (folder / name).write_text(json.dumps(content))


def figures(mine: Measured, other: Measured) -> list[Figure]:
    """Return ours, theirs, and ours as a share of theirs."""
    found = []
    for name, side in (("stewardmon", mine), ("the stack", other)):
        found += [
            Figure(f"{name}: CPU", sum(side.cores.values()), "cores"),
            Figure(f"{name}: memory", sum(side.bytes.values()) / 1e6, "MB"),
        ]
        for kind, every in KINDS.items():
            if side.from_fault:
                fault, answer = _of(side.from_fault, kind), _of(side.from_answer, kind)
                found += [
                    Figure(f"{name}: fault to page, {every}", statistics.median(fault), "s"),
                    Figure(f"{name}: answer to page, {every}", statistics.median(answer), "s"),
                ]
    cpu = _share(sum(mine.cores.values()), sum(other.cores.values()))
    memory = _share(sum(mine.bytes.values()), sum(other.bytes.values()))
    found += [
        Figure("CPU, share of the stack's", cpu, "", 1 / 3),
        Figure("memory, share of the stack's", memory, "", 1 / 2),
    ]
    if mine.from_fault:
        slowest = max(mine.from_answer.values())
        share = slowest / min(other.from_answer.values())
        found += [
            Figure("answer to page, the slowest of ours", slowest, "s", 1.2),
            Figure("answer to page, our slowest to their fastest", share, "", 1 / 20),
        ]
        for kind, every in KINDS.items():
            ours, theirs = (statistics.median(_of(s.from_fault, kind)) for s in (mine, other))
            found.append(
                Figure(f"fault to page, share of the stack's, {every}", ours / theirs, "", 1 / 4)
            )
    return found


def _share(ours: float, theirs: float) -> float:
    return ours / theirs if theirs else math.nan  # the kernel counts CPU in hundredths of a second


def _of(times: Mapping[str, float], kind: str) -> list[float]:
    return [seconds for name, seconds in times.items() if name.startswith(kind)]


def _told(name: str, found: Measured) -> list[str]:
    lines = [
        f"{name:<14}{sum(found.cores.values()):>7.3f} cores  ("
        + ", ".join(f"{part} {cores:.3f}" for part, cores in found.cores.items()) + ")",
        f"{'':<14}{sum(found.bytes.values()) / 1e6:>7.1f} MB     ("
        + ", ".join(f"{part} {size / 1e6:.1f}" for part, size in found.bytes.items()) + ")",
    ]  # fmt: skip
    for said, times in (("answer", found.from_answer), ("fault", found.from_fault)):
        for kind, every in KINDS.items():
            if some := _of(times, kind):
                lines.append(
                    f"{'':<14}{statistics.median(some):>7.2f} s      {said} to page, {every}"
                    f" ({min(some):.2f} to {max(some):.2f}, {len(some)} faults)"
                )
    return lines


async def run(targets: int, settle: float, seconds: float, canaries: int) -> list[Figure]:
    """Measure both; return the figures, none where a peer is missing."""
    sides = {}
    with health_server() as url:
        for name, side in (("stack", theirs), ("stewardmon", ours)):
            receiver = Receiver()
            await receiver.open()
            fallen = {f"{tuple(KINDS)[i % 2]}{i // 2}": Target() for i in range(canaries)}
            for target in fallen.values():
                await target.open()
            load = Load(
                url=url.removesuffix("api/health"), targets=targets, settle=settle,
                seconds=seconds, canaries=fallen, receiver=receiver,
            )  # fmt: skip
            with tempfile.TemporaryDirectory(prefix="bench-stack-") as folder:
                try:
                    sides[name] = await side(load, Path(folder))
                except MissingError as error:
                    print(f"{name}: skipped, {error}")
                    continue
            for target in fallen.values():
                await target.close()
            await receiver.close()
            print("\n".join(_told(name, sides[name])), flush=True)
    return figures(sides["stewardmon"], sides["stack"]) if len(sides) == 2 else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", type=int, default=400)
    parser.add_argument("--settle", type=float, default=30, help="seconds before CPU is counted")
    parser.add_argument("--seconds", type=float, default=30, help="in which CPU is counted")
    parser.add_argument("--canaries", type=int, default=8, help="an even number")
    parser.add_argument("--no-bounds", action="store_true", help="print them, fail on none")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    chosen = parser.parse_args(arguments)
    print(machine())
    found = asyncio.run(run(chosen.targets, chosen.settle, chosen.seconds, chosen.canaries))
    return show(found, chosen.json, bounds=not chosen.no_bounds)


if __name__ == "__main__":
    sys.exit(main())
