"""What must hold of backups: their age, their size beside the one before, and that they end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from stewardmon.domain.display import format_since, format_value
from stewardmon.domain.outcome import Reason, State
from stewardmon.domain.redact import excerpt

_PACKED: Final = frozenset({"gz", "bz2", "xz", "zst", "lz4", "age", "gpg", "enc"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """One backup: when it was made, its bytes where known, and whether it is whole.

    `group` holds together what may be compared: files of one form. `whole` is None where it was
    not or could not be seen; `why` then says so, and otherwise what is wrong.
    """

    name: str
    at: datetime
    size: int | None = None
    group: str = ""
    form: str = ""
    whole: bool | None = None
    reason: Reason = Reason.OK
    why: str = ""


def group_of(name: str) -> str:
    """Return the endings by which files are of one form: `.sql`, `.sql.gz`, `.dump`."""
    stem, dot, last = name.rpartition(".")
    if dot and last in _PACKED:
        return f"{group_of(stem)}.{last}"
    return dot + last if dot else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a backup must meet; `min_share` is of the size of the one before, 0 to 1."""

    max_age: timedelta
    min_size: int
    min_share: float


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with the backups."""

    state: State
    reason: Reason
    text: str


def judge(
    found: Sequence[Backup], limits: Limits, *, now: datetime
) -> tuple[tuple[Complaint, ...], Backup | None]:
    """Return what is wrong, worst first, and the newest backup that is as it should be.

    Of every group (plain dumps, archives) the newest one is judged, unless the group was given up
    longer ago than `max_age` and another goes on.
    """
    groups: dict[str, list[Backup]] = defaultdict(list)
    for backup in sorted(found, key=lambda one: one.at, reverse=True):
        groups[backup.group].append(backup)
    newest = max(found, key=lambda one: one.at)
    complaints: list[Complaint] = []
    good: list[Backup] = []
    for members in groups.values():
        if members[0] is newest or now - members[0].at <= limits.max_age:
            complaints.extend(_wrong(members, limits))
        good.extend(_first_good(members, limits))
    age = now - newest.at
    if age > limits.max_age:
        text = (
            f"the newest backup is {format_since(age)} old, "
            f"expected one of the last {format_since(limits.max_age)}"
        )
        complaints.append(Complaint(State.DOWN, Reason.STALE, text))
    order = (State.DOWN, State.DEGRADED, State.UNKNOWN)
    complaints.sort(key=lambda one: order.index(one.state))
    return tuple(complaints), max(good, key=lambda one: one.at, default=None)


def _first_good(members: Sequence[Backup], limits: Limits) -> Iterator[Backup]:
    for place, member in enumerate(members):
        if not tuple(_wrong(members[place:], limits)) and member.whole is not False:
            yield member
            return


def _wrong(members: Sequence[Backup], limits: Limits) -> Iterator[Complaint]:
    """Yield what is wrong with the first of the members, which are newest first."""
    newest = members[0]
    name = excerpt(newest.name, 60)
    if newest.size is not None and newest.size < max(1, limits.min_size):
        size = format_value(newest.size, "bytes")
        reason = Reason.EMPTY if newest.size == 0 else Reason.INCOMPLETE
        yield Complaint(State.DOWN, reason, f"{name} has {size}")
        return
    if newest.whole is False:
        yield Complaint(State.DOWN, newest.reason, f"{name} is not whole: {newest.why}")
        return
    if newest.whole is None and newest.reason is not Reason.OK:
        yield Complaint(State.UNKNOWN, newest.reason, f"{name} could not be checked: {newest.why}")
    before = next((one for one in members[1:] if one.size), None)
    if newest.size is None or before is None or before.size is None:
        return
    share = newest.size / before.size
    if share < limits.min_share:
        text = (
            f"{name} has {share:.0%} of the size of the one before "
            f"({format_value(newest.size, 'bytes')} after {format_value(before.size, 'bytes')}), "
            f"expected at least {limits.min_share:.0%}"
        )
        yield Complaint(State.DEGRADED, Reason.FINDING, text)
