"""What the history forgets: old raw samples become roll-ups, old roll-ups and empty series go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from stewardmon.stores.bulk import drop, marks
from stewardmon.stores.chunks import salvaged, unpack
from stewardmon.stores.dialect import Connection, Dialect
from stewardmon.stores.line import Line
from stewardmon.stores.recall import DAY_MS
from stewardmon.stores.rollups import STEP_MS, merged, pack_rollup, roll_up, unpack_rollup
from stewardmon.stores.tape import RAW, in_tail, put_chunks
from stewardmon.stores.track import joined

SERIES_AT_ONCE: Final = 100
_OF_DAY: Final = "resolution = ? AND start_ms >= ? AND start_ms < ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long what is kept; past `bytes` on disk (SQLite) days go before their time."""

    raw: timedelta = timedelta(days=30)
    rollups: timedelta = timedelta(days=400)
    bytes: int = 4 << 30


class Pruning:
    """One round of forgetting, in transactions of a hundred series and a day each."""

    def __init__(self, line: Line, dialect: Dialect, retention: Retention) -> None:
        self._line = line
        self._dialect = dialect
        self._retention = retention

    def run(self, now_ms: int) -> Sequence[int]:
        """Forget what is too old; return the numbers of the series that are gone altogether."""
        today = now_ms // DAY_MS * DAY_MS
        self._roll_up(today - _ms(self._retention.raw))
        self._forget(today - _ms(self._retention.rollups))
        self._shrink(today)
        return self._line.run(_drop_empty)

    def _roll_up(self, before_ms: int) -> None:
        """Replace raw samples before a day's start by roll-ups."""
        while (day := self._oldest(RAW)) is not None and day < before_ms:
            while self._line.run(partial(self._roll_up_some, day=day)):
                pass

    def _forget(self, before_ms: int) -> None:
        while (day := self._oldest(STEP_MS)) is not None and day < before_ms:
            self._line.run(partial(_delete_day, resolution=STEP_MS, day=day))

    def _shrink(self, today: int) -> None:
        while self._line.run(self._dialect.size) > self._retention.bytes:
            raw, rolled = self._oldest(RAW), self._oldest(STEP_MS)
            if raw is not None and raw < today:
                self._roll_up(raw + DAY_MS)
            elif rolled is not None:
                self._forget(rolled + DAY_MS)
            else:
                return

    def _oldest(self, resolution: int) -> int | None:
        """Return the start of the oldest day of which there is anything."""
        least = "SELECT min(start_ms) FROM chunk WHERE resolution = ?"
        ((start,),) = self._line.run(lambda connection: connection.execute(least, (resolution,)))
        return None if start is None else start // DAY_MS * DAY_MS

    def _roll_up_some(self, connection: Connection, day: int) -> bool:
        self._dialect.lock(connection)
        some = f"SELECT DISTINCT series FROM chunk WHERE {_OF_DAY} LIMIT ?"
        found = connection.execute(some, (*_day(RAW, day), SERIES_AT_ONCE))
        idents = [ident for (ident,) in found]
        if not idents:
            return False
        raw = _bodies(connection, RAW, day, idents)
        before = _bodies(connection, STEP_MS, day, idents)
        rows: list[list[Any]] = []
        for ident, bodies in raw.items():
            rolled = roll_up(joined(list(salvaged(bodies, unpack))))
            if rolled is None:
                continue
            for known in salvaged(before.get(ident, ()), unpack_rollup):
                rolled = merged(known, rolled)
            rows.append([ident, STEP_MS, day, len(rolled.mean), pack_rollup(rolled)])
        put_chunks.run(connection, rows)
        connection.execute(
            f"DELETE FROM chunk WHERE {_OF_DAY} AND series IN {marks(len(idents))}",
            (*_day(RAW, day), *idents),
        )
        return True


def _bodies(
    connection: Connection, resolution: int, day: int, idents: Sequence[int]
) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = defaultdict(list)
    held = f"""SELECT series, body FROM chunk WHERE {_OF_DAY} AND series IN {marks(len(idents))}
        ORDER BY start_ms"""
    for ident, body in connection.execute(held, (*_day(resolution, day), *idents)):
        found[ident].append(body)
    return found


def _day(resolution: int, day: int) -> tuple[int, int, int]:
    return resolution, day, day + DAY_MS


def _delete_day(connection: Connection, resolution: int, day: int) -> None:
    connection.execute(f"DELETE FROM chunk WHERE {_OF_DAY}", _day(resolution, day))


def _drop_empty(connection: Connection) -> Sequence[int]:
    held = "SELECT 1 FROM chunk WHERE chunk.series = series.id"
    bare = f"SELECT id FROM series WHERE NOT EXISTS ({held})"
    empty = {ident for (ident,) in connection.execute(bare)}
    if empty:
        empty -= in_tail(connection)
    drop(connection, "series", "id", empty)
    return list(empty)


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
