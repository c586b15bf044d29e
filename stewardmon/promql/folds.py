"""Aggregates of a sliding sequence, without ever subtracting what leaves it.

Two stacks (as in Tangwongsan, Hirzel, Schneider: "Low-latency sliding-window aggregation", 2017)
over blocks of samples: single samples are kept only for the oldest block, so a window of a day
costs a few thousand numbers, and no step costs more than a block and a share of the blocks.
"""

from __future__ import annotations

from typing import Final, Generic, Protocol, TypeVar

from stewardmon.promql.numbers import add_exactly

Aggregate = TypeVar("Aggregate")

BLOCK: Final = 128
"""Samples in a block: near the square root of a day of seconds, where both costs are small."""


class Fold(Protocol[Aggregate]):
    """How values are combined, in any order: `join` is associative, `zero` changes nothing."""

    @property
    def zero(self) -> Aggregate:
        """The aggregate of no values."""

    def add(self, known: Aggregate, value: float, seconds: float, /) -> Aggregate:
        """Return the aggregate with one newer value (read at `seconds`)."""

    def join(self, older: Aggregate, newer: Aggregate, /) -> Aggregate:
        """Return the aggregate of two neighbouring stretches."""


class Total:
    """Compensated sums: (sum, what rounding lost)."""

    zero: Final = (0.0, 0.0)

    def add(self, known: tuple[float, float], value: float, _: float, /) -> tuple[float, float]:
        """Return the sum with one value more."""
        return add_exactly(value, known[0], known[1])

    def join(
        self, older: tuple[float, float], newer: tuple[float, float], /
    ) -> tuple[float, float]:
        """Return the sum of two sums."""
        return add_exactly(newer[0], older[0], older[1] + newer[1])


class Extreme:
    """The largest value (`sign` 1) or the smallest (-1); None for none."""

    zero: Final = None

    def __init__(self, sign: float) -> None:
        self._sign = sign

    def add(self, known: float | None, value: float, _: float, /) -> float | None:
        """Return the more extreme one, the older one of equals."""
        if known is None or (value - known) * self._sign > 0:
            return value
        return known

    def join(self, older: float | None, newer: float | None, /) -> float | None:
        """Return the more extreme one of two."""
        return older if newer is None else self.add(older, newer, 0.0)


Moments = tuple[float, float, float]


class Spread:
    """Count, mean and sum of squared deviations (Chan, Golub, LeVeque 1979)."""

    zero: Final = (0.0, 0.0, 0.0)

    def add(self, known: Moments, value: float, _: float, /) -> Moments:
        """Return the moments with one value more."""
        count, mean, squares = known
        count += 1
        delta = value - mean
        mean += delta / count
        return count, mean, squares + delta * (value - mean)

    def join(self, older: Moments, newer: Moments, /) -> Moments:
        """Return the moments of two stretches together."""
        if not newer[0] or not older[0]:
            return older if not newer[0] else newer
        count = older[0] + newer[0]
        delta = newer[1] - older[1]
        mean = older[1] + delta * (newer[0] / count)
        return count, mean, older[2] + newer[2] + delta * delta * (older[0] * newer[0] / count)


Slope = tuple[float, float, float, float, float]


class Trend:
    """Count, mean time, mean value, and the sums of squared and crossed deviations."""

    zero: Final = (0.0, 0.0, 0.0, 0.0, 0.0)

    def add(self, known: Slope, value: float, seconds: float, /) -> Slope:
        """Return the moments with one reading more."""
        return self.join(known, (1.0, seconds, value, 0.0, 0.0))

    def join(self, older: Slope, newer: Slope, /) -> Slope:
        """Return the moments of two stretches together."""
        if not newer[0] or not older[0]:
            return older if not newer[0] else newer
        count = older[0] + newer[0]
        dx, dy = newer[1] - older[1], newer[2] - older[2]
        share = newer[0] / count
        weight = older[0] * share
        return (
            count,
            older[1] + dx * share,
            older[2] + dy * share,
            older[3] + newer[3] + dx * dx * weight,
            older[4] + newer[4] + dx * dy * weight,
        )


class Sliding(Generic[Aggregate]):
    """The aggregate of a sequence that grows at its end and shrinks at its start.

    Whoever owns it keeps the values: when the oldest block is opened, `reread(first, last)` of its
    values is asked for, newest first, as (value, seconds).
    """

    __slots__ = (
        "_back",
        "_back_total",
        "_fold",
        "_front",
        "_head",
        "_tail",
        "_tail_count",
        "_tail_first",
    )

    def __init__(self, fold: Fold[Aggregate]) -> None:
        self._fold = fold
        self.clear(0)

    def clear(self, first: int) -> None:
        """Forget everything; the next value has the position `first`."""
        zero = self._fold.zero
        self._head: list[Aggregate] = []
        self._front: list[tuple[int, int, Aggregate]] = []
        self._back: list[tuple[int, int, Aggregate]] = []
        self._back_total = zero
        self._tail = zero
        self._tail_count = 0
        self._tail_first = first

    def push(self, position: int, value: float, seconds: float) -> None:
        """Add a value at the end."""
        self._tail = self._fold.add(self._tail, value, seconds)
        self._tail_count += 1
        if self._tail_count == BLOCK:
            self._back.append((self._tail_first, position + 1, self._tail))
            self._back_total = self._fold.join(self._back_total, self._tail)
            self._cut(position + 1)

    def pop(self) -> bool:
        """Take the oldest value away; False where the oldest block must be opened first."""
        if not self._head:
            return False
        self._head.pop()
        return True

    def oldest(self, end: int) -> tuple[int, int]:
        """Take out the oldest block: return the positions of its first value and after its last.

        `end` is the position after the newest value.
        """
        if not self._front and self._back:
            self._flip()
        if self._front:
            first, last, _ = self._front.pop()
            return first, last
        first = self._tail_first
        self._cut(end)
        return first, end

    def open(self, values: list[tuple[float, float]]) -> None:
        """Hold the values of the oldest block singly; `values` come newest first."""
        known = self._fold.zero
        for value, seconds in values:
            known = self._fold.add(known, value, seconds)
            self._head.append(known)

    def total(self) -> Aggregate:
        """Return the aggregate of all values."""
        fold = self._fold
        known = fold.join(self._back_total, self._tail) if self._back else self._tail
        if self._front:
            known = fold.join(self._front[-1][2], known)
        return fold.join(self._head[-1], known) if self._head else known

    def _cut(self, first: int) -> None:
        self._tail = self._fold.zero
        self._tail_count = 0
        self._tail_first = first

    def _flip(self) -> None:
        known = self._fold.zero
        for first, last, block in reversed(self._back):
            known = self._fold.join(block, known)
            self._front.append((first, last, known))
        self._back = []
        self._back_total = self._fold.zero
