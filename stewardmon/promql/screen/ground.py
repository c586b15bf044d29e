"""What a walk stands on: the series that selectors select, as digests, and what nodes need once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

from stewardmon.promql.frame import SeriesLike, SeriesSource
from stewardmon.promql.nodes import Expr, VectorSelector
from stewardmon.promql.screen.digest import Digest
from stewardmon.promql.screen.elements import UndecidedError

MOST_SERIES: Final = 1000
"""Series of one selector that are looked at one by one; of more, nothing is said."""

T = TypeVar("T")


class Ground:
    """The digests of one store; `lookback_ms` says how old the newest sample of a series may be."""

    def __init__(self, store: SeriesSource, lookback_ms: int) -> None:
        self.lookback_ms = lookback_ms
        self._store = store
        self._digests: dict[int, Digest] = {}
        self._selected: dict[int, tuple[VectorSelector, list[Digest]]] = {}
        self._made: dict[int, tuple[Expr, Any]] = {}

    def renew(self) -> None:
        """Select anew, as series have come, gone or grown; what nobody asked for is forgotten."""
        used = (one for _, found in self._selected.values() for one in found)
        self._digests = {id(one.series): one for one in used}
        self._selected.clear()

    def digests(self, selector: VectorSelector) -> list[Digest]:
        """Return what the selected series are made of. Raises UndecidedError for too many."""
        found = self._selected.get(id(selector))
        if found is None:
            series = self._store.select(selector.matchers)
            if len(series) > MOST_SERIES:
                raise UndecidedError
            found = self._selected[id(selector)] = selector, [self._digest(one) for one in series]
        return found[1]

    def _digest(self, series: SeriesLike) -> Digest:
        known = self._digests.get(id(series))
        if known is None:
            known = self._digests[id(series)] = Digest(series)
        return known

    def once(self, node: Expr, make: Callable[[], T]) -> T:
        """Return what was made for a node of some plan's tree, made at its first walk."""
        found = self._made.get(id(node))
        if found is None:
            found = self._made[id(node)] = node, make()
        made: T = found[1]
        return made
