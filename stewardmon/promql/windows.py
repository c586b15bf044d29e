"""Rolling windows: placeholder until the incremental ones land in the next commit."""

from __future__ import annotations

from stewardmon.promql.frame import SeriesSource


class Windows:
    """The windows of one store."""

    def __init__(self, store: SeriesSource) -> None:
        self.store = store
