"""Policies, routes and inhibition of oncall.yml: who is paged for what, and after how long."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeVar

from pydantic import Field

from stewardmon.config.binding import bind, entries_of, items_of, named_in
from stewardmon.config.names import misnamed
from stewardmon.config.nodes import Entries, Place
from stewardmon.config.sentences import suggestion
from stewardmon.config.source import Source
from stewardmon.config.types import Duration, Entry, Names
from stewardmon.domain.policy import Level, Policy
from stewardmon.domain.quantity import format_duration

_LEVELS: Final = "level, role, after, page"
_ZERO: Final = timedelta(0)
T = TypeVar("T")


class LevelEntry(Entry):
    """One row of the matrix."""

    level: int = Field(ge=1, le=99)
    role: str = ""
    after: Duration = _ZERO
    page: Names = ()


class PolicyEntry(Entry):
    """What a policy does after its last level, and after an acknowledgement."""

    repeat_last: Duration | None = None
    ack_timeout: Duration | None = None


def read_policies(root: Entries, source: Source, *, targets: frozenset[str]) -> dict[str, Policy]:
    """Return the policies by name; `targets` are the people and rotations a level may page."""
    policies = {}
    entries = entries_of(root, "policies", source, wanted="a policy's name, and its levels")
    for name, node in entries.nodes.items() if entries else ():
        place = entries.keys[name] if entries else root.place
        wrong = misnamed(name, "policy")
        if wrong:
            source.add(place, wrong)
        if not isinstance(node, Entries):
            source.add(place, f"policy {name} must be a mapping with levels")
            continue
        policy = _policy(name, node, place, source, targets)
        if policy:
            policies[name] = policy
    return policies


def _policy(
    name: str, node: Entries, place: Place, source: Source, targets: frozenset[str]
) -> Policy | None:
    what = f"policy {name}"
    rest = bind(PolicyEntry, node.less("levels"), source, what=what, also=("levels",))
    levels: list[Level] = []
    rows = items_of(node, "levels", source, wanted=_LEVELS)
    if not rows:
        source.add(
            node.keys.get("levels", place), f"{what} has no levels and would page nobody: add one"
        )
    for row in rows:
        entry = bind(LevelEntry, row, source, what=f"a level of {what}")
        if entry is None:
            continue
        level = Level(
            number=entry.level,
            role=entry.role or f"Level {entry.level}",
            after=entry.after,
            page=entry.page,
        )
        _check_level(level, row, levels, what, source, targets)
        levels.append(level)
    for key in ("repeat_last", "ack_timeout"):
        period = getattr(rest, key, None)
        if period is not None and period < timedelta(seconds=1):
            source.add(node.keys[key], f"{key} {format_duration(period)} is below 1s")
    if rest is None or not levels:
        return None
    return Policy(
        name=name,
        levels=tuple(levels),
        repeat_last=rest.repeat_last,
        ack_timeout=rest.ack_timeout,
    )


def _check_level(
    level: Level,
    row: Entries,
    before: list[Level],
    what: str,
    source: Source,
    targets: frozenset[str],
) -> None:
    if before and level.number <= before[-1].number:
        source.add(
            row.keys["level"],
            f"level {level.number} of {what} follows level {before[-1].number}: "
            "levels count upwards, each once",
        )
    elif before and level.after < before[-1].after:
        source.add(
            row.keys.get("after", row.place),
            f"level {level.number} of {what} is paged before level {before[-1].number}: "
            f"write at least {format_duration(before[-1].after)}",
        )
    if not level.page:
        source.warn(
            row.keys.get("page", row.place),
            f"level {level.number} of {what} pages nobody and is skipped: name somebody",
        )
    for target in level.page:
        if target not in targets:
            source.add(
                named_in(row, "page", target),
                f"level {level.number} of {what} pages {target!r}, who is neither a person nor a "
                f"rotation{suggestion(target, targets)}",
            )
