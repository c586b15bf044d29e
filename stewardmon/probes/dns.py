"""The dns probe: what a name server says of a name."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import dns.asyncresolver
import dns.exception
import dns.resolver

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import ascii_host
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.address import SERIES, Place
from stewardmon.probes.condition import Pattern, search
from stewardmon.settings import AfterValidator, Field, Settings

# Longer than any probe's timeout, which cuts the ask off: dnspython's own must not come first.
_LIFETIME: Final = 3600.0
_TRY: Final = 1.5  # seconds until a lost datagram is sent again
_SHOWN: Final = 5


def _name(value: str) -> str:
    return ascii_host(value.removesuffix("."))


def _numeric(value: Place) -> Place:
    try:
        ipaddress.ip_address(value.host)
    except ValueError:
        raise ValueError("a name server is written as its address, such as 1.1.1.1:53") from None
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsSettings(Settings):
    """Which record to ask for, and of whom; without `server`, the system's name servers.

    Every pattern of `expect` (RE2) must be found in some record; `min_records` of them must come.
    """

    name: Annotated[str, AfterValidator(_name)]
    type: Literal["A", "AAAA", "CNAME", "MX", "NS", "SOA", "SRV", "TXT", "CAA"] = "A"
    server: Annotated[Place, AfterValidator(_numeric)] | None = None
    expect: tuple[Pattern, ...] = ()
    min_records: int = Field(default=1, ge=0)


class DnsProbe:
    """Asks for one record."""

    def __init__(self, settings: DnsSettings) -> None:
        self.settings = settings
        self.progress = Progress(series=SERIES)

    async def ask(self) -> Outcome:
        """Ask once, past every cache of ours."""
        progress = self.progress = Progress(series=SERIES)
        progress.enter("resolve")
        try:
            records, ttl = await _resolve(self.settings)
        except Failure as failure:
            progress.leave()
            return Outcome(
                state=failure.state,
                reason=failure.reason,
                detail=failure.detail,
                phases=progress.phases,
                measurements=progress.measurements(),
            )
        progress.leave()
        missed = _missed(self.settings, records)
        shown = ", ".join(excerpt(record, 60) for record in records[:_SHOWN])
        return Outcome(
            state=State.DOWN if missed else State.UP,
            reason=Reason.WRONG_ANSWER if missed else Reason.OK,
            detail=missed or f"{self.settings.name} {self.settings.type} is {shown}",
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                Measurement("probe_dns_lookup_time_seconds", progress.phases["resolve"]),
                Measurement("probe_dns_answer_rrs", float(len(records))),
                Measurement("stewardmon_dns_ttl_seconds", float(ttl)),
            ),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""


async def _resolve(settings: DnsSettings) -> tuple[list[str], int]:
    """Return the records as text, sorted, and their time to live in seconds; raises Failure."""
    resolver = dns.asyncresolver.Resolver(configure=settings.server is None)
    resolver.timeout = _TRY
    if settings.server is not None:
        resolver.nameservers = [settings.server.host]
        resolver.port = settings.server.port
    try:
        answer = await resolver.resolve(
            settings.name, settings.type, lifetime=_LIFETIME, search=False, raise_on_no_answer=False
        )
    except dns.resolver.NXDOMAIN:
        raise Failure(Reason.DNS, f"the name {settings.name} does not exist") from None
    except (dns.exception.DNSException, OSError) as error:
        said = excerpt(str(error)) or type(error).__name__
        raise Failure(Reason.DNS, f"no name server answered for {settings.name}: {said}") from None
    if answer.rrset is None:
        return [], 0
    return sorted(record.to_text() for record in answer.rrset), answer.rrset.ttl


def _missed(settings: DnsSettings, records: list[str]) -> str:
    if len(records) < settings.min_records:
        least = settings.min_records
        return f"{settings.name} has {len(records)} {settings.type} records, expected {least}"
    for pattern in settings.expect:
        if not any(search(pattern, record) for record in records):
            shown = ", ".join(excerpt(record, 60) for record in records[:_SHOWN])
            return f"{settings.name} {settings.type} is {shown}, expected {pattern}"
    return ""


def make(settings: DnsSettings, _shared: Context) -> DnsProbe:
    """Build the probe."""
    return DnsProbe(settings)


def _instance(settings: DnsSettings) -> str:
    return f"{settings.server}/{settings.name}" if settings.server else settings.name


KIND: Final = Kind(
    settings=DnsSettings,
    make=make,
    cost=lambda _: Cost(requests=1),
    instance=_instance,
)
