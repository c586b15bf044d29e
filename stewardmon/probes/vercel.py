"""The vercel probe: the request went over Vercel's edge, and which deployment answered it.

Series: stewardmon_vercel_edge_info{edge, region}, stewardmon_vercel_cache{state},
stewardmon_deployment_info{version, deployment}, stewardmon_deployment_behind_seconds (how long a
newer deployment has been ready and not served: with a `project` and a `token` of Vercel's API).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Annotated, Final

from stewardmon.domain.display import format_since
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Clock, Context, Kind
from stewardmon.probes.http import Url
from stewardmon.probes.rest import LIMIT, Answer, Client, failed
from stewardmon.probes.vercel_api import API, behind
from stewardmon.settings import AfterValidator, Duration, Field, FilePath, Secret, Settings

# vercel.com/docs/headers/response-headers: regions joined by ::, the last part names the request.
_ID: Final = re.compile(r"(?:[a-z]{3}\d{1,2}(?:::|:))+[\w-]+")
_WORD: Final = re.compile(r"[\w.+@-]{1,80}")
_VERSION: Final = ("x-app-version", "x-version")
_DEPLOYMENT: Final = ("x-deployment-id", "x-vercel-deployment-id", "x-nextjs-deployment-id")


def _word(value: str) -> str:
    if not _WORD.fullmatch(value):
        raise ValueError("a version is one word of letters, digits, dots and dashes")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class VercelSettings(Settings):
    """A page of the app; `version`, where written, is the one that must answer.

    With a `project` (and its `team`) Vercel's API says whether an older deployment is pinned, which
    is said when a newer one has waited for longer than `pinned_after`.
    """

    url: Url
    version: Annotated[str, AfterValidator(_word)] | None = None
    project: str = Field(default="", pattern=r"^[\w.-]{0,100}$")
    team: str = Field(default="", pattern=r"^[\w.-]{0,100}$")
    token: Secret | None = None
    api_url: Url = Secret(API)
    pinned_after: Duration = timedelta(hours=24)
    verify: bool | FilePath = True

    def __post_init__(self) -> None:
        if self.project and self.token is None:
            raise ValueError("a project of Vercel needs a token")


class VercelProbe:
    """Asks for one page."""

    def __init__(self, settings: VercelSettings, *, clock: Clock, user_agent: str) -> None:
        self.settings = settings
        self._clock = clock
        self.progress = Progress()
        self._client = Client(user_agent=user_agent, verify=settings.verify)

    async def ask(self) -> Outcome:
        """Ask once; what Vercel itself says went wrong is the reason."""
        progress = self.progress = Progress()
        url = self.settings.url.get_secret_value()
        try:
            answer = await self._client.ask(url, progress)
            measurements = (*progress.measurements(), *_measured(answer))
            _check(answer, self.settings)
        except Failure as failure:
            return failed(failure, progress)
        path = _path(answer.headers)
        well = Outcome(
            state=State.UP,
            detail=f"answered over {' → '.join(path)}" + _shown(answer.headers),
            phases=progress.phases,
            measurements=measurements,
        )
        return await self._compared(well) if self.settings.project else well

    async def _compared(self, well: Outcome) -> Outcome:
        """Add whether an older deployment is pinned; an API that does not tell is a finding."""
        settings = self.settings
        try:
            waited = await behind(
                self._client,
                api=settings.api_url.get_secret_value().rstrip("/"),
                project=settings.project,
                team=settings.team,
                token=settings.token.get_secret_value() if settings.token else "",
                now=self._clock.now(),
            )
        except Failure as failure:
            found = f"whether an old deployment is pinned was not seen: {failure.detail}"
            return replace(well, findings=(found,))
        late = Measurement("stewardmon_deployment_behind_seconds", waited.total_seconds())
        well = replace(well, measurements=(*well.measurements, late))
        if waited <= settings.pinned_after:
            return well
        detail = f"an old deployment is pinned: a newer one has waited {format_since(waited)}"
        return replace(
            well, state=State.DEGRADED, reason=Reason.STALE, detail=detail, findings=(detail,)
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""


def version_of(headers: Mapping[str, str]) -> str:
    """Return the version that an answer names, empty where it names none."""
    return _named(headers, _VERSION)


def deployment_of(headers: Mapping[str, str]) -> str:
    """Return the deployment that an answer names, empty where it names none."""
    return _named(headers, _DEPLOYMENT)


def _check(answer: Answer, settings: VercelSettings) -> None:
    if answer.too_large:
        raise Failure(Reason.TOO_LARGE, f"{answer.where} sent more than {LIMIT >> 20} MiB")
    error = answer.headers.get("x-vercel-error")
    if error:
        state = State.MISCONFIGURED if "NOT_FOUND" in error else State.DOWN
        detail = f"Vercel answered {answer.status} {excerpt(error, 60)}"
        raise Failure(Reason.PROVIDER, detail, state=state)
    if not _ID.fullmatch(answer.headers.get("x-vercel-id", "")):
        detail = "the answer has no x-vercel-id: it did not come over Vercel's edge"
        raise Failure(Reason.HEADER, detail, state=State.DEGRADED)
    if answer.status >= 500:
        raise Failure(Reason.STATUS, f"{answer.where} answered {answer.status}")
    found = version_of(answer.headers)
    if settings.version is not None and found != settings.version:
        detail = f"version {found or 'unknown'} answers, expected {settings.version}"
        raise Failure(Reason.WRONG_ANSWER, detail, state=State.DEGRADED)


def _measured(answer: Answer) -> Iterator[Measurement]:
    yield Measurement("probe_http_status_code", float(answer.status))
    if answer.certificates is not None:
        yield Measurement("probe_ssl_earliest_cert_expiry", answer.certificates.earliest_expiry)
    path = _path(answer.headers)
    if path:
        label = {"edge": path[0], "region": path[-1]}
        yield Measurement("stewardmon_vercel_edge_info", 1.0, label)
    cache = answer.headers.get("x-vercel-cache", "")
    if _WORD.fullmatch(cache):
        yield Measurement("stewardmon_vercel_cache", 1.0, {"state": cache.lower()})
    version, deployment = version_of(answer.headers), deployment_of(answer.headers)
    if version or deployment:
        label = {"version": version, "deployment": deployment}
        yield Measurement("stewardmon_deployment_info", 1.0, label)


def _path(headers: Mapping[str, str]) -> list[str]:
    """Return the regions that the request went through, ours first."""
    ident = headers.get("x-vercel-id", "")
    return [one for one in ident.split(":") if one][:-1] if _ID.fullmatch(ident) else []


def _named(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    found = (headers.get(name, "") for name in names)
    return next((word for word in found if _WORD.fullmatch(word)), "")


def _shown(headers: Mapping[str, str]) -> str:
    version = version_of(headers)
    return f", version {version}" if version else ""


def make(settings: VercelSettings, shared: Context) -> VercelProbe:
    """Build the probe."""
    return VercelProbe(settings, clock=shared.clock, user_agent=shared.user_agent)


KIND: Final = Kind(
    settings=VercelSettings,
    make=make,
    cost=lambda _: Cost(requests=1),
    instance=lambda settings: parse_url(settings.url.get_secret_value()).shown,
)
