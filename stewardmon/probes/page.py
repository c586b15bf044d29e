"""The page probe: what a visitor has to load, in bytes, and whether it comes compressed.

Series: stewardmon_page_bytes (unpacked, with its own scripts and styles),
stewardmon_page_wire_bytes, stewardmon_page_files, stewardmon_page_compressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin, urlsplit

import re2

from stewardmon.domain.display import format_value
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.http import Url
from stewardmon.probes.rest import Answer, Client, failed, summed
from stewardmon.settings import ByteSize, Field, FilePath, Settings

_PARTS: Final = re2.compile(
    r"<script[^>]{0,300}\ssrc=[\"']?([^\"'\s>]{1,300})"
    r"|<link[^>]{0,300}\shref=[\"']?([^\"'\s>]{1,300}\.css)"
)
_FILES: Final = 20
_LIMIT: Final = 16 * 1024 * 1024
_WORTH: Final = 1024  # bytes from which on an answer should be compressed (the guide's threshold)
_READABLE: Final = ("text/", "application/javascript", "application/json")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageSettings(Settings):
    """A page, and the bytes that it and its own scripts and styles may come to, unpacked."""

    url: Url
    budget: ByteSize = Field(default=2_000_000, gt=0)
    compressed: bool = True
    verify: bool | FilePath = True


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of a page: its bytes unpacked and on the wire, and whether it came as it should."""

    name: str
    size: int
    wire: int
    plain: bool


class PageProbe:
    """Loads one page as a browser does, without running it."""

    def __init__(self, settings: PageSettings, *, user_agent: str) -> None:
        self.settings = settings
        self.progress = Progress()
        headers = {"Accept-Encoding": "gzip"}
        self._client = Client(
            user_agent=user_agent, verify=settings.verify, headers=headers, limit=_LIMIT
        )

    async def ask(self) -> Outcome:
        """Ask once."""
        progress = self.progress = Progress()
        try:
            parts = await self._load(progress)
        except Failure as failure:
            return failed(failure, progress)
        total = sum(part.size for part in parts)
        lines = tuple(self._complaints(parts, total))
        plain = [part for part in parts if part.plain]
        return Outcome(
            state=State.DEGRADED if lines else State.UP,
            reason=Reason.FINDING if lines else Reason.OK,
            detail=summed(lines) or f"{format_value(total, 'bytes')} in {len(parts)} files",
            phases=progress.phases,
            measurements=(
                *progress.measurements(),
                Measurement("stewardmon_page_bytes", float(total)),
                Measurement("stewardmon_page_wire_bytes", float(sum(one.wire for one in parts))),
                Measurement("stewardmon_page_files", float(len(parts))),
                Measurement("stewardmon_page_compressed", float(not plain)),
            ),
            findings=lines,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _load(self, progress: Progress) -> list[_Part]:
        url = self.settings.url.get_secret_value()
        page = await self._client.ask(url, progress)
        page.expect_ok()
        parts = [_part(page, url)]
        own = urlsplit(url).netloc
        named = dict.fromkeys(script or style for script, style in _PARTS.findall(page.text))
        for source in list(named)[:_FILES]:
            address = urljoin(url, source)
            if urlsplit(address).netloc == own:
                answer = await self._client.ask(address, progress)
                answer.expect_ok()
                parts.append(_part(answer, address))
        return parts

    def _complaints(self, parts: list[_Part], total: int) -> list[str]:
        budget = int(self.settings.budget)
        found = []
        if total > budget:
            heaviest = max(parts, key=lambda part: part.size)
            found.append(
                f"the page weighs {format_value(total, 'bytes')}, expected at most "
                f"{format_value(budget, 'bytes')}; {heaviest.name} alone "
                f"{format_value(heaviest.size, 'bytes')}"
            )
        if self.settings.compressed:
            found.extend(f"{part.name} is not compressed" for part in parts if part.plain)
        return found


def _part(answer: Answer, url: str) -> _Part:
    length = answer.headers.get("content-length", "")
    kind = answer.headers.get("content-type", "")
    packed = answer.headers.get("content-encoding", "identity").strip().lower() != "identity"
    return _Part(
        name=excerpt(urlsplit(url).path or "/", 60),
        size=len(answer.body),
        wire=int(length) if length.isdecimal() else len(answer.body),
        plain=not packed and len(answer.body) > _WORTH and kind.startswith(_READABLE),
    )


def make(settings: PageSettings, shared: Context) -> PageProbe:
    """Build the probe."""
    return PageProbe(settings, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=PageSettings,
    make=make,
    cost=lambda _: Cost(requests=5),
    instance=lambda settings: parse_url(settings.url.get_secret_value()).shown,
)
