"""What a restore drill showed: whether a backup comes back, how fast, and with which rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from stewardmon.domain.display import format_since
from stewardmon.domain.outcome import Outcome, Reason, State
from stewardmon.errors import StewardmonError


class RestoreError(StewardmonError):
    """A drill that came to nothing, or whose result cannot be read, as one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table after the restore, beside the source; None where the source was not asked.

    `newest` and `source_newest` are the times of the newest rows, None where nothing tells them.
    """

    name: str
    rows: int
    source_rows: int | None = None
    newest: datetime | None = None
    source_newest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The result of one drill; `took` is seconds, `wrong` holds a sentence for each failing."""

    at: datetime
    took: float = 0.0
    backup: str = ""
    tables: tuple[Table, ...] = ()
    wrong: tuple[str, ...] = ()
    success_at: datetime | None = None  # of the newest drill that was well, this one included

    @property
    def succeeded(self) -> bool:
        """Say whether the backup came back as it should."""
        return not self.wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a restored copy must meet: its share of the source's rows, and how far it may lag."""

    min_share: float
    lag: timedelta


def compare(tables: Sequence[Table], bar: Bar) -> Iterator[str]:
    """Yield what is wrong with the restored tables."""
    if not any(table.rows for table in tables):
        yield "no table came back with a row in it"
        return
    for table in tables:
        source = table.source_rows
        if source and table.rows < source * bar.min_share:
            share = f"expected at least {bar.min_share:.0%}"
            yield f"{table.name} came back with {table.rows} rows of {source}, {share}"
        newest, beside = table.newest, table.source_newest
        if newest is not None and beside is not None and beside - newest > bar.lag:
            behind = format_since(beside - newest)
            yield f"the newest row of {table.name} is {behind} behind the source's"


def outcome_of(last: Restored | None, *, now: datetime, max_age: timedelta) -> Outcome:
    """Return how restoring stands by the last drill."""
    if last is None:
        detail = "no drill has been made yet: it waits for its day"
        return Outcome(state=State.UNKNOWN, reason=Reason.MISSING, detail=detail)
    ago = format_since(now - last.at)
    if last.wrong:
        detail = f"the drill {ago} ago failed: {last.wrong[0]}"
        return Outcome(
            state=State.DOWN, reason=Reason.INCOMPLETE, detail=detail, findings=last.wrong
        )
    if now - last.at > max_age:
        detail = f"the last drill was {ago} ago, expected one every {format_since(max_age)}"
        return Outcome(state=State.DOWN, reason=Reason.STALE, detail=detail)
    rows = sum(table.rows for table in last.tables)
    detail = (
        f"{last.backup} came back in {last.took:.0f} s with {rows} rows "
        f"in {len(last.tables)} tables, {ago} ago"
    )
    return Outcome(state=State.UP, detail=detail)


def record_of(result: Restored) -> Mapping[str, object]:
    """Return the result as the state keeps it."""
    return {
        "at": result.at.isoformat(),
        "took": result.took,
        "backup": result.backup,
        "wrong": list(result.wrong),
        "success_at": _text(result.success_at),
        "tables": [
            {
                "name": one.name,
                "rows": one.rows,
                "source_rows": one.source_rows,
                "newest": _text(one.newest),
                "source_newest": _text(one.source_newest),
            }
            for one in result.tables
        ],
    }


def from_record(ident: str, record: Mapping[str, Any]) -> Restored:
    """Return a result that the state kept. Raises RestoreError."""
    try:
        return Restored(
            at=_required(record["at"]),
            took=float(record["took"]),
            backup=str(record["backup"]),
            wrong=tuple(str(one) for one in record["wrong"]),
            success_at=_instant(record.get("success_at")),
            tables=tuple(
                Table(
                    name=str(one["name"]),
                    rows=int(one["rows"]),
                    source_rows=None if one["source_rows"] is None else int(one["source_rows"]),
                    newest=_instant(one["newest"]),
                    source_newest=_instant(one["source_newest"]),
                )
                for one in record["tables"]
            ),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RestoreError(f"the state holds a drill {ident!r} unread: {error}") from None


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else _required(text)


def _required(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
