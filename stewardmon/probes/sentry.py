"""The sentry probe: ingest takes envelopes, and where a token allows it, events are fresh.

An envelope without items is taken and counts as no event
(develop.sentry.dev/sdk/data-model/envelopes).
Series: stewardmon_sentry_newest_event_timestamp_seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from stewardmon.domain.display import format_since
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.expect import moment
from stewardmon.probes.http import Url
from stewardmon.probes.rest import Answer, Client, failed
from stewardmon.settings import AfterValidator, Duration, FilePath, Secret, Settings

_ENVELOPE: Final = b"{}\n"
_REFUSED: Final[Mapping[int, tuple[State, Reason, str]]] = {
    401: (State.MISCONFIGURED, Reason.AUTH, "the DSN's key is refused"),
    403: (State.MISCONFIGURED, Reason.AUTH, "the DSN's key is refused or switched off"),
    404: (State.MISCONFIGURED, Reason.NOT_FOUND, "there is no such project"),
    429: (State.DEGRADED, Reason.QUOTA, "the quota is used up: events are being dropped"),
}


@dataclass(frozen=True, slots=True)
class Dsn:
    """A DSN taken apart: where envelopes go, and the key that lets them in."""

    ingest: str
    key: str


def parse_dsn(text: str) -> Dsn:
    """Return the parts of `https://KEY@HOST/PROJECT`; raises ValueError without repeating it."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError(_WRONG) from None
    head, _, project = parts.path.rpartition("/")
    if parts.scheme not in {"http", "https"} or not parts.username or not project.isdigit():
        raise ValueError(_WRONG)
    shown = f"[{host}]" if ":" in host else host
    place = f"{parts.scheme}://{shown}{f':{port}' if port else ''}{head}"
    ingest = f"{place}/api/{project}/envelope/"
    parse_url(ingest)
    return Dsn(ingest=ingest, key=parts.username)


_WRONG: Final = "a DSN is written https://KEY@HOST/PROJECT-NUMBER, as Sentry shows it"


def _dsn(value: Secret) -> Secret:
    parse_dsn(value.get_secret_value())
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class SentrySettings(Settings):
    """A DSN; and, to see how fresh events are, an API's list of them with its token.

    `events_url` is as `https://sentry.io/api/0/projects/ORGANIZATION/PROJECT/events/`. An app
    without errors sends none: judge freshness only where it always sends some.
    """

    dsn: Annotated[Secret, AfterValidator(_dsn)]
    events_url: Url | None = None
    token: Secret | None = None
    max_age: Duration | None = None
    verify: bool | FilePath = True

    def __post_init__(self) -> None:
        if self.max_age is not None and self.events_url is None:
            raise ValueError("max_age needs events_url, where events are listed")


class SentryProbe:
    """Asks one project."""

    def __init__(self, settings: SentrySettings, shared: Context) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = shared.clock
        self._client = Client(user_agent=shared.user_agent, verify=settings.verify)
        self._dsn = parse_dsn(settings.dsn.get_secret_value())

    async def ask(self) -> Outcome:
        """Ask once."""
        progress = self.progress = Progress()
        newest: datetime | None = None
        try:
            await self._send(progress)
            if self.settings.events_url is not None:
                newest = await self._newest(self.settings.events_url, progress)
        except Failure as failure:
            return failed(failure, progress)
        measurements: tuple[Measurement, ...] = progress.measurements()
        if newest is not None:
            name = "stewardmon_sentry_newest_event_timestamp_seconds"
            measurements += (Measurement(name, newest.timestamp()),)
        stale = self._stale(newest)
        return Outcome(
            state=State.DEGRADED if stale else State.UP,
            reason=Reason.STALE if stale else Reason.OK,
            detail=stale or "ingest takes events",
            phases=progress.phases,
            measurements=measurements,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _send(self, progress: Progress) -> None:
        auth = f"Sentry sentry_version=7, sentry_client=stewardmon/1, sentry_key={self._dsn.key}"
        answer = await self._client.ask(
            self._dsn.ingest,
            progress,
            method="POST",
            headers={"X-Sentry-Auth": auth, "Content-Type": "application/x-sentry-envelope"},
            body=_ENVELOPE,
        )
        if answer.status not in _REFUSED:
            answer.expect_ok()
            return
        state, reason, meaning = _REFUSED[answer.status]
        raise Failure(reason, f"{answer.where} answered {answer.status}: {meaning}", state=state)

    async def _newest(self, url: Secret, progress: Progress) -> datetime | None:
        token = self.settings.token.get_secret_value() if self.settings.token else ""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = await self._client.ask(url.get_secret_value(), progress, headers=headers)
        times = [at for at in map(_at, _entries(answer)) if at is not None]
        return max(times, default=None)

    def _stale(self, newest: datetime | None) -> str:
        limit = self.settings.max_age
        if limit is None:
            return ""
        if newest is None:
            return f"no event is listed, expected one of the last {format_since(limit)}"
        age = self._clock.now() - newest
        if age <= limit:
            return ""
        wanted = format_since(limit)
        return f"the newest event is {format_since(age)} old, expected one of the last {wanted}"


def _entries(answer: Answer) -> list[Any]:
    document = answer.document()
    if not isinstance(document, list):
        raise Failure(Reason.BODY, f"{answer.where} is no list of events")
    return document


def _at(entry: Any) -> datetime | None:
    if not isinstance(entry, dict):
        return None
    return moment(entry.get("dateCreated") or entry.get("lastSeen"))


def make(settings: SentrySettings, shared: Context) -> SentryProbe:
    """Build the probe."""
    return SentryProbe(settings, shared)


def _instance(settings: SentrySettings) -> str:
    return parse_url(parse_dsn(settings.dsn.get_secret_value()).ingest).shown


KIND: Final = Kind(
    settings=SentrySettings,
    make=make,
    cost=lambda settings: Cost(requests=1 if settings.events_url is None else 2),
    instance=_instance,
)
