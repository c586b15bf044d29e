"""Is it the world that is down, or our own way to it? Judged from what all probes say at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from stewardmon.domain.outcome import Outcome, Reason

WITNESSES: Final = 2  # different hosts that must be out of reach before we doubt ourselves
_UNREACHED: Final = frozenset({Reason.DNS, Reason.UNREACHABLE, Reason.OFFLINE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Connectivity:
    """Whether stewardmon is offline, and the probes whose pages wait while it is."""

    offline: bool = False
    remote: frozenset[str] = frozenset()


def judge(outcomes: Mapping[str, tuple[str, Outcome]]) -> Connectivity:
    """Return how our own connection stands; `outcomes` maps a probe to its instance and outcome.

    We are offline when at least two hosts beyond this machine are watched and none of them can
    even be reached: no name resolves, no route leads there, no connection comes about.
    """
    hosts: dict[str, set[bool]] = {}
    remote = set()
    for probe, (instance, outcome) in outcomes.items():
        host = _host(instance)
        if host and not _is_here(host):
            remote.add(probe)
            hosts.setdefault(host, set()).add(_unreached(outcome))
    offline = len(hosts) >= WITNESSES and all(seen == {True} for seen in hosts.values())
    return Connectivity(offline=offline, remote=frozenset(remote))


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
