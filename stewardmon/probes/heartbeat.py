"""The heartbeat probe: a job has said that it lives, and has not said that it failed.

It asks nobody: jobs push to `/heartbeat/NAME`, and this looks at what came. Series:
stewardmon_heartbeat_missing, stewardmon_heartbeat_failed, stewardmon_heartbeat_overrun (1 or 0),
stewardmon_heartbeat_last_success_timestamp_seconds, stewardmon_heartbeat_run_duration_seconds, and
the figures that the job pushed, under their own names, for as long as they are fresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

from stewardmon.domain.heartbeat import Condition, Pulse, Rhythm, judge
from stewardmon.domain.outcome import Measurement, Outcome, Reason, State
from stewardmon.ports import Context, Kind
from stewardmon.settings import AfterValidator, Duration, Field, Secret, Settings

_GRACE: Final = timedelta(minutes=5)
_SHORTEST: Final = 16  # characters of a token


def _long_enough(value: Secret) -> Secret:
    if len(value.get_secret_value()) < _SHORTEST:
        raise ValueError(f"a token has {_SHORTEST} characters or more: openssl rand -hex 16")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a span longer than 0s")
    return value


Span = Annotated[Duration, AfterValidator(_positive)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSettings(Settings):
    """A success every `period`, at most `grace` late; a run ends within `runtime` of its start.

    `token` is what a push must bring. Figures that are pushed become series of the job
    `metrics_job`, of the heartbeat's own where none is written.
    """

    token: Annotated[Secret, AfterValidator(_long_enough)]
    period: Span
    grace: Span = _GRACE
    runtime: Span | None = None
    metrics_job: str = Field(default="", max_length=100)

    @property
    def rhythm(self) -> Rhythm:
        """Return what is expected of the job; without a `runtime` a run may take a period."""
        return Rhythm(period=self.period, grace=self.grace, runtime=self.runtime or self.period)


class HeartbeatProbe:
    """Looks at the last signs of one job."""

    def __init__(self, settings: HeartbeatSettings, shared: Context) -> None:
        self.settings = settings
        self._shared = shared
        self._listening_since = shared.clock.now()

    async def ask(self) -> Outcome:
        """Look once."""
        now = self._shared.clock.now()
        pulse = self._shared.pulse(self._shared.probe)
        if pulse is None:
            detail = "only the running daemon hears what jobs push"
            return Outcome(state=State.UNKNOWN, reason=Reason.SETUP, detail=detail)
        rhythm = self.settings.rhythm
        found = judge(pulse, rhythm, now=now, listening_since=self._listening_since)
        measurements = [*_measured(found, pulse)]
        at = pulse.figures_at
        if at is not None and now - at <= rhythm.period + rhythm.grace:
            job = {"job": self.settings.metrics_job} if self.settings.metrics_job else {}
            measurements += [Measurement(name, one, job) for name, one in pulse.figures.items()]
        return Outcome(
            state=found.state,
            reason=found.reason,
            detail=found.detail,
            measurements=tuple(measurements),
        )

    async def close(self) -> None:
        """Nothing is kept between looks."""


def _measured(found: Condition, pulse: Pulse) -> Iterator[Measurement]:
    down = found.state is State.DOWN
    missing = down and found.reason in (Reason.STALE, Reason.MISSING)
    yield Measurement("stewardmon_heartbeat_missing", float(missing))
    yield Measurement("stewardmon_heartbeat_failed", float(pulse.failed))
    overrun = down and found.reason is Reason.INCOMPLETE
    yield Measurement("stewardmon_heartbeat_overrun", float(overrun))
    if pulse.success_at is not None:
        last = "stewardmon_heartbeat_last_success_timestamp_seconds"
        yield Measurement(last, pulse.success_at.timestamp())
    if pulse.took is not None:
        yield Measurement("stewardmon_heartbeat_run_duration_seconds", pulse.took)


def make(settings: HeartbeatSettings, shared: Context) -> HeartbeatProbe:
    """Build the probe."""
    return HeartbeatProbe(settings, shared)


KIND: Final = Kind(settings=HeartbeatSettings, make=make)
