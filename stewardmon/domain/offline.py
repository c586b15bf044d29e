"""Is it the world that is down, or our own way to it? Judged from what all probes say at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from stewardmon.domain.inhibition import Watched
from stewardmon.domain.labels import Labels
from stewardmon.domain.outcome import Outcome, Reason

WITNESSES: Final = 2  # different hosts that must be out of reach before we doubt ourselves
_UNREACHED: Final = frozenset({Reason.DNS, Reason.UNREACHABLE, Reason.OFFLINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """Whether stewardmon is offline, and the probes and jobs whose pages wait while it is."""

    offline: bool = False
    probes: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    def concerns(self, labels: Labels) -> bool:
        """Say whether an alert is about something beyond this machine that we watch ourselves."""
        probe = labels.value("probe")
        return probe in self.probes if probe else labels.value("job") in self.jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What is watched beyond this machine: found once, judged every second."""

    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    probes: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()

    @classmethod
    def of(cls, watched: Iterable[Watched]) -> Outside:
        """Return the hosts beyond this machine with their probes, and the jobs that lie there."""
        hosts: dict[str, list[str]] = {}
        jobs: dict[str, str] = {}
        local_jobs = set()
        for probe in watched:
            host = _host(probe.instance)
            if not host or _is_here(host):
                local_jobs.add(probe.job)
                continue
            jobs[probe.name] = probe.job
            hosts.setdefault(host, []).append(probe.name)
        return cls(
            hosts={host: tuple(names) for host, names in hosts.items()},
            probes=frozenset(jobs),
            jobs=frozenset(jobs.values()) - local_jobs,
        )


def judge(outside: Outside, outcome: Callable[[str], Outcome | None]) -> Connectivity:
    """Return how our own connection stands by the newest outcome of every probe.

    We are offline when at least two hosts beyond this machine are watched and none of them can
    even be reached: no name resolves, no route leads there, no connection comes about. A probe
    without an outcome leaves the question open.
    """

    def unreached(name: str) -> bool:
        newest = outcome(name)
        return newest is not None and _unreached(newest)

    return Connectivity(
        offline=len(outside.hosts) >= WITNESSES
        and all(unreached(name) for names in outside.hosts.values() for name in names),
        probes=outside.probes,
        jobs=outside.jobs,
    )


def _unreached(outcome: Outcome) -> bool:
    if outcome.reason is Reason.TIMEOUT:
        return not {"tls", "processing", "transfer"} & outcome.phases.keys()
    return not outcome.success and outcome.reason in _UNREACHED


def _host(instance: str) -> str:
    """Return the host of `https://host/path`, `host:port` or `host`, empty where there is none."""
    try:
        return urlsplit(instance if "//" in instance else f"//{instance}").hostname or ""
    except ValueError:
        return ""


def _is_here(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
