"""Silences: what somebody asked not to be paged about, until when, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from stewardmon.domain.labels import Labels, Matcher, Op
from stewardmon.errors import ExpressionError, StewardmonError

MATCHERS_AT_MOST: Final = 100
TEXT_AT_MOST: Final = 4096  # characters of a matcher's value, or of the comment
SAID_BEFORE: Final = timedelta(minutes=10)  # how long before its end a silence says so

# Values that no one would write into a matcher: what accepts them accepts anything.
_ANYTHING: Final = ("7f3a9c", "Some Words", "x\ny")
_SEVERITIES: Final = ("critical", "error", "warning", "info")
# Labels that practically every alert has: to accept any value of these is to accept every alert.
_EVERYWHERE: Final = frozenset({"alertname", "severity", "job", "instance"})


class SilenceError(StewardmonError):
    """A silence that cannot be, as one sentence."""


class SilenceState(StrEnum):
    """Where a silence stands in time: Alertmanager's words."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Alerts that meet every matcher page nobody from `starts_at` until `ends_at` (not included).

    `warned` says that its coming end has been told already.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: datetime
    ends_at: datetime
    updated_at: datetime
    created_by: str = ""
    comment: str = ""
    warned: bool = False

    def state(self, now: datetime) -> SilenceState:
        """Return whether it is still to come, holds, or is over."""
        if now >= self.ends_at:
            return SilenceState.EXPIRED
        return SilenceState.PENDING if now < self.starts_at else SilenceState.ACTIVE

    def accepts(self, labels: Labels) -> bool:
        """Say whether the labels meet every matcher."""
        return all(matcher.matches(labels) for matcher in self.matchers)

    def ends_soon(self, now: datetime) -> bool:
        """Say whether its end must be told now: it holds, ends soon, and nobody was told."""
        return (
            not self.warned
            and self.state(now) is SilenceState.ACTIVE
            and self.ends_at - now <= SAID_BEFORE < self.ends_at - self.starts_at
        )

    def expired(self, now: datetime) -> Silence:
        """Return the silence ended at once; one that had not begun never does."""
        return replace(self, starts_at=min(self.starts_at, now), ends_at=now, updated_at=now)

    def described(self) -> str:
        """Return who wants it, why and until when, as a timeline shows it."""
        words = f"{self.comment} " if self.comment else ""
        by = f"by {self.created_by}, " if self.created_by else ""
        return f"{words}({by}until {self.ends_at:%Y-%m-%d %H:%M:%S} UTC)"


def check(silence: Silence, *, now: datetime) -> None:
    """Raise SilenceError for what Alertmanager refuses too: no matcher, no time, nothing meant."""
    if not silence.matchers:
        raise SilenceError("a silence needs at least one matcher")
    if len(silence.matchers) > MATCHERS_AT_MOST:
        raise SilenceError(f"a silence takes at most {MATCHERS_AT_MOST} matchers")
    if any(not matcher.name for matcher in silence.matchers):
        raise SilenceError("a matcher needs the name of a label")
    if any(len(one.text) > TEXT_AT_MOST for one in silence.matchers):
        raise SilenceError(f"a matcher's value is longer than {TEXT_AT_MOST} characters")
    if all(matcher.accepts("") for matcher in silence.matchers):
        raise SilenceError("at least one matcher must not match the empty string")
    if silence.ends_at <= silence.starts_at:
        raise SilenceError("a silence must end after it starts")
    if silence.ends_at <= now:
        raise SilenceError("a silence must end in the future: end time can't be in the past")


def is_sweeping(matchers: Sequence[Matcher]) -> bool:
    """Say whether the matchers let practically no alert through: such a silence is asked for twice.

    Decided by trying values, not by reading patterns: `.+`, `.*..*` and `!= "x"` are alike to it.
    """
    return all(_accepts_anything(matcher) for matcher in matchers)


def _accepts_anything(matcher: Matcher) -> bool:
    values = _SEVERITIES if matcher.name == "severity" else _ANYTHING
    if not all(matcher.accepts(value) for value in values):
        return False
    return matcher.name in _EVERYWHERE or matcher.accepts("")


def replaces_in_place(old: Silence, new: Silence, *, now: datetime) -> bool:
    """Say whether `new` may keep `old`'s id: what was silenced so far must stay as it was."""
    if set(old.matchers) != set(new.matchers):
        return False
    match old.state(now):
        case SilenceState.EXPIRED:
            return False
        case SilenceState.ACTIVE:
            return old.starts_at == new.starts_at and new.ends_at >= now
        case SilenceState.PENDING:
            return new.starts_at >= now


def record_of(silence: Silence) -> dict[str, object]:
    """Return the silence as the store keeps it."""
    return {
        "matchers": [[one.name, one.op.value, one.text] for one in silence.matchers],
        "starts_at": silence.starts_at.isoformat(),
        "ends_at": silence.ends_at.isoformat(),
        "updated_at": silence.updated_at.isoformat(),
        "created_by": silence.created_by,
        "comment": silence.comment,
        "warned": silence.warned,
    }


def from_record(ident: str, record: Mapping[str, Any]) -> Silence:
    """Return a silence that the store kept. Raises SilenceError for what is not one."""
    try:
        return Silence(
            id=ident,
            matchers=tuple(Matcher(name, Op(op), text) for name, op, text in record["matchers"]),
            starts_at=_time(record["starts_at"]),
            ends_at=_time(record["ends_at"]),
            updated_at=_time(record["updated_at"]),
            created_by=str(record.get("created_by", "")),
            comment=str(record.get("comment", "")),
            warned=bool(record.get("warned", False)),
        )
    except (KeyError, TypeError, ValueError, ExpressionError) as error:
        raise SilenceError(f"the state holds a silence that cannot be read: {error}") from None


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
