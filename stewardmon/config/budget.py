"""What all probes together spend at the app, against the limits that PLATFORM.md knows.

The app allows 100 requests in 15 minutes from one address and 10 AI queries a minute. Addresses on
this machine or a private network have no such limiter in front of them.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from stewardmon.config.nodes import Place
from stewardmon.config.notes import Notes
from stewardmon.domain.outcome import Cost
from stewardmon.ports import Kind, ProbeSpec

_PRIVATE_SUFFIXES: Final = (".local", ".localhost", ".internal", ".test", ".lan", ".home.arpa")
APP_JOB: Final = "app"
APP_URL: Final = "NEXT_PUBLIC_APP_URL"


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in a span, of what `spends` says one ask costs."""

    most: int
    span: timedelta
    what: str
    spends: Callable[[Cost], int]


LIMITS: Final = (
    Limit(100, timedelta(minutes=15), "requests in 15 minutes", lambda cost: cost.requests),
    Limit(10, timedelta(minutes=1), "AI queries in a minute", lambda cost: cost.ai_queries),
)


def check_budget(
    probes: Iterable[ProbeSpec],
    kinds: Mapping[str, Kind],
    *,
    environ: Mapping[str, str],
    notes: Notes,
) -> None:
    """Note hosts of the app at which more is spent than allowed; over half of it is a warning.

    Half is not refused: the guide's own 15 seconds are 60 requests in 15 minutes.
    """
    by_host: dict[str, list[ProbeSpec]] = defaultdict(list)
    probes = tuple(probes)
    hosts = {_host(environ.get(APP_URL, ""))}
    hosts.update(_host_of(probe) for probe in probes if probe.job == APP_JOB)
    for probe in probes:
        host = _host_of(probe)
        if host in hosts and not is_private(host):
            by_host[host].append(probe)
    for host, there in by_host.items():
        for limit in LIMITS:
            _check(host, there, kinds, limit, notes)


def _check(
    host: str, probes: list[ProbeSpec], kinds: Mapping[str, Kind], limit: Limit, notes: Notes
) -> None:
    spent = {
        probe.name: limit.spends(kinds[probe.kind].cost(probe.settings))
        * (limit.span / probe.interval)
        for probe in probes
    }
    total = sum(spent.values())
    if total <= limit.most / 2:
        return
    spenders = [name for name, count in spent.items() if count]
    names = " and ".join(spenders) + (" spends" if len(spenders) == 1 else " spend")
    over = total > limit.most
    share = "more than" if over else "over half of"
    message = (
        f"{names} {total:.0f} {limit.what} at {host}, {share} the {limit.most} that the app "
        "allows: lengthen their interval"
    )
    file, _, line = probes[0].source.rpartition(":")
    place = Place(int(line), 1) if line.isdigit() else None
    (notes.add if over else notes.warn)(file or probes[0].source, place, message)


def _host_of(probe: ProbeSpec) -> str:
    url = getattr(probe.settings, "url", "")
    text = url.get_secret_value() if hasattr(url, "get_secret_value") else str(url)
    return _host(text)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_private(host: str) -> bool:
    """Say whether a host is this machine's or a private network's own."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_PRIVATE_SUFFIXES)
    return address.is_private or address.is_loopback
