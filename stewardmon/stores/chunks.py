"""Samples as bytes: times as steps, values with their bytes sorted by weight, then deflated.

Most series of a monitor are constant at a constant interval: such an hour takes 26 bytes. Sorting
the bytes of doubles by weight (all first bytes, all second…, as HDF5's shuffle filter does) puts
the slowly changing ones side by side, where deflate finds them.
"""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Any, Final, TypeVar

import structlog

from stewardmon.errors import StoreError
from stewardmon.stores.track import Track

log = structlog.get_logger()
T = TypeVar("T")

_HEAD: Final = struct.Struct("<BBIqiI")  # version, what follows, count, first, step, bytes of steps
_VERSION: Final = 1
_STEPS: Final = 1  # steps differ: an array of 32-bit ones follows; else `step` is every one
_VALUES: Final = 2  # values differ: an array of doubles follows; else one double
_SMALL: Final = 6  # zlib's levels

Seen = dict[tuple[int, bytes], "array[int]"]
"""Times that were unpacked before: the series of one probe are sampled at the same instants."""


class DamagedError(StoreError):
    """Bytes that nobody can read any more: what they held is lost, and nothing else."""


def salvaged(bodies: Iterable[bytes], read: Callable[[bytes], T]) -> Iterator[T]:
    """Return what can be read of some chunks; what is damaged is left out and told once.

    An hour that a broken disk has taken must not take with it what lies around it: neither for
    those who read, nor for the hour's late samples, nor for the day when it is thinned.
    """
    for body in bodies:
        try:
            yield read(body)
        except DamagedError as error:
            _tell(str(error), body)


@lru_cache(maxsize=1000)  # so many damaged chunks are known by sight
def _tell(error: str, body: bytes) -> None:
    log.error("history_damaged", error=error, bytes=len(body))


def pack(track: Track) -> bytes:
    """Return the bytes of a track that is not empty and spans less than 24 days."""
    times, what = track.times, 0
    steps = array("i", [later - earlier for earlier, later in pairwise(times)])
    step, packed = steps[0] if steps else 0, b""
    if steps.count(step) != len(steps):
        what, packed = _STEPS, zlib.compress(_shuffled(steps), _SMALL)
    raw = to_bytes(track.values)
    values = raw[:8]
    if values * len(times) != raw:  # bits, not numbers: a stale marker is one of many NaNs
        what, values = what | _VALUES, zlib.compress(_shuffled(track.values), _SMALL)
    return _HEAD.pack(_VERSION, what, len(times), times[0], step, len(packed)) + packed + values


def unpack(body: bytes, seen: Seen | None = None) -> Track:
    """Return the track that `pack` wrote.

    Raises DamagedError for what it never was, StoreError for what only a newer version can read.
    """
    try:
        version, what, count, first, step, size = _HEAD.unpack_from(body)
        if version > _VERSION:
            raise StoreError(f"a chunk of the history (format {version}) needs a newer stewardmon")
        if version != _VERSION:
            raise DamagedError(f"a chunk of the history is damaged (format {version})")
        start = _HEAD.size + size
        values = body[start:]
        times = (
            _times(body[_HEAD.size : start], first, seen)
            if what & _STEPS
            else array("q", range(first, first + count * step, step) if step else [first])
        )
        numbers = (
            _unshuffled("d", zlib.decompress(values))
            if what & _VALUES
            else from_bytes("d", values * count)
        )
    except (struct.error, zlib.error, ValueError) as error:
        raise DamagedError(f"a chunk of the history is damaged ({error})") from None
    if len(times) != len(numbers):
        raise DamagedError("a chunk of the history is damaged (it was cut short)")
    return Track(times, numbers)


def _times(packed: bytes, first: int, seen: Seen | None) -> array[int]:
    known = None if seen is None else seen.get((first, packed))
    if known is not None:
        return known
    steps = _unshuffled("i", zlib.decompress(packed))
    times = array("q", accumulate(steps, initial=first))
    if seen is not None:
        seen[first, packed] = times
    return times


def _shuffled(numbers: array[Any]) -> bytes:
    raw = to_bytes(numbers)
    return b"".join(raw[place :: numbers.itemsize] for place in range(numbers.itemsize))


def _unshuffled(kind: str, body: bytes) -> array[Any]:
    size = array(kind).itemsize
    count = len(body) // size
    raw = bytearray(len(body))
    for place in range(size):
        raw[place::size] = body[place * count : (place + 1) * count]
    return from_bytes(kind, bytes(raw))


def to_bytes(numbers: array[Any]) -> bytes:
    """Return a column as bytes that are the same on every machine."""
    return numbers.tobytes() if sys.byteorder == "little" else _turned(numbers).tobytes()


def from_bytes(kind: str, raw: bytes) -> array[Any]:
    """Return the column that `to_bytes` wrote; raises ValueError for a part of one."""
    numbers = array(kind, raw)
    return numbers if sys.byteorder == "little" else _turned(numbers)


def _turned(numbers: array[Any]) -> array[Any]:
    turned = numbers[:]
    turned.byteswap()
    return turned
