"""The writing end of the history: the tail, and the chunks that its closed hours become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

from stewardmon.domain.labels import Labels
from stewardmon.ports import Points
from stewardmon.stores.bulk import Insert, marks, slices, upsert
from stewardmon.stores.chunks import pack, pack_batch, salvaged, unpack, unpack_batch
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

MOST_HELD: Final = 500_000
"""Samples in the tail from which it is emptied before the hour is over: reads go through it."""

Piece = tuple[int, int, Track]  # series, start of the hour, its samples

put_chunks: Final = upsert("chunk", "series, resolution, start_ms, samples, body", keys=3)
_put_series: Final = Insert("series", "labels", on_conflict="ON CONFLICT (labels) DO NOTHING")
_put_tail: Final = Insert("tail", "start_ms, end_ms, samples, body")


class Tape:
    """Appends batches; belongs to the history's writing thread."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._ids: dict[Labels, int] = {}
        self._closed_ms: int | None = None
        self._held = 0

    def write(self, line: Line, batch: Iterable[tuple[Labels, Points]]) -> None:
        """Make the batch durable, then close the hour where one is over."""
        tracks = [(labels, Track.of(points)) for labels, points in batch if points]
        if not tracks:
            return
        self._identify(line, [labels for labels, _ in tracks])
        known = [(self._ids[labels], track) for labels, track in tracks]
        samples = sum(len(track) for _, track in known)
        if samples > AT_ONCE:
            self._fill(line, known)
        else:
            line.run(partial(_append, known=known))
            self._held += samples
        self._close(line, max(track.times[-1] for _, track in known))

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

    def _fill(self, line: Line, known: Sequence[tuple[int, Track]]) -> None:
        pieces = (
            (ident, start, part) for ident, track in known for start, part in track.parts(HOUR_MS)
        )
        for some in slices(pieces):
            line.run(partial(self._merge, pieces=some))

    def _close(self, line: Line, newest_ms: int) -> None:
        closed_ms = (newest_ms - LATE_MS) // HOUR_MS * HOUR_MS
        if closed_ms != self._closed_ms:
            self._held = line.run(partial(self._seal, closed_ms=closed_ms))
            self._closed_ms = closed_ms
        if self._held > MOST_HELD:
            self._held = line.run(partial(self._seal, closed_ms=newest_ms + 1))

    def _seal(self, connection: Connection, closed_ms: int) -> int:
        """Move what is older than `closed_ms` into chunks; return how many samples stay behind."""
        self._dialect.lock(connection)
        gone = connection.execute(
            "DELETE FROM tail WHERE start_ms < ? RETURNING number, body", (closed_ms,)
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
            _append(connection, rest)
        ((held,),) = connection.execute("SELECT sum(samples) FROM tail")
        return int(held or 0)

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


def gathered(rows: Iterable[Row]) -> dict[int, Track]:
    """Return the tracks by series of numbered tail rows, later rows over earlier ones."""
    parts: dict[int, list[Track]] = defaultdict(list)
    bodies = (body for _, body in sorted(rows, key=lambda row: row[0]))
    for batch in salvaged(bodies, unpack_batch):
        for ident, track in batch:
            parts[ident].append(track)
    return {ident: joined(tracks) for ident, tracks in parts.items()}


def _append(connection: Connection, known: Sequence[tuple[int, Track]]) -> None:
    start = min(track.times[0] for _, track in known)
    end = max(track.times[-1] for _, track in known)
    samples = sum(len(track) for _, track in known)
    _put_tail.run(connection, [[start, end, samples, pack_batch(known)]])


def _number(connection: Connection, wanted: dict[str, Labels]) -> Sequence[tuple[str, int]]:
    _put_series.run(connection, [[text] for text in wanted])
    found = f"SELECT labels, id FROM series WHERE labels IN {marks(len(wanted))}"
    return [(text, ident) for text, ident in connection.execute(found, list(wanted))]
