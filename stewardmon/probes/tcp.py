"""The tcp probe: somebody listens there, and says what is expected of him."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.dial import connect, resolve
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.address import SERIES, Place
from stewardmon.probes.condition import Pattern, search
from stewardmon.settings import Secret, Settings

_HEARD: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSettings(Settings):
    """Where to connect; `send` is said first, `expect` (RE2) must be found in what comes back."""

    address: Place
    send: Secret | None = None
    expect: Pattern | None = None


class _Talk(asyncio.Protocol):
    """What the other side says, as long as somebody waits for it."""

    def __init__(self) -> None:
        self.heard = b""
        self.over = False
        self._news = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.heard = (self.heard + data)[:_HEARD]
        self._news.set()

    def connection_lost(self, _: Exception | None) -> None:
        self.over = True
        self._news.set()

    async def wait(self) -> None:
        """Return when more was heard, or the other side hung up."""
        await self._news.wait()
        self._news.clear()


class TcpProbe:
    """Connects to one address."""

    def __init__(self, settings: TcpSettings) -> None:
        self.settings = settings
        self.progress = Progress(series=SERIES)

    async def ask(self) -> Outcome:
        """Ask once."""
        progress = self.progress = Progress(series=SERIES)
        place = self.settings.address
        talk = _Talk()
        try:
            addresses = await resolve(place.host, guard=False, progress=progress)
            transport, address = await connect(
                addresses, host=place.host, port=place.port, protocol=talk, progress=progress
            )
            try:
                missed = await self._converse(talk, transport, progress)
            finally:
                transport.abort()
        except Failure as failure:
            return Outcome(
                state=failure.state,
                reason=failure.reason,
                detail=failure.detail,
                phases=progress.cut(),
                measurements=progress.measurements(),
            )
        progress.leave()
        return Outcome(
            state=State.DOWN if missed else State.UP,
            reason=Reason.BODY if missed else Reason.OK,
            detail=missed or f"{place} accepts connections",
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                Measurement("probe_dns_lookup_time_seconds", progress.phases["resolve"]),
                Measurement("probe_ip_protocol", 6.0 if ":" in address else 4.0),
                Measurement("probe_failed_due_to_regex", float(bool(missed))),
            ),
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _converse(self, talk: _Talk, transport: asyncio.Transport, progress: Progress) -> str:
        """Return what is missing in what the other side says, empty where nothing is."""
        settings = self.settings
        if settings.send is not None:
            transport.write(settings.send.get_secret_value().encode())
        if settings.expect is None:
            return ""
        progress.enter("transfer")
        while not search(settings.expect, talk.heard.decode("utf-8", "replace")):
            if talk.over or len(talk.heard) >= _HEARD:
                said = excerpt(talk.heard.decode("utf-8", "replace"), 60)
                return f'{settings.address} said "{said}", expected {settings.expect}'
            await talk.wait()
        return ""


def make(settings: TcpSettings, _shared: Context) -> TcpProbe:
    """Build the probe."""
    return TcpProbe(settings)


KIND: Final = Kind(
    settings=TcpSettings,
    make=make,
    cost=lambda _: Cost(connections=1),
    instance=lambda settings: str(settings.address),
)
