"""The tls probe: the handshake alone, and how long the certificates will last."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.certificates import Certificates, context
from stewardmon.network.dial import connect, resolve, secure
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.address import SERIES, Place
from stewardmon.probes.condition import Pattern, search
from stewardmon.settings import Field, FilePath, Settings

TRUSTED: Final = Measurement("stewardmon_tls_trusted", 1.0)
REFUSED: Final = Measurement("stewardmon_tls_trusted", 0.0)
_VERSIONS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsSettings(Settings):
    """Where to shake hands, and what the certificates must be.

    `lifetime_left` is the least share of a certificate's whole life that must remain (PLATFORM.md
    section 5 warns at a quarter); `min_days` the least days.
    """

    address: Place
    name: str | None = None
    verify: bool | FilePath = True
    lifetime_left: float = Field(default=0.0, ge=0, le=1)
    min_days: float = Field(default=0.0, ge=0)
    min_version: Literal["TLSv1.2", "TLSv1.3"] = "TLSv1.2"
    issuer: Pattern | None = None


class TlsProbe:
    """Shakes hands with one server."""

    def __init__(self, settings: TlsSettings, *, clock: Clock) -> None:
        self.settings = settings
        self.progress = Progress(series=SERIES)
        self._clock = clock

    async def ask(self) -> Outcome:
        """Ask once; where the certificate is refused, look at it again to say why."""
        progress = self.progress = Progress(series=SERIES)
        try:
            shown = await self._handshake(progress, self.settings.verify)
        except Failure as failure:
            return await self._failed(failure, progress)
        progress.leave()
        now = self._clock.now()
        complaint = _complaint(self.settings, shown, now=now)
        days = (shown.expires_at - now) / timedelta(days=1)
        return Outcome(
            state=State.DEGRADED if complaint else State.UP,
            reason=Reason.CERTIFICATE if complaint else Reason.OK,
            detail=complaint or f"valid for {days:.0f} days more; issued by {_words(shown)}",
            phases=progress.phases,
            measurements=(*progress.measurements(), *measured(shown, now=now), TRUSTED),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _handshake(self, progress: Progress, verify: bool | Path) -> Certificates:
        place = self.settings.address
        addresses = await resolve(place.host, guard=False, progress=progress)
        wire = asyncio.Protocol()
        transport, _ = await connect(
            addresses, host=place.host, port=place.port, protocol=wire, progress=progress
        )
        try:
            transport, shown = await secure(
                transport,
                wire,
                context(verify),
                host=self.settings.name or place.host,
                port=place.port,
                progress=progress,
            )
        finally:
            transport.abort()
        if shown is None:
            raise Failure(Reason.TLS, f"{place} showed no certificate")
        return shown

    async def _failed(self, failure: Failure, progress: Progress) -> Outcome:
        phases, measurements = progress.cut(), progress.measurements()
        detail = failure.detail
        if failure.reason is Reason.CERTIFICATE:
            measurements += (REFUSED,)
            try:
                shown = await self._handshake(Progress(series=SERIES), verify=False)
            except Failure:
                pass  # the first answer stands
            else:
                detail += f"; it is {_words(shown)}, valid until {shown.expires_at:%Y-%m-%d}"
                measurements += measured(shown, now=self._clock.now())
        return Outcome(
            state=failure.state,
            reason=failure.reason,
            detail=detail,
            phases=phases,
            measurements=measurements,
        )


def measured(shown: Certificates, *, now: datetime) -> tuple[Measurement, ...]:
    """Return what blackbox_exporter shows of certificates, and the share of life that is left."""
    return (
        Measurement("probe_ssl_earliest_cert_expiry", shown.earliest_expiry),
        Measurement("probe_ssl_last_chain_expiry_timestamp_seconds", shown.expiry),
        Measurement("probe_tls_version_info", 1.0, {"version": shown.version.replace("v", " ")}),
        Measurement("stewardmon_tls_lifetime_left_ratio", left(shown, now=now)),
        Measurement("stewardmon_tls_issuer_info", 1.0, {"issuer": _words(shown)}),
    )


def left(shown: Certificates, *, now: datetime) -> float:
    """Return the share of the server's own certificate's life that remains, 0 to 1."""
    whole = max(1.0, shown.expiry - shown.issued)
    remains = (datetime.fromtimestamp(shown.expiry, UTC) - now).total_seconds()
    return min(1.0, max(0.0, remains / whole))


def _complaint(settings: TlsSettings, shown: Certificates, *, now: datetime) -> str:
    days = (shown.expires_at - now) / timedelta(days=1)
    share = left(shown, now=now)
    if days < settings.min_days:
        return f"a certificate expires in {days:.1f} days, expected at least {settings.min_days:g}"
    if share < settings.lifetime_left:
        return (
            f"{share:.0%} of the certificate's life is left ({days:.1f} days),"
            f" expected at least {settings.lifetime_left:.0%}"
        )
    if _VERSIONS.index(shown.version) < _VERSIONS.index(settings.min_version):
        return f"the server speaks {shown.version}, expected at least {settings.min_version}"
    if settings.issuer is not None and not search(settings.issuer, shown.issuer):
        return f'the issuer is "{excerpt(shown.issuer)}", expected {settings.issuer}'
    return ""


def _words(shown: Certificates) -> str:
    return excerpt(shown.issuer or "nobody that it names", 80)


def make(settings: TlsSettings, shared: Context) -> TlsProbe:
    """Build the probe."""
    return TlsProbe(settings, clock=shared.clock)


KIND: Final = Kind(
    settings=TlsSettings,
    make=make,
    cost=lambda _: Cost(connections=1),
    instance=lambda settings: str(settings.address),
)
