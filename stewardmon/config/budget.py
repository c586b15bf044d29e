"""What all probes together spend at the app, against the limits that PLATFORM.md knows.

The app allows 100 requests in 15 minutes from one address and 10 AI queries a minute. Addresses on
this machine or a private network have no such limiter in front of them.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from stewardmon.config.nodes import Place
from stewardmon.config.notes import Notes
from stewardmon.domain.outcome import Cost
from stewardmon.domain.pace import Spender, widened
from stewardmon.domain.quantity import format_duration
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


def within_budget(
    probes: Iterable[ProbeSpec],
    kinds: Mapping[str, Kind],
    *,
    environ: Mapping[str, str],
    notes: Notes,
) -> tuple[ProbeSpec, ...]:
    """Return the probes, wider apart where they would spend over half of what the app allows.

    Only intervals that were not written at a probe give way (the guide's own 15 seconds are 60
    requests in 15 minutes); written ones that spend too much are noted as a mistake.
    """
    by_host: dict[str, list[ProbeSpec]] = defaultdict(list)
    probes = tuple(probes)
    hosts = {_host(environ.get(APP_URL, ""))}
    hosts.update(_host_of(probe) for probe in probes if probe.job == APP_JOB)
    for probe in probes:
        host = _host_of(probe)
        if host in hosts and not is_private(host):
            by_host[host].append(probe)
    found: dict[str, timedelta] = {}
    for host, there in by_host.items():
        for limit in LIMITS:
            for name, interval in _check(host, there, kinds, limit, notes).items():
                found[name] = max(interval, found.get(name, interval))
    return tuple(replace(one, widened=found.get(one.name)) for one in probes)


def _check(
    host: str, probes: list[ProbeSpec], kinds: Mapping[str, Kind], limit: Limit, notes: Notes
) -> Mapping[str, timedelta]:
    """Return the wider intervals that keep to half of a limit; what cannot is a mistake."""
    spenders = [
        Spender(
            name=probe.name,
            cost=limit.spends(kinds[probe.kind].cost(probe.settings)),
            interval=probe.interval,
            flexible=probe.flexible,
        )
        for probe in probes
    ]
    found = widened(spenders, most=limit.most / 2, span=limit.span)
    if found == {}:
        return found
    total = sum(one.spends(limit.span) for one in spenders)
    names = [one.name for one in spenders if one.cost]
    verb = "spends" if len(names) == 1 else "spend"
    share = "more than" if total > limit.most else "over half of"
    message = (
        f"{' and '.join(names)} {verb} {total:.0f} {limit.what} at {host}, {share} the "
        f"{limit.most} that the app allows: "
    )
    file, _, line = probes[0].source.rpartition(":")
    place = Place(int(line), 1) if line.isdigit() else None
    if found is None:
        notes.add(file or probes[0].source, place, message + "lengthen their interval")
        return {}
    told = " and ".join(f"{name} every {format_duration(one)}" for name, one in found.items())
    notes.warn(file or probes[0].source, place, f"{message}so it asks {told}")
    return found


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
