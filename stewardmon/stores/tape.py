"""The writing end of the history: the tail, and the chunks that its closed hours become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from typing import Final

from stewardmon.domain.labels import Labels
from stewardmon.ports import Points
from stewardmon.stores.batch import Batch, series_in, unpack_batch
from stewardmon.stores.bulk import Insert, marks, slices, upsert
from stewardmon.stores.chunks import pack, salvaged, unpack
from stewardmon.stores.codec import dumps
from stewardmon.stores.dialect import Connection, Dialect, Row
from stewardmon.stores.line import Line
from stewardmon.stores.track import Track, joined

HOUR_MS: Final = 3_600_000
RAW: Final = 0
LATE_MS: Final = 60_000
"""How long after its end an hour is held open for late samples; later ones are merged in."""

AT_ONCE: Final = 50_000
"""Samples in one write from which they go to chunks directly: somebody fills in the past."""

MOST_HELD: Final = 50_000
MOST_OF_EACH: Final = 3
"""Samples in the tail, in all and a series, from both of which on it is sorted before the hour is
over: reads go through it, and sorting it takes as much memory as it is long. With fewer than a few
samples a series there is nothing to gain: every row then holds as many series as samples."""

SLOT: Final = 256
"""Series whose samples stand together in a sorted tail: a read of one goes through so many."""

Piece = tuple[int, int, Track]  # series, start of the hour, its samples

put_chunks: Final = upsert("chunk", "series, resolution, start_ms, samples, body", keys=3)
_put_series: Final = Insert("series", "labels", on_conflict="ON CONFLICT (labels) DO NOTHING")
_put_tail: Final = Insert("tail", "start_ms, end_ms, samples, body, slot")


class Tape:
    """Appends batches; belongs to the history's writing thread."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._ids: dict[Labels, int] = {}
        self._closed_ms: int | None = None
        self._held = 0  # samples in the tail that are in no slot yet

    def write(self, line: Line, batch: Iterable[tuple[Labels, Points]]) -> None:
        """Make the batch durable, then close the hour where one is over."""
        written = [(labels, points) for labels, points in batch if points]
        if not written:
            return
        self._identify(line, [labels for labels, _ in written])
        fresh = Batch.of((self._ids[labels], points) for labels, points in written)
        if len(fresh) > AT_ONCE:
            self._fill(line, _by_series([fresh]))
        else:
            line.run(partial(_append, batch=fresh))
            self._held += len(fresh)
        self._close(line, max(fresh.times))

    def forget(self, idents: Iterable[int]) -> None:
        """Drop series that were deleted, so that they are made anew when they come back."""
        gone = frozenset(idents)
        self._ids = {labels: ident for labels, ident in self._ids.items() if ident not in gone}

    def _identify(self, line: Line, wanted: Sequence[Labels]) -> None:
        texts = {label_text(labels): labels for labels in wanted if labels not in self._ids}
        for part in slices(texts.items()):
            some = dict(part)
            for text, ident in line.run(partial(_number, wanted=some)):
                self._ids[some[text]] = ident

    def _fill(self, line: Line, known: Mapping[int, Track]) -> None:
        pieces = (
            (ident, start, part)
            for ident, track in known.items()
            for start, part in track.parts(HOUR_MS)
        )
        for some in slices(pieces):
            line.run(partial(self._merge, pieces=some))

    def _close(self, line: Line, newest_ms: int) -> None:
        closed_ms = (newest_ms - LATE_MS) // HOUR_MS * HOUR_MS
        if self._held > max(MOST_HELD, MOST_OF_EACH * len(self._ids)):
            line.run(self._sort)
            self._held = 0
        if closed_ms != self._closed_ms:
            if line.run(partial(_is_behind, before_ms=closed_ms)):
                line.run(self._sort)
                self._held = 0
            for slot in line.run(partial(_slots, before_ms=closed_ms)):
                line.run(partial(self._seal, slot=slot, closed_ms=closed_ms))
            self._closed_ms = closed_ms

    def _sort(self, connection: Connection) -> None:
        """Put what the writes left in the tail into slots."""
        self._dialect.lock(connection)
        gone = connection.execute("DELETE FROM tail WHERE slot IS NULL RETURNING number, body")
        parts: dict[int, list[Batch]] = defaultdict(list)
        for batch in _batches(gone):
            for slot, part in batch.slots(SLOT):
                parts[slot].append(part)
        # Each is let go as soon as it is packed: together they are many megabytes.
        rows = [_row(Batch.together(parts.pop(slot)), slot) for slot in sorted(parts)]
        _put_tail.run(connection, rows)

    def _seal(self, connection: Connection, slot: int, closed_ms: int) -> None:
        """Move what a slot has that is older than `closed_ms` into chunks."""
        self._dialect.lock(connection)
        gone = connection.execute(
            "DELETE FROM tail WHERE slot = ? AND start_ms < ? RETURNING number, body",
            (slot, closed_ms),
        )
        rest: list[tuple[int, Track]] = []
        pieces: list[Piece] = []
        for ident, track in gathered(gone).items():
            pieces += (
                (ident, start, part) for start, part in track.before(closed_ms).parts(HOUR_MS)
            )
            if late := track.since(closed_ms):
                rest.append((ident, late))
        for some in slices(sorted(pieces, key=lambda piece: piece[:2])):
            self._merge(connection, some)
        if rest:
            _put_tail.run(connection, [_row(Batch.of(rest), slot)])

    def _merge(self, connection: Connection, pieces: Sequence[Piece]) -> None:
        """Write the pieces, each together with what its hour holds already."""
        self._dialect.lock(connection)
        starts = [start for _, start, _ in pieces]
        idents = {ident for ident, _, _ in pieces}
        found = connection.execute(
            f"""SELECT series, start_ms, body FROM chunk WHERE series IN {marks(len(idents))}
            AND resolution = ? AND start_ms BETWEEN ? AND ?""",
            (*idents, RAW, min(starts), max(starts)),
        )
        before = {(ident, start): body for ident, start, body in found}
        rows = {}
        for ident, start, part in pieces:
            held = before.get((ident, start))
            track = joined([*salvaged([] if held is None else [held], unpack), part])
            rows[ident, start] = [ident, RAW, start, len(track), pack(track)]
        put_chunks.run(connection, list(rows.values()))


def label_text(labels: Labels) -> str:
    """Return the label set as the table `series` keeps it."""
    return dumps(dict(labels.pairs))


def gathered(rows: Iterable[Row], wanted: Container[int] | None = None) -> dict[int, Track]:
    """Return the tracks by series of numbered tail rows, later rows over earlier ones."""
    return _by_series(_batches(rows), wanted)


def _by_series(batches: Iterable[Batch], wanted: Container[int] | None = None) -> dict[int, Track]:
    parts: dict[int, list[Track]] = defaultdict(list)
    for batch in batches:
        for ident, track in batch.tracks():
            if wanted is None or ident in wanted:
                parts[ident].append(track)
    return {ident: joined(tracks) for ident, tracks in parts.items()}


def in_tail(connection: Connection) -> set[int]:
    """Return the series that have samples in the tail."""
    found: set[int] = set()
    numbers = [number for (number,) in connection.execute("SELECT number FROM tail")]
    for some in slices(numbers):  # all at once may be as much as the machine has memory
        held = f"SELECT body FROM tail WHERE number IN {marks(len(some))}"
        for idents in salvaged((body for (body,) in connection.execute(held, some)), series_in):
            found.update(idents)
    return found


def _batches(rows: Iterable[Row]) -> Iterator[Batch]:
    return salvaged((body for _, body in sorted(rows, key=itemgetter(0))), unpack_batch)


def _is_behind(connection: Connection, before_ms: int) -> bool:
    found = "SELECT 1 FROM tail WHERE slot IS NULL AND start_ms < ? LIMIT 1"
    return bool(connection.execute(found, (before_ms,)))


def _slots(connection: Connection, before_ms: int) -> Sequence[int]:
    found = "SELECT DISTINCT slot FROM tail WHERE slot IS NOT NULL AND start_ms < ? ORDER BY slot"
    return [slot for (slot,) in connection.execute(found, (before_ms,))]


def _append(connection: Connection, batch: Batch) -> None:
    _put_tail.run(connection, [_row(batch, None)])


def _row(batch: Batch, slot: int | None) -> list[object]:
    return [min(batch.times), max(batch.times), len(batch), batch.pack(), slot]


def _number(connection: Connection, wanted: dict[str, Labels]) -> Sequence[tuple[str, int]]:
    _put_series.run(connection, [[text] for text in wanted])
    found = f"SELECT labels, id FROM series WHERE labels IN {marks(len(wanted))}"
    return [(text, ident) for text, ident in connection.execute(found, list(wanted))]
