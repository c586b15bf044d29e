"""The logs probe: a folder of log streams is fresh, structured, not full of errors, and clean.

Series by stream: stewardmon_log_newest_timestamp_seconds, stewardmon_log_structured_ratio,
stewardmon_log_error_ratio, stewardmon_log_secrets, stewardmon_log_personal.
"""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from stewardmon.domain import leaks
from stewardmon.domain.display import format_since
from stewardmon.domain.outcome import Cost, Measurement, Outcome, Reason, State
from stewardmon.domain.redact import excerpt
from stewardmon.network.failure import Failure
from stewardmon.network.progress import Progress
from stewardmon.ports import Context, Kind
from stewardmon.probes.expect import moment
from stewardmon.probes.rest import failed, summed
from stewardmon.settings import ByteSize, Duration, Field, Settings

FIELDS: Final = ("timestamp", "level", "message", "context", "environment", "version")
_ERRORS: Final = frozenset({"error", "fatal", "critical"})
_STREAMS: Final = 50
_LONGEST_LINE: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LogsSettings(Settings):
    """A folder of streams, one file each, and what they must be.

    The last `read` bytes of every file are looked at. `max_age` holds for every stream of
    `streams`, and for all files that match `pattern` where none is named. `fields` are what every
    line, a JSON object, must hold; `min_structured` is the share of lines that do. Errors are
    counted among the lines of the last `max_age` before the newest: an outage that is over must
    not be held against a stream for as long as its file remembers.
    """

    folder: Path
    pattern: str = "*.log"
    streams: tuple[str, ...] = Field(default=(), max_length=_STREAMS)
    max_age: Duration = timedelta(minutes=15)
    fields: tuple[str, ...] = FIELDS
    min_structured: float = Field(default=0.95, ge=0, le=1)
    max_errors: float = Field(default=0.05, ge=0, le=1)
    min_lines: int = Field(default=10, ge=1)
    secrets: bool = True
    personal: bool = True
    read: ByteSize = Field(default=256 * 1024, gt=0, le=16 * 1024**2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What the end of one stream showed."""

    name: str
    newest: datetime
    lines: int = 0
    structured: int = 0
    recent: int = 0
    errors: int = 0
    secrets: tuple[str, ...] = ()
    personal: int = 0


class LogsProbe:
    """Reads the ends of one folder's streams."""

    def __init__(self, settings: LogsSettings, shared: Context) -> None:
        self.settings = settings
        self.progress = Progress()
        self._clock = shared.clock

    async def ask(self) -> Outcome:
        """Look once; what strangers must not read is the worst that can be found."""
        progress = self.progress = Progress()
        progress.enter("processing")
        try:
            streams = await asyncio.to_thread(read_streams, self.settings)
        except Failure as failure:
            return failed(failure, progress)
        progress.leave()
        found = sorted(
            _complaints(self.settings, streams, now=self._clock.now()),
            key=lambda one: _ORDER.index(one[0]),
        )
        lines = tuple(text for _, text in found)
        measurements = (*progress.measurements(), *_measured(streams, self.settings))
        reason = found[0][0] if found else Reason.OK
        total = sum(one.lines for one in streams)
        return Outcome(
            state=_STATES[reason],
            reason=reason,
            detail=summed(lines) or f"{len(streams)} streams, {total} lines as they should be",
            phases=progress.phases,
            measurements=measurements,
            findings=lines,
        )

    async def close(self) -> None:
        """Nothing is kept between asks."""


_STATES: Final = {
    Reason.EXPOSED: State.DOWN,
    Reason.MISSING: State.DOWN,
    Reason.STALE: State.DEGRADED,
    Reason.BODY: State.DEGRADED,
    Reason.FINDING: State.DEGRADED,
    Reason.OK: State.UP,
}
_ORDER: Final = tuple(_STATES)


def read_streams(settings: LogsSettings) -> list[Stream]:
    """Return the streams of the folder; raises Failure where it cannot be read."""
    folder = settings.folder
    try:
        paths = [
            path
            for path in islice(folder.iterdir(), 10_000)
            if fnmatchcase(path.name, settings.pattern)
            and (not settings.streams or path.stem in settings.streams)
        ]
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise Failure(
            Reason.MISSING if missing else Reason.PERMISSION,
            f"the folder {folder} cannot be read: {error.strerror}",
            state=State.MISCONFIGURED,
        ) from None
    streams = [one for path in sorted(paths)[:_STREAMS] for one in _stream(path, settings)]
    if not streams and not settings.streams:
        detail = f"there is no stream that matches {settings.pattern} in {folder}"
        raise Failure(Reason.MISSING, detail)
    return streams


def _stream(path: Path, settings: LogsSettings) -> Iterator[Stream]:
    try:
        entry = path.stat()
        if not stat.S_ISREG(entry.st_mode):
            return  # a pipe would hang whoever opens it
        with path.open("rb") as file:
            start = max(0, entry.st_size - int(settings.read))
            file.seek(start)
            content = file.read(int(settings.read))
    except OSError as error:
        detail = f"the stream {path.name} cannot be read: {error.strerror}"
        raise Failure(Reason.PERMISSION, detail, state=State.MISCONFIGURED) from None
    lines = content.split(b"\n")
    if start and len(lines) > 1:
        del lines[0]  # it begins before what was read; a line that never ends is one all the same
    written = datetime.fromtimestamp(entry.st_mtime, UTC)
    yield _judged(path.stem, [line for line in lines if line.strip()], settings, written)


def _judged(name: str, lines: list[bytes], settings: LogsSettings, written: datetime) -> Stream:
    entries = [_entry(line) for line in lines]
    whole = [one for one in entries if one is not None and all(f in one for f in settings.fields)]
    times = [at for one in whole if (at := moment(one.get("timestamp"))) is not None]
    recent = list(_recent(entries, settings.max_age))
    text = b"\n".join(line[:_LONGEST_LINE] for line in lines).decode("utf-8", "replace")
    return Stream(
        name=name,
        # A file that is written to without times is as fresh as the file.
        newest=max(times, default=written),
        lines=len(lines),
        structured=len(whole),
        recent=len(recent),
        errors=sum(str(one.get("level")).lower() in _ERRORS for one in recent if one),
        secrets=tuple(sorted(leaks.secrets(text))) if settings.secrets else (),
        personal=leaks.mail_addresses(text) if settings.personal else 0,
    )


def _recent(
    entries: list[dict[str, Any] | None], span: timedelta
) -> Iterator[dict[str, Any] | None]:
    """Yield the lines of the last span before the newest, and those that tell no time."""
    times = [moment(one.get("timestamp")) if one else None for one in entries]
    newest = max((at for at in times if at is not None), default=None)
    for one, at in zip(entries, times, strict=True):
        if at is None or newest is None or newest - at <= span:
            yield one


def _entry(line: bytes) -> dict[str, Any] | None:
    if len(line) > _LONGEST_LINE:
        return None
    try:
        read = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return read if isinstance(read, dict) else None


def _complaints(
    settings: LogsSettings, streams: list[Stream], *, now: datetime
) -> Iterator[tuple[Reason, str]]:
    there = {one.name for one in streams}
    for name in settings.streams:
        if name not in there:
            yield Reason.MISSING, f"{name}: there is no such stream"
    for one in streams:
        yield from _complaints_of(one, settings, now=now)


def _complaints_of(
    one: Stream, settings: LogsSettings, *, now: datetime
) -> Iterator[tuple[Reason, str]]:
    name = excerpt(one.name, 40)
    if one.secrets:
        yield Reason.EXPOSED, f"{name} holds {', '.join(one.secrets)}"
    if one.personal:
        yield Reason.EXPOSED, f"{name} holds personal data: mail addresses, {one.personal} times"
    if now - one.newest > settings.max_age:
        age, limit = format_since(now - one.newest), format_since(settings.max_age)
        yield (
            Reason.STALE,
            f"{name}: the newest line is {age} old, expected one of the last {limit}",
        )
    if one.lines < settings.min_lines:
        return  # of so few lines no share can be told
    structured = one.structured / one.lines
    if structured < settings.min_structured:
        wanted = f"expected at least {settings.min_structured:.0%}"
        yield Reason.BODY, f"{name}: {structured:.0%} of the lines have the fields, {wanted}"
    errors = _error_share(one, settings)
    if errors is not None and errors > settings.max_errors:
        wanted = f"expected at most {settings.max_errors:.0%}"
        yield Reason.FINDING, f"{name}: {errors:.0%} of the lines are errors, {wanted}"


def _measured(streams: list[Stream], settings: LogsSettings) -> Iterator[Measurement]:
    for one in streams:
        label = {"stream": one.name}
        newest = one.newest.timestamp()
        yield Measurement("stewardmon_log_newest_timestamp_seconds", newest, label)
        yield Measurement("stewardmon_log_secrets", float(len(one.secrets)), label)
        yield Measurement("stewardmon_log_personal", float(one.personal), label)
        if one.lines >= settings.min_lines:
            structured = one.structured / one.lines
            yield Measurement("stewardmon_log_structured_ratio", structured, label)
        errors = _error_share(one, settings)
        if errors is not None:
            yield Measurement("stewardmon_log_error_ratio", errors, label)


def _error_share(one: Stream, settings: LogsSettings) -> float | None:
    """Return the share of errors of late, None of so few lines that none can be told."""
    return one.errors / one.recent if one.recent >= settings.min_lines else None


def make(settings: LogsSettings, shared: Context) -> LogsProbe:
    """Build the probe."""
    return LogsProbe(settings, shared)


KIND: Final = Kind(
    settings=LogsSettings,
    make=make,
    cost=lambda _: Cost(),
    instance=lambda settings: str(settings.folder),
)
