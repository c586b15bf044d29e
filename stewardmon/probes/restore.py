"""The restore probe: did the last drill bring the newest backup back, and when was it?

Asking shows the last drill's result; the drill itself is work for the calendar (engine/restores.py)
and for `stewardmon preflight restore`. Series: stewardmon_restore_success,
stewardmon_restore_last_success_timestamp_seconds, stewardmon_restore_duration_seconds,
stewardmon_restore_rows{table, side}.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import time, timedelta
from pathlib import Path
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stewardmon.domain.outcome import Measurement, Outcome
from stewardmon.domain.restoration import Bar, Restored, outcome_of
from stewardmon.ports import Context, Kind
from stewardmon.probes.postgres_url import parse_conninfo
from stewardmon.probes.restore_drill import Plan
from stewardmon.settings import AfterValidator, BeforeValidator, Duration, Field, Secret, Settings

_UTC: Final = ZoneInfo("UTC")


def _address(value: Secret) -> Secret:
    parse_conninfo(value.get_secret_value())
    return value


def _time(value: Any) -> Any:
    try:
        return time.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(f"{str(value)[:20]!r} is no time of day such as 04:00") from None


def _zone(value: Any) -> Any:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, TypeError, ValueError, OSError):
        raise ValueError(f"{str(value)[:40]!r} is no time zone such as Europe/Berlin") from None


Address = Annotated[Secret, AfterValidator(_address)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoreSettings(Settings):
    """A `folder` of backups, and a server to restore `into`: its user must be allowed to create
    databases, and only ones made for a drill are ever touched.

    With a `source`, the copy must have `min_share` of its rows, and its newest row (by the column
    `newest`) must be at most `lag` older. Without `tables`, all of the schema public count. The
    drill runs on a `day` of the month at a time of day, for `longest` at the most.
    """

    folder: Path
    into: Address
    source: Address | None = None
    pattern: str = "*"
    tables: tuple[str, ...] = ()
    newest: str = "createdAt"
    min_share: float = Field(default=0.9, ge=0, le=1)
    lag: Duration = timedelta(hours=26)
    day: int = Field(default=1, ge=1, le=28)
    at: Annotated[time, BeforeValidator(_time)] = time(4)
    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] = _UTC
    max_age: Duration = timedelta(days=35)
    longest: Duration = timedelta(minutes=30)

    @property
    def plan(self) -> Plan:
        """Return what a drill does."""
        return Plan(
            folder=self.folder,
            pattern=self.pattern,
            into=self.into.get_secret_value(),
            source=self.source.get_secret_value() if self.source else None,
            tables=self.tables,
            newest=self.newest,
            bar=Bar(min_share=self.min_share, lag=self.lag),
            longest=self.longest,
        )


class RestoreProbe:
    """Looks at the result of the last drill."""

    def __init__(self, settings: RestoreSettings, shared: Context) -> None:
        self.settings = settings
        self._shared = shared

    async def ask(self) -> Outcome:
        """Look once."""
        last = self._shared.restored(self._shared.probe)
        now = self._shared.clock.now()
        outcome = outcome_of(last, now=now, max_age=self.settings.max_age)
        return replace(outcome, measurements=tuple(measured(last)) if last else ())

    async def close(self) -> None:
        """Nothing is kept between looks."""


def measured(last: Restored) -> Iterator[Measurement]:
    """Yield the figures of a drill."""
    yield Measurement("stewardmon_restore_success", float(last.succeeded))
    yield Measurement("stewardmon_restore_last_timestamp_seconds", last.at.timestamp())
    yield Measurement("stewardmon_restore_duration_seconds", last.took)
    if last.success_at is not None:
        at = last.success_at.timestamp()
        yield Measurement("stewardmon_restore_last_success_timestamp_seconds", at)
    for table in last.tables:
        label = {"table": table.name, "side": "restored"}
        yield Measurement("stewardmon_restore_rows", float(table.rows), label)
        if table.source_rows is not None:
            label = {"table": table.name, "side": "source"}
            yield Measurement("stewardmon_restore_rows", float(table.source_rows), label)


def make(settings: RestoreSettings, shared: Context) -> RestoreProbe:
    """Build the probe."""
    return RestoreProbe(settings, shared)


KIND: Final = Kind(
    settings=RestoreSettings, make=make, instance=lambda settings: str(settings.folder)
)
