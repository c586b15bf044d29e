"""The backup probe: how old the newest backup is, how large, and whether it is whole.

Series: stewardmon_backup_last_success_timestamp_seconds (the newest that is as it should be),
stewardmon_backup_newest_timestamp_seconds, stewardmon_backup_size_bytes,
stewardmon_backup_size_ratio (to the one before), stewardmon_backup_complete (absent where it
cannot be seen), stewardmon_backup_count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final

from stewardmon.domain.backups import Backup, Complaint, Limits, judge
from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.endpoint import parse_url
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.backup_folder import read_folder
from stewardmon.probes.backup_listing import read_listing, read_supabase
from stewardmon.probes.http import Header, HeaderValue, Url
from stewardmon.probes.rest import Client, failed, summed
from stewardmon.settings import (
    AfterValidator,
    ByteSize,
    Duration,
    Field,
    FilePath,
    Secret,
    Settings,
)

SUPABASE: Final = "https://api.supabase.com"
_READ: Final = 1024**3


def _api(value: str) -> str:
    parse_url(value)
    return value.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupSettings(Settings):
    """Where backups lie, and how they must be: a `folder`, a `url`, or a `project` of Supabase.

    A `url` lists objects as S3 (XML), as a JSON list of Supabase's storage, or as nginx's
    autoindex in JSON. `pattern` is a shell's. Dumps of up to `read_limit` in a folder are read to
    their end; of longer archives only the table of contents is. `min_share` is of the size of the
    backup before.
    """

    folder: Path | None = None
    url: Url | None = None
    headers: Mapping[Header, HeaderValue] = Field(default_factory=dict)
    project: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    token: Secret | None = None
    api_url: Annotated[str, AfterValidator(_api)] = SUPABASE
    pattern: str = "*"
    max_age: Duration = timedelta(hours=26)
    min_size: ByteSize = Field(default=1, ge=0)
    min_share: float = Field(default=0.5, ge=0, le=1)
    read_limit: ByteSize = Field(default=_READ, ge=0)
    verify: bool | FilePath = True

    def __post_init__(self) -> None:
        places = [self.folder, self.url, self.project]
        if sum(place is not None for place in places) != 1:
            raise ValueError("a backup has one place: write folder, url or project")
        if self.project is not None and self.token is None:
            raise ValueError("a project of Supabase needs a token")

    @property
    def limits(self) -> Limits:
        """Return what a backup must meet."""
        return Limits(max_age=self.max_age, min_size=int(self.min_size), min_share=self.min_share)

    @property
    def place(self) -> str:
        """Return where backups lie, as labels and messages may show it."""
        if self.folder is not None:
            return str(self.folder)
        if self.url is not None:
            return parse_url(self.url.get_secret_value()).shown
        return f"{parse_url(self.api_url).shown.rstrip('/')}/projects/{self.project}"


class BackupProbe:
    """Looks at one place of backups."""

    def __init__(self, settings: BackupSettings, shared: Context) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = shared.clock
        self._client = Client(user_agent=shared.user_agent, verify=settings.verify)

    async def ask(self) -> Outcome:
        """Look once; what is wrong with the newest backup is the outcome."""
        progress = self.progress = Progress()
        settings = self.settings
        try:
            found = await self._read(progress)
        except Failure as failure:
            return failed(failure, progress)
        now = self._clock.now()
        complaints, good = judge(found, settings.limits, now=now)
        measurements = (*progress.measurements(), *_measured(found, good))
        if complaints:
            return _complained(complaints, progress, measurements)
        newest = max(found, key=lambda one: one.at)
        size = "" if newest.size is None else f", {format_value(newest.size, 'bytes')}"
        unseen = tuple(
            f"{excerpt(one.name, 60)}: {one.why}" for one in found if one.why and one.whole is None
        )
        name = excerpt(newest.name, 60)
        return Outcome(
            state=State.UP,
            detail=f"{name} is {format_since(now - newest.at)} old{size}{_seen(newest)}",
            phases=progress.phases,
            measurements=measurements,
            findings=unseen,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""

    async def _read(self, progress: Progress) -> list[Backup]:
        settings = self.settings
        if settings.folder is not None:
            progress.enter("processing")
            found = await read_folder(
                settings.folder, settings.pattern, read_limit=int(settings.read_limit)
            )
            progress.leave()
        elif settings.url is not None:
            found = await read_listing(
                self._client,
                settings.url.get_secret_value(),
                {name: value.get_secret_value() for name, value in settings.headers.items()},
                progress,
                pattern=settings.pattern,
            )
        else:
            token = settings.token.get_secret_value() if settings.token else ""
            url = f"{settings.api_url}/v1/projects/{settings.project}/database/backups"
            found = await read_supabase(self._client, url, token, progress)
        if not found:
            wanted = "" if settings.pattern == "*" else f" that matches {settings.pattern}"
            detail = f"there is no backup{wanted} in {settings.place}"
            raise Failure(Reason.MISSING, detail)
        return found


def _seen(newest: Backup) -> str:
    return f", {newest.form}, whole" if newest.whole else ""


def _complained(
    complaints: tuple[Complaint, ...], progress: Progress, measurements: tuple[Measurement, ...]
) -> Outcome:
    lines = tuple(one.text for one in complaints)
    return Outcome(
        state=complaints[0].state,
        reason=complaints[0].reason,
        detail=summed(lines),
        phases=progress.phases,
        measurements=measurements,
        findings=lines,
    )


def _measured(found: list[Backup], good: Backup | None) -> Iterator[Measurement]:
    newest = max(found, key=lambda one: one.at)
    yield Measurement("stewardmon_backup_count", float(len(found)))
    yield Measurement("stewardmon_backup_newest_timestamp_seconds", newest.at.timestamp())
    if good is not None:
        last = "stewardmon_backup_last_success_timestamp_seconds"
        yield Measurement(last, good.at.timestamp())
    if newest.whole is not None:
        yield Measurement("stewardmon_backup_complete", float(newest.whole))
    if newest.size is None:
        return
    yield Measurement("stewardmon_backup_size_bytes", float(newest.size))
    before = [one for one in found if one.group == newest.group and one.at < newest.at and one.size]
    if before:
        former = max(before, key=lambda one: one.at).size or 1
        yield Measurement("stewardmon_backup_size_ratio", newest.size / former)


def make(settings: BackupSettings, shared: Context) -> BackupProbe:
    """Build the probe."""
    return BackupProbe(settings, shared)


KIND: Final = Kind(
    settings=BackupSettings,
    make=make,
    cost=lambda settings: Cost() if settings.folder is not None else Cost(requests=1),
    instance=lambda settings: settings.place,
)
