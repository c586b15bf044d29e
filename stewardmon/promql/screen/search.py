"""Finding the instants at which something may be: halves of a span that cannot are left out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Final

FEW: Final = 8
"""Instants that are not halved any more: asking the engine costs about as much as asking again."""


class Search:
    """The instants of a span at which `may` cannot be ruled out, asked for as time goes on.

    `may(first, last)` says whether there can be anything at any instant in between, in
    milliseconds, both included. Only as much is looked at as is asked for.
    """

    def __init__(self, may: Callable[[int, int], bool], instants: Sequence[int]) -> None:
        self._may = may
        self._instants = instants
        self._spans = [(0, len(instants), False)] if instants else []

    def after(self, at_ms: int) -> int | None:
        """Return the first such instant that is later; questions must come in order of time."""
        instants = self._instants
        while self._spans:
            first, last, decided = self._spans.pop()
            first = bisect_right(instants, at_ms, first, last)
            if first == last:
                continue
            if decided or self._may(instants[first], instants[last - 1]):
                if decided or last - first <= FEW:
                    self._spans.append((first, last, True))
                    return instants[first]
                middle = (first + last) // 2
                self._spans += [(middle, last, False), (first, middle, False)]
        return None
