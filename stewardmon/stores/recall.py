"""The reading end of the history: tail, chunks and roll-ups as one track a series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from stewardmon.domain.labels import Labels, Matcher
from stewardmon.stores.bulk import marks
from stewardmon.stores.chunks import Seen, salvaged, unpack
from stewardmon.stores.codec import loads
from stewardmon.stores.dialect import Connection
from stewardmon.stores.rollups import STEP_MS, mean_of
from stewardmon.stores.tape import HOUR_MS, RAW, SLOT, gathered
from stewardmon.stores.track import Track, joined

DAY_MS: Final = 24 * HOUR_MS
NAMED: Final = 500
"""Series up to which a query names them; for more it reads all and picks."""


class Recall:
    """Reads spans; belongs to the history's reading thread, and remembers which series exist."""

    def __init__(self) -> None:
        self._known: dict[int, Labels] = {}

    def read(
        self, connection: Connection, matchers: Sequence[Matcher], *, start_ms: int, end_ms: int
    ) -> Sequence[tuple[Labels, Track]]:
        """Return samples with start ≤ t ≤ end by series, raw where there is raw."""
        wanted = self._matching(connection, matchers)
        if not wanted or start_ms > end_ms:
            return []
        # The tail first: an hour that is closed in between is then seen twice, never not at all.
        newest = _newest(connection, wanted, start_ms, end_ms)
        raw = _chunks(connection, wanted, RAW, start_ms - HOUR_MS, end_ms)
        old = _chunks(connection, wanted, STEP_MS, start_ms - DAY_MS, end_ms)
        found, seen = [], Seen()
        for ident, labels in wanted.items():
            tracks = list(salvaged(raw.get(ident, ()), lambda body: unpack(body, seen)))
            if ident in newest:
                tracks.append(newest[ident])
            track = _over(old.get(ident, ()), tracks).between(start_ms, end_ms)
            if track:
                found.append((labels, track))
        return found

    def _matching(
        self, connection: Connection, matchers: Sequence[Matcher]
    ) -> Mapping[int, Labels]:
        newest = max(self._known, default=0)
        fresh = "SELECT id, labels FROM series WHERE id > ?"
        for ident, labels in connection.execute(fresh, (newest,)):
            self._known[ident] = Labels(loads(labels))
        return {
            ident: labels
            for ident, labels in self._known.items()
            if all(matcher.matches(labels) for matcher in matchers)
        }


def _newest(
    connection: Connection, wanted: Mapping[int, Labels], start_ms: int, end_ms: int
) -> dict[int, Track]:
    inside = "SELECT number, body FROM tail WHERE start_ms <= ? AND end_ms >= ?"
    slots = list({ident // SLOT for ident in wanted})
    if len(slots) > NAMED:
        slots = []
    if slots:
        inside += f" AND (slot IS NULL OR slot IN {marks(len(slots))})"
    return gathered(connection.execute(inside, (end_ms, start_ms, *slots)), wanted)


def _chunks(
    connection: Connection,
    wanted: Mapping[int, Labels],
    resolution: int,
    after_ms: int,
    end_ms: int,
) -> Mapping[int, Sequence[bytes]]:
    """Return the packed chunks that begin in a span, by series, in time order."""
    held = "SELECT series, body FROM chunk WHERE resolution = ? AND start_ms > ? AND start_ms <= ?"
    named = list(wanted) if len(wanted) <= NAMED else []
    if named:
        held += f" AND series IN {marks(len(named))}"
    found: dict[int, list[bytes]] = defaultdict(list)
    values = (resolution, after_ms, end_ms, *named)
    for ident, body in connection.execute(f"{held} ORDER BY series, start_ms", values):
        found[ident].append(body)
    return found


def _over(rolled: Sequence[bytes], tracks: Sequence[Track]) -> Track:
    """Return raw samples, and before the first of them the means of the roll-ups."""
    raw = joined(tracks)
    if not rolled:
        return raw
    means = joined(list(salvaged(rolled, mean_of)))
    return joined([means.before(raw.times[0]) if raw else means, raw])
