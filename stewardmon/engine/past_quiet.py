"""What had been silenced in the past, for replays: read from the state's records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from stewardmon.domain import maintenance, silence
from stewardmon.domain.maintenance import Maintenance
from stewardmon.domain.silence import Silence
from stewardmon.errors import StewardmonError

log = structlog.get_logger()

SILENCES: Final = ("silence_past", "silence")  # what still stands last: it knows its own end
WINDOWS: Final = ("maintenance_past", "maintenance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """The silences and maintenance windows that people set at run time."""

    silences: tuple[Silence, ...] = ()
    windows: tuple[Maintenance, ...] = ()

    @classmethod
    def of(cls, records: Mapping[tuple[str, str], Mapping[str, Any]]) -> Past:
        """Return what the records hold; what cannot be read is left out, and said."""
        silences: dict[str, Silence] = {}
        windows: dict[str, Maintenance] = {}
        for (kind, ident), body in records.items():
            try:
                if kind in SILENCES:
                    silences[ident] = silence.from_record(ident, body)
                elif kind in WINDOWS:
                    windows[ident] = maintenance.from_record(ident, body)
            except StewardmonError as error:
                log.error("record_unreadable", kind=kind, id=ident, error=str(error))
        return cls(silences=tuple(silences.values()), windows=tuple(windows.values()))


NOTHING_SET: Final = Past()
