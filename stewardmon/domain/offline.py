"""Is it the world that is down, or our own way to it? Judged from what all probes say at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
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


def judge(watched: Iterable[Watched], outcomes: Mapping[str, Outcome]) -> Connectivity:
    """Return how our own connection stands by the newest outcome of every probe.

    We are offline when at least two hosts beyond this machine are watched and none of them can
    even be reached: no name resolves, no route leads there, no connection comes about. A probe
    without an outcome leaves the question open.
    """
    hosts: dict[str, set[bool]] = {}
    jobs: dict[str, str] = {}
    local_jobs = set()
    for probe in watched:
        host = _beyond(probe.instance)
        if host:
            jobs[probe.name] = probe.job
            outcome = outcomes.get(probe.name)
            hosts.setdefault(host, set()).add(outcome is not None and _unreached(outcome))
        else:
            local_jobs.add(probe.job)
    return Connectivity(
        offline=len(hosts) >= WITNESSES and all(seen == {True} for seen in hosts.values()),
        probes=frozenset(jobs),
        jobs=frozenset(jobs.values()) - local_jobs,
    )


def _unreached(outcome: Outcome) -> bool:
    if outcome.reason is Reason.TIMEOUT:
        return not {"tls", "processing", "transfer"} & outcome.phases.keys()
    return not outcome.success and outcome.reason in _UNREACHED


@lru_cache(maxsize=4096)  # asked for every probe once a second; more probes than that share it
def _beyond(instance: str) -> str:
    """Return the host that an instance names, empty where it is none or this machine."""
    host = _host(instance)
    return "" if _is_here(host) else host


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
