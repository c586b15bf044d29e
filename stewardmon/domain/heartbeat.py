"""Signs of life that jobs push: when the last one came, and whether the next one is overdue."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from stewardmon.domain.display import format_since
from stewardmon.domain.outcome import Reason, State
from stewardmon.errors import StewardmonError

FIGURES_AT_MOST: Final = 50  # of one heartbeat: they become series
_FIGURE: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]{0,99}")
# What we measure ourselves: whoever pushes these would forge what rules page for.
_OURS: Final = ("probe_", "stewardmon_", "pg_", "gen_ai_", "ALERTS", "__")


class HeartbeatError(StewardmonError):
    """A push that cannot be taken, as one sentence."""


class Push(StrEnum):
    """What a job says of itself."""

    START = "start"
    SUCCESS = "success"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """What is expected of a job: a success every `period`, at most `grace` late.

    A run that has started must end within `runtime`.
    """

    period: timedelta
    grace: timedelta
    runtime: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """The last signs of one job. `since` is when it was first expected; `took` is seconds."""

    since: datetime
    success_at: datetime | None = None
    fail_at: datetime | None = None
    start_at: datetime | None = None
    took: float | None = None
    message: str = ""
    figures: Mapping[str, float] = field(default_factory=dict)
    figures_at: datetime | None = None

    @property
    def ended_at(self) -> datetime | None:
        """Return when a run last ended, well or ill."""
        return max(filter(None, (self.success_at, self.fail_at)), default=None)

    @property
    def running_since(self) -> datetime | None:
        """Return when the run began that has not ended, None where none has."""
        if self.start_at is None or (self.ended_at is not None and self.ended_at >= self.start_at):
            return None
        return self.start_at

    @property
    def failed(self) -> bool:
        """Say whether the last run that ended failed."""
        return self.fail_at is not None and (
            self.success_at is None or self.fail_at > self.success_at
        )


@dataclass(frozen=True, slots=True)
class Condition:
    """How a job stands."""

    state: State
    reason: Reason
    detail: str


def advance(
    pulse: Pulse, push: Push, *, now: datetime, message: str = "", figures: Mapping[str, float]
) -> Pulse:
    """Return the pulse after a push; figures stay until newer ones come."""
    began = pulse.running_since
    if figures:
        pulse = replace(pulse, figures=dict(figures), figures_at=now)
    if push is Push.START:
        return replace(pulse, start_at=now)
    took = None if began is None else (now - began).total_seconds()
    ended = replace(pulse, took=took, message=message)
    return replace(ended, success_at=now) if push is Push.SUCCESS else replace(ended, fail_at=now)


def judge(pulse: Pulse, rhythm: Rhythm, *, now: datetime, listening_since: datetime) -> Condition:
    """Return how the job stands at `now`.

    Nobody could be heard while stewardmon did not run: after a start there is one more `grace`.
    """
    if pulse.failed and pulse.fail_at is not None:
        said = f": {pulse.message}" if pulse.message else ""
        detail = f"the job failed {format_since(now - pulse.fail_at)} ago{said}"
        return Condition(State.DOWN, Reason.FINDING, detail)
    began = pulse.running_since
    if began is not None and now - began > rhythm.runtime:
        detail = (
            f"a run began {format_since(now - began)} ago and has not ended, "
            f"expected within {format_since(rhythm.runtime)}"
        )
        return Condition(State.DOWN, Reason.INCOMPLETE, detail)
    due = max((pulse.success_at or pulse.since) + rhythm.period, listening_since) + rhythm.grace
    expected = f"expected one every {format_since(rhythm.period)}"
    if pulse.success_at is None:
        if now > due:
            return Condition(State.DOWN, Reason.MISSING, f"no sign has ever come, {expected}")
        return Condition(State.UNKNOWN, Reason.MISSING, "waiting for the first sign")
    ago = format_since(now - pulse.success_at)
    if now > due:
        return Condition(State.DOWN, Reason.STALE, f"the last sign came {ago} ago, {expected}")
    return Condition(State.UP, Reason.OK, f"the last sign came {ago} ago")


def figures_of(value: object) -> dict[str, float]:
    """Return pushed figures by name. Raises HeartbeatError for what cannot be a series."""
    if not isinstance(value, Mapping):
        raise HeartbeatError("metrics must be an object of names and numbers")
    if len(value) > FIGURES_AT_MOST:
        raise HeartbeatError(f"metrics holds {len(value)} figures, {FIGURES_AT_MOST} at the most")
    return {_name(name): _number(name, number) for name, number in value.items()}


def _name(name: object) -> str:
    if not isinstance(name, str) or not _FIGURE.fullmatch(name):
        raise HeartbeatError(f"{str(name)[:40]!r} is no name of a metric")
    if name.startswith(_OURS):
        raise HeartbeatError(f"{name} is measured by stewardmon itself: push under another name")
    return name


def _number(name: object, number: object) -> float:
    finite = isinstance(number, int | float) and not isinstance(number, bool)
    try:
        value = float(number) if finite else math.nan  # type: ignore[arg-type]
    except OverflowError:
        value = math.nan
    if not math.isfinite(value):
        raise HeartbeatError(f"{str(name)[:100]} must be a finite number")
    return value


_TIMES: Final = ("success_at", "fail_at", "start_at", "figures_at")


def record_of(pulse: Pulse) -> Mapping[str, object]:
    """Return the pulse as the state keeps it."""
    times = {name: getattr(pulse, name) for name in _TIMES}
    return {
        "since": pulse.since.isoformat(),
        **{name: None if at is None else at.isoformat() for name, at in times.items()},
        "took": pulse.took,
        "message": pulse.message,
        "figures": dict(pulse.figures),
    }


def from_record(ident: str, record: Mapping[str, Any]) -> Pulse:
    """Return a pulse that the state kept. Raises HeartbeatError."""
    try:
        times = {name: record.get(name) for name in _TIMES}
        return Pulse(
            since=_instant(record["since"]),
            took=None if record.get("took") is None else float(record["took"]),
            message=str(record.get("message", "")),
            figures=figures_of(record.get("figures", {})),
            **{name: None if text is None else _instant(text) for name, text in times.items()},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise HeartbeatError(f"the state holds a heartbeat {ident!r} unread: {error}") from None


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
