"""History in a database."""

from __future__ import annotations

from stewardmon.stores.dialect import Dialect
from stewardmon.stores.memory import MemoryHistory


class SqlHistory(MemoryHistory):
    """For now in memory."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__()
        self._dialect = dialect
