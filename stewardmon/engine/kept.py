"""Small things that people set at run time, kept in the state: silences, windows, overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import structlog

from stewardmon.domain.change import Change
from stewardmon.engine.ledger import Ledger
from stewardmon.errors import StewardmonError

log = structlog.get_logger()

T = TypeVar("T")


class Kept(Generic[T]):
    """Values of one kind by id: durable before `put` and `drop` return, told to `changed`."""

    def __init__(
        self,
        kind: str,
        ledger: Ledger,
        *,
        write: Callable[[T], Mapping[str, object]],
        read: Callable[[str, Mapping[str, Any]], T],
        changed: Callable[[Iterable[T]], None],
    ) -> None:
        self.values: dict[str, T] = {}
        self._kind = kind
        self._ledger = ledger
        self._write = write
        self._read = read
        self._changed = changed

    def restore(self, records: Mapping[tuple[str, str], Mapping[str, object]]) -> None:
        """Take up what a former process kept; what cannot be read is left out, and said."""
        for (kind, ident), body in records.items():
            if kind != self._kind:
                continue
            try:
                self.values[ident] = self._read(ident, body)
            except StewardmonError as error:
                log.error("record_unreadable", kind=kind, id=ident, error=str(error))
        self._changed(self.values.values())

    async def put(self, values: Mapping[str, T]) -> None:
        """Add or replace values, all in one transaction."""
        records = {(self._kind, ident): self._write(value) for ident, value in values.items()}
        await self._ledger.commit(Change(records=records))
        self.values.update(values)
        self._changed(self.values.values())

    async def drop(self, idents: Iterable[str]) -> None:
        """Remove values; ids that are not known are passed over."""
        known = [ident for ident in idents if ident in self.values]
        if not known:
            return
        await self._ledger.commit(Change(records={(self._kind, ident): None for ident in known}))
        for ident in known:
            self.values.pop(ident, None)
        self._changed(self.values.values())
